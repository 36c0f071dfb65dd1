"""ResNet-18 (He et al. 2015, https://arxiv.org/abs/1512.03385) with random
weights: batch statistics, mean cross-entropy over 1,000 classes. Parameters
are called as in torchvision, 11,689,512 of them. ResNet-20, for small images,
is the same with another stem."""

from dataclasses import dataclass

import numpy as np

from onnx_graph import Graph

EPSILON = 1e-5


@dataclass(frozen=True)
class ResNet18:
    """Its sizes; others than these make a network of the same kind."""

    widths: tuple = (64, 128, 256, 512)
    blocks: int = 2
    classes: int = 1000
    batch: int = 2
    side: int = 224
    # The side of the first kernel. One of 7 has stride 2, and a pooling
    # after it.
    stem: int = 7

    name = "resnet-18"
    # Where the wrong gradients are wrong.
    row = ("layer3.0.conv2.weight", 7)
    zero = "layer2.1.bn1.bias"

    def units(self):
        """The residual blocks: name, channels in and out, stride."""
        before = self.widths[0]
        for stage, width in enumerate(self.widths, 1):
            for block in range(self.blocks):
                stride = 2 if stage > 1 and block == 0 else 1
                yield f"layer{stage}.{block}", before, width, stride
                before = width

    def parameters(self, rng):
        """Random parameters by name, float32."""
        theta = {}

        def convolution(name, n_in, n_out, side):
            gain = np.sqrt(2 / (n_out * side * side))
            theta[f"{name}.weight"] = gain * rng.standard_normal(
                (n_out, n_in, side, side), np.float32)

        def normalisation(name, n):
            theta[f"{name}.weight"] = 1 + 0.1 * rng.standard_normal(
                n, np.float32)
            theta[f"{name}.bias"] = 0.1 * rng.standard_normal(n, np.float32)

        convolution("conv1", 3, self.widths[0], self.stem)
        normalisation("bn1", self.widths[0])
        for name, n_in, n_out, stride in self.units():
            convolution(f"{name}.conv1", n_in, n_out, 3)
            normalisation(f"{name}.bn1", n_out)
            convolution(f"{name}.conv2", n_out, n_out, 3)
            normalisation(f"{name}.bn2", n_out)
            if stride != 1 or n_in != n_out:
                convolution(f"{name}.downsample.0", n_in, n_out, 1)
                normalisation(f"{name}.downsample.1", n_out)
        n = self.widths[-1]
        theta["fc.weight"] = rng.standard_normal(
            (self.classes, n), np.float32) / np.sqrt(n)
        theta["fc.bias"] = 0.1 * rng.standard_normal(self.classes, np.float32)
        return {name: value.astype(np.float32)
                for name, value in theta.items()}

    def data(self, rng):
        """x `[batch, 3, side, side]` and labels."""
        x = rng.standard_normal((self.batch, 3, self.side, self.side),
                                np.float32)
        return {"x": x, "y": rng.integers(0, self.classes, self.batch)}

    def model(self, theta, batch):
        """The cost as an ONNX model."""
        g = Graph(self.name)
        for name, array in {**batch, **theta}.items():
            g.input(name, array)

        def convolution(h, name, stride=1):
            side = theta[f"{name}.weight"].shape[-1]
            return g.add("Conv", h, f"{name}.weight",
                         kernel_shape=[side, side], strides=[stride] * 2,
                         pads=[side // 2] * 4)

        def normalisation(h, name):
            n = len(theta[f"{name}.weight"])
            # The running statistics are read and not used.
            return g.add("BatchNormalization", h, f"{name}.weight",
                         f"{name}.bias", g.constant(np.zeros(n)),
                         g.constant(np.ones(n)), outputs=3, epsilon=EPSILON,
                         training_mode=1)[0]

        large = self.stem == 7
        h = convolution("x", "conv1", 2 if large else 1)
        h = g.add("Relu", normalisation(h, "bn1"))
        if large:
            h = g.add("MaxPool", h, kernel_shape=[3, 3], strides=[2, 2],
                      pads=[1] * 4)
        for name, _, _, stride in self.units():
            shortcut = h
            h = convolution(h, f"{name}.conv1", stride)
            h = g.add("Relu", normalisation(h, f"{name}.bn1"))
            h = normalisation(convolution(h, f"{name}.conv2"), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in theta:
                shortcut = normalisation(
                    convolution(shortcut, f"{name}.downsample.0", stride),
                    f"{name}.downsample.1")
            h = g.add("Relu", g.add("Add", h, shortcut))
        h = g.add("Flatten", g.add("GlobalAveragePool", h))
        z = g.add("Gemm", h, "fc.weight", "fc.bias", transB=1)
        return g.model(g.add("SoftmaxCrossEntropyLoss", z, "y"))

    def cost(self, p, batch):
        """The cost in PyTorch, of tensors by name."""
        from torch.nn import functional as F

        def convolution(h, name, stride=1):
            weight = p[f"{name}.weight"]
            return F.conv2d(h, weight, stride=stride,
                            padding=weight.shape[-1] // 2)

        def normalisation(h, name):
            return F.batch_norm(h, None, None, p[f"{name}.weight"],
                                p[f"{name}.bias"], training=True, eps=EPSILON)

        large = self.stem == 7
        h = convolution(batch["x"], "conv1", 2 if large else 1)
        h = F.relu(normalisation(h, "bn1"))
        h = F.max_pool2d(h, 3, 2, 1) if large else h
        for name, _, _, stride in self.units():
            shortcut = h
            h = convolution(h, f"{name}.conv1", stride)
            h = F.relu(normalisation(h, f"{name}.bn1"))
            h = normalisation(convolution(h, f"{name}.conv2"), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in p:
                shortcut = normalisation(
                    convolution(shortcut, f"{name}.downsample.0", stride),
                    f"{name}.downsample.1")
            h = F.relu(h + shortcut)
        z = F.linear(h.mean((2, 3)), p["fc.weight"], p["fc.bias"])
        return F.cross_entropy(z, batch["y"])


@dataclass(frozen=True)
class ResNet20(ResNet18):
    """Three stages of three blocks on 32 x 32, as section 4.2 of the paper,
    with 1 x 1 convolutions for its shortcuts: 272,474 parameters."""

    widths: tuple = (16, 32, 64)
    blocks: int = 3
    classes: int = 10
    batch: int = 2
    side: int = 32
    stem: int = 3

    name = "resnet-20"
    row = ("layer2.1.conv2.weight", 7)
    zero = "layer2.1.bn1.bias"
