"""The costs of models.py in JAX, of tensors by name."""

import jax
import jax.numpy as jnp
from jax import lax

EPSILON = 1e-5


def cross_entropy(z, y):
    """The mean over rows of z."""
    return (jax.scipy.special.logsumexp(z, axis=1)
            - z[jnp.arange(len(y)), y]).mean()


def convolution(h, w, stride=1, pad=0):
    """Of images [batch, channels, side, side]."""
    return lax.conv_general_dilated(
        h, w, (stride, stride), [(pad, pad)] * 2,
        dimension_numbers=("NCHW", "OIHW", "NCHW"))


def lenet(network, p, batch):
    """As LeNet.cost."""
    h = batch["x"]
    for name, pad in (("conv1", 2), ("conv2", 0)):
        h = convolution(h, p[f"{name}.weight"], pad=pad)
        h = jnp.tanh(h + p[f"{name}.bias"][:, None, None])
        n, c, side, _ = h.shape
        h = h.reshape(n, c, side // 2, 2, side // 2, 2).mean((3, 5))
    h = h.reshape(len(h), -1)
    for k in range(1, len(network.dense) + 1):
        h = h @ p[f"fc{k}.weight"].T + p[f"fc{k}.bias"]
        h = jnp.tanh(h) if k < len(network.dense) else h
    return cross_entropy(h, batch["y"])


def resnet(network, p, batch):
    """As ResNet20.cost."""

    def unit(h, name, norm, stride=1):
        w = p[f"{name}.weight"]
        h = convolution(h, w, stride, w.shape[-1] // 2)
        centred = h - h.mean((0, 2, 3), keepdims=True)
        variance = (centred ** 2).mean((0, 2, 3), keepdims=True)
        h = centred / jnp.sqrt(variance + EPSILON)
        return h * p[f"{norm}.weight"][:, None, None] \
            + p[f"{norm}.bias"][:, None, None]

    h = jax.nn.relu(unit(batch["x"], "conv1", "bn1"))
    for name, _, _, stride in network.units():
        shortcut = h
        h = jax.nn.relu(unit(h, f"{name}.conv1", f"{name}.bn1", stride))
        h = unit(h, f"{name}.conv2", f"{name}.bn2")
        if f"{name}.downsample.0.weight" in p:
            shortcut = unit(shortcut, f"{name}.downsample.0",
                            f"{name}.downsample.1", stride)
        h = jax.nn.relu(h + shortcut)
    z = h.mean((2, 3)) @ p["fc.weight"].T + p["fc.bias"]
    return cross_entropy(z, batch["y"])


def gpt(network, p, batch):
    """As GPT2Small.cost."""
    from gpt2_small import GELU_CUBIC, GELU_SCALE
    n, t = network.width, network.tokens

    def normalisation(h, name):
        centred = h - h.mean(-1, keepdims=True)
        variance = (centred ** 2).mean(-1, keepdims=True)
        return centred / jnp.sqrt(variance + EPSILON) \
            * p[f"{name}.weight"] + p[f"{name}.bias"]

    def linear(h, name):
        return h @ p[f"{name}.weight"] + p[f"{name}.bias"]

    def heads(h):
        return h.reshape(t, network.heads, -1).transpose(1, 0, 2)

    h = p["wte.weight"][batch["x"][0]] + p["wpe.weight"][:t]
    future = jnp.triu(jnp.ones((t, t), bool), 1)
    for layer in range(network.layers):
        name = f"h.{layer}"
        q, k, v = map(heads, jnp.split(linear(
            normalisation(h, f"{name}.ln_1"), f"{name}.attn.c_attn"), 3, -1))
        scores = q @ k.transpose(0, 2, 1) / (n // network.heads) ** 0.5
        weights = jax.nn.softmax(jnp.where(future, -jnp.inf, scores), -1)
        h = h + linear((weights @ v).transpose(1, 0, 2).reshape(t, n),
                       f"{name}.attn.c_proj")
        a = linear(normalisation(h, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        a = a / 2 * (1 + jnp.tanh(GELU_SCALE * (a + GELU_CUBIC * a ** 3)))
        h = h + linear(a, f"{name}.mlp.c_proj")
    return cross_entropy(
        normalisation(h, "ln_f") @ p["wte.weight"].T, batch["y"][0])


COSTS = {"lenet": lenet, "resnet-20": resnet, "gpt2-small": gpt}
