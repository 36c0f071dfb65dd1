"""The benchmark networks as the peers see them: θ, a gradient, and the cost
in each library, all in float64.

A problem has `tensors` by name, `exact` (dJ/dθ as one vector), `torch_cost()`
and `jax_cost()`, functions of tensors by name, and the `block` of perturbations
that JAX evaluates at once.
"""

import numpy as np

import export_net
import models


def flat(tensors):
    """All tensors as one vector, in their order."""
    return export_net.flat(tensors)


class Dense:
    """A network of export_net.py, or any of dense layers."""

    block = 64

    def __init__(self, sizes, activation, theta, x, y):
        self.sizes, self.activation = sizes, activation
        self.tensors, self.x, self.y = theta, x, y
        self.exact = flat(export_net.gradient(theta, x, y, activation))

    def layers(self, theta):
        """Views of a flat theta: W [out, in] and b [out] of each layer."""
        result, at = [], 0
        for n_in, n_out in zip(self.sizes, self.sizes[1:]):
            end = at + n_in * n_out
            result.append((theta[at:end].reshape(n_out, n_in),
                           theta[end:end + n_out]))
            at = end + n_out
        return result

    def cost(self, layers):
        """J, the mean softmax cross-entropy, in NumPy."""
        a = self.x
        for number, (w, b) in enumerate(layers, 1):
            a = a @ w.T + b
            if number < len(layers):
                a = (np.tanh(a) if self.activation == "tanh"
                     else np.maximum(a, 0))
        a = a - a.max(axis=1, keepdims=True)
        logarithm = np.log(np.exp(a).sum(axis=1))
        return float((logarithm - a[np.arange(len(self.y)), self.y]).mean())

    def torch_cost(self, device):
        import torch
        x = torch.tensor(self.x, device=device)
        y = torch.tensor(self.y, device=device)
        act = torch.tanh if self.activation == "tanh" else torch.relu
        depth = len(self.sizes) - 1

        def cost(p):
            a = x
            for k in range(1, depth + 1):
                a = torch.nn.functional.linear(a, p[f"W{k}"], p[f"b{k}"])
                a = act(a) if k < depth else a
            return torch.nn.functional.cross_entropy(a, y)
        return cost

    def jax_cost(self):
        import jax
        import jax.numpy as jnp
        x, y = jnp.asarray(self.x), jnp.asarray(self.y)
        act = jnp.tanh if self.activation == "tanh" else jax.nn.relu
        depth = len(self.sizes) - 1

        def cost(p):
            a = x
            for k in range(1, depth + 1):
                a = a @ p[f"W{k}"].T + p[f"b{k}"]
                a = act(a) if k < depth else a
            logarithm = jax.scipy.special.logsumexp(a, axis=1)
            return (logarithm - a[jnp.arange(len(y)), y]).mean()
        return cost


class Model:
    """A network of models.py, from the files in a folder."""

    block = 8

    def __init__(self, name, folder):
        self.network = models.networks()[name]
        batch, theta, gradient = (
            load(folder, stem) for stem in ("batch", "parameters", "gradient"))
        self.batch = {key: value.astype(np.float64)
                      if value.dtype.kind == "f" else value
                      for key, value in batch.items()}
        self.tensors = {key: value.astype(np.float64)
                        for key, value in theta.items()}
        self.exact = flat({key: gradient[key] for key in theta})

    def torch_cost(self, device):
        import torch
        batch = {key: torch.tensor(value, device=device)
                 for key, value in self.batch.items()}
        return lambda p: self.network.cost(p, batch)

    def jax_cost(self):
        import jax.numpy as jnp
        import jax_costs
        batch = {key: jnp.asarray(value)
                 for key, value in self.batch.items()}
        cost = jax_costs.COSTS[self.network.name]
        return lambda p: cost(self.network, p, batch)


def load(folder, stem):
    """Tensors by name, of the one file with this stem."""
    path, = folder.glob(f"{stem}.*")
    if path.suffix == ".npz":
        return dict(np.load(path))
    from safetensors.numpy import load_file
    return load_file(path)


def make(name, folder):
    """The problem of a benchmark network."""
    if name in export_net.NETWORKS:
        return Dense(*export_net.NETWORKS[name], *export_net.make(name, 32))
    return Model(name, folder)
