"""Times one of the peers on one of the benchmark networks, in float64.

    python3 benchmarks/peers.py PEER NETWORK [--runs 3] [--budget 10]

loop      NumPy, one parameter at a time, moved in place (cs231n)
course    NumPy, theta copied for each evaluation (deeplearning.ai)
torch     torch.autograd.gradcheck of every parameter; needs torch
jax       jit of vmap over blocks of perturbations; needs jax

Prints one JSON object. Where all parameters would take longer than the
budget, in seconds a run, a random subset is timed: `checked` says how many.
Imports, compilation and a first small run are not timed. Exit status 3: the
peer's package is not installed.
"""

import argparse
import importlib.util
import json
import platform
import sys
import time

import numpy as np

import export_net

EPSILON = 1e-5
PACKAGES = {"loop": "numpy", "course": "numpy",
            "torch": "torch", "jax": "jax"}


class Network:
    """A benchmark network: its batch, theta as one vector, and dtheta."""

    def __init__(self, name):
        theta, self.x, self.y = export_net.make(name, 32)
        self.sizes, self.activation = export_net.NETWORKS[name]
        self.tensors = theta
        self.theta = export_net.flat(theta)
        self.exact = export_net.flat(export_net.gradient(
            theta, self.x, self.y, self.activation))

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
        """J: the mean softmax cross-entropy."""
        a = self.x
        for number, (w, b) in enumerate(layers, 1):
            a = a @ w.T + b
            if number < len(layers):
                a = (np.tanh(a) if self.activation == "tanh"
                     else np.maximum(a, 0))
        a = a - a.max(axis=1, keepdims=True)
        logarithm = np.log(np.exp(a).sum(axis=1))
        return float((logarithm - a[np.arange(len(self.y)), self.y]).mean())


class Loop:
    """theta[i] moved in place."""

    def __init__(self, network):
        self.network = network
        self.theta = network.theta.copy()

    def differences(self, indices):
        """The central differences of these components."""
        theta, cost = self.theta, self.network.cost
        layers = self.network.layers(theta)
        result = np.empty(len(indices))
        for n, i in enumerate(indices):
            old = theta[i]
            theta[i] = old + EPSILON
            plus = cost(layers)
            theta[i] = old - EPSILON
            minus = cost(layers)
            theta[i] = old
            result[n] = (plus - minus) / (2 * EPSILON)
        return result


class Course:
    """A copy of theta for each evaluation."""

    def __init__(self, network):
        self.network = network

    def differences(self, indices):
        """The central differences of these components."""
        network = self.network
        result = np.empty(len(indices))
        for n, i in enumerate(indices):
            plus = np.copy(network.theta)
            plus[i] += EPSILON
            minus = np.copy(network.theta)
            minus[i] -= EPSILON
            result[n] = (network.cost(network.layers(plus))
                         - network.cost(network.layers(minus))
                         ) / (2 * EPSILON)
        return result


class Jax:
    """vmap of the whole cost over blocks of perturbations, compiled."""

    block = 64

    def __init__(self, network):
        import jax
        jax.config.update("jax_enable_x64", True)
        import jax.numpy as jnp
        act = jnp.tanh if network.activation == "tanh" else jax.nn.relu
        x, y = jnp.asarray(network.x), jnp.asarray(network.y)
        self.theta, self.jnp = jnp.asarray(network.theta), jnp

        def cost(theta):
            a, layers = x, network.layers(theta)
            for number, (w, b) in enumerate(layers, 1):
                a = a @ w.T + b
                a = act(a) if number < len(layers) else a
            logarithm = jax.scipy.special.logsumexp(a, axis=1)
            return (logarithm - a[jnp.arange(len(y)), y]).mean()

        def difference(theta, i):
            plus = cost(theta.at[i].add(EPSILON))
            minus = cost(theta.at[i].add(-EPSILON))
            return (plus - minus) / (2 * EPSILON)

        blockwise = jax.vmap(difference, in_axes=(None, 0))
        self.sweep = jax.jit(lambda theta, blocks: jax.lax.map(
            lambda block: blockwise(theta, block), blocks))

    def differences(self, indices):
        """The central differences of these components."""
        rest = -len(indices) % self.block
        padded = np.concatenate([indices, np.zeros(rest, indices.dtype)])
        blocks = self.jnp.asarray(padded.reshape(-1, self.block))
        result = np.asarray(self.sweep(self.theta, blocks))
        return result.ravel()[:len(indices)]


class Torch:
    """gradcheck, slow mode: every component of its inputs.

    A subset is the biases: each of their perturbations costs one whole
    forward pass, as those of the weights do. It has its own comparison and
    returns nothing to compare.
    """

    def __init__(self, network):
        import torch
        self.torch, self.network = torch, network
        self.x = torch.tensor(network.x)
        self.y = torch.tensor(network.y)
        self.act = (torch.tanh if network.activation == "tanh"
                    else torch.relu)
        self.names = list(network.tensors)
        self.biases = [n for n in self.names if n.startswith("b")]

    def check(self, names):
        """gradcheck of these tensors; how many components they have."""
        torch, tensors = self.torch, self.network.tensors
        fixed = {n: torch.tensor(v) for n, v in tensors.items()}
        inputs = [torch.tensor(tensors[n], requires_grad=True)
                  for n in names]

        def cost(*values):
            theta = {**fixed, **dict(zip(names, values))}
            depth = len(theta) // 2
            a = self.x
            for k in range(1, depth + 1):
                a = torch.nn.functional.linear(
                    a, theta[f"W{k}"], theta[f"b{k}"])
                a = self.act(a) if k < depth else a
            return torch.nn.functional.cross_entropy(a, self.y)

        torch.autograd.gradcheck(cost, inputs, eps=EPSILON,
                                 atol=1e-6, rtol=1e-3)
        return sum(tensors[n].size for n in names)


def timed(work):
    """Seconds that a call takes, and its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def run_torch(network, args):
    """gradcheck of everything, or of the biases where that is too slow."""
    peer = Torch(network)
    peer.check(peer.biases[-1:])
    pilot, count = timed(lambda: peer.check(peer.biases))
    whole = pilot / count * network.theta.size <= args.budget
    names = peer.names if whole else peer.biases
    runs = [timed(lambda: peer.check(names)) for _ in range(args.runs)]
    return [seconds for seconds, _ in runs], runs[0][1], None


def run_differences(peer, network, args):
    """A random subset that fits the budget, or every component."""
    size = network.theta.size
    order = np.random.default_rng(1).permutation(size)
    pilot = order[:64]
    peer.differences(pilot)
    seconds, _ = timed(lambda: peer.differences(pilot))
    fit = max(len(pilot), int(args.budget / seconds * len(pilot)))
    indices = np.sort(order[:fit]) if fit < size else np.arange(size)
    if isinstance(peer, Jax):
        peer.differences(indices)  # compiled for these shapes
    runs = [timed(lambda: peer.differences(indices))
            for _ in range(args.runs)]
    numeric, exact = runs[-1][1], network.exact[indices]
    distance = np.linalg.norm(numeric - exact) / (
        np.linalg.norm(numeric) + np.linalg.norm(exact))
    return [s for s, _ in runs], len(indices), float(distance)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=list(PACKAGES))
    parser.add_argument("network", choices=list(export_net.NETWORKS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--budget", type=float, default=10)
    args = parser.parse_args()

    package = PACKAGES[args.peer]
    if importlib.util.find_spec(package) is None:
        print(f"{package} is not installed", file=sys.stderr)
        sys.exit(3)
    network = Network(args.network)
    if args.peer == "torch":
        seconds, checked, distance = run_torch(network, args)
    else:
        peer = {"loop": Loop, "course": Course, "jax": Jax}[args.peer]
        seconds, checked, distance = run_differences(
            peer(network), network, args)
    version = importlib.import_module(package).__version__
    print(json.dumps({
        "peer": args.peer, "network": args.network,
        "parameters": int(network.theta.size), "checked": int(checked),
        "seconds": seconds, "relativeDifference": distance,
        "package": f"{package} {version}",
        "python": platform.python_version()}))


if __name__ == "__main__":
    main()
