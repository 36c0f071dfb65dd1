"""LeNet-5 (LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf)
on 28 x 28, as it is taught today: tanh, average pooling, dense layers after the
second convolution, cross-entropy over 10 classes. 61,706 parameters, random."""

from dataclasses import dataclass

import numpy as np

from onnx_graph import Graph


@dataclass(frozen=True)
class LeNet:
    """Its sizes; others than these make a network of the same kind."""

    channels: tuple = (1, 6, 16)
    dense: tuple = (120, 84, 10)
    batch: int = 32
    side: int = 28

    name = "lenet"
    # Where the wrong gradients are wrong.
    row = ("conv2.weight", 3)
    zero = "fc1.bias"

    def parameters(self, rng):
        """Random parameters by name, float32."""
        theta = {}

        def layer(name, n_out, *rest):
            theta[f"{name}.weight"] = rng.standard_normal(
                (n_out, *rest), np.float32) / np.float32(np.sqrt(
                    np.prod(rest)))
            theta[f"{name}.bias"] = np.float32(0.1) * rng.standard_normal(
                n_out, np.float32)

        for k, (n_in, n_out) in enumerate(
                zip(self.channels, self.channels[1:]), 1):
            layer(f"conv{k}", n_out, n_in, 5, 5)
        before = self.channels[-1] * ((self.side // 2 - 4) // 2) ** 2
        for k, n in enumerate(self.dense, 1):
            layer(f"fc{k}", n, before)
            before = n
        return theta

    def data(self, rng):
        """x `[batch, 1, side, side]` and labels."""
        shape = (self.batch, self.channels[0], self.side, self.side)
        return {"x": rng.standard_normal(shape, np.float32),
                "y": rng.integers(0, self.dense[-1], self.batch)}

    def model(self, theta, batch):
        """The cost as an ONNX model."""
        g = Graph(self.name)
        for name, array in {**batch, **theta}.items():
            g.input(name, array)
        h = "x"
        # The first convolution keeps the side, the second does not.
        for name, pad in (("conv1", 2), ("conv2", 0)):
            h = g.add("Conv", h, f"{name}.weight", f"{name}.bias",
                      kernel_shape=[5, 5], pads=[pad] * 4)
            h = g.add("AveragePool", g.add("Tanh", h), kernel_shape=[2, 2],
                      strides=[2, 2])
        h = g.add("Flatten", h)
        for k in range(1, len(self.dense) + 1):
            h = g.add("Gemm", h, f"fc{k}.weight", f"fc{k}.bias", transB=1)
            h = g.add("Tanh", h) if k < len(self.dense) else h
        return g.model(g.add("SoftmaxCrossEntropyLoss", h, "y"))

    def cost(self, p, batch):
        """The cost in PyTorch, of tensors by name."""
        import torch
        from torch.nn import functional as F

        h = batch["x"]
        for name, pad in (("conv1", 2), ("conv2", 0)):
            h = F.conv2d(h, p[f"{name}.weight"], p[f"{name}.bias"],
                         padding=pad)
            h = F.avg_pool2d(torch.tanh(h), 2)
        h = h.flatten(1)
        for k in range(1, len(self.dense) + 1):
            h = F.linear(h, p[f"fc{k}.weight"], p[f"fc{k}.bias"])
            h = torch.tanh(h) if k < len(self.dense) else h
        return F.cross_entropy(h, batch["y"])
