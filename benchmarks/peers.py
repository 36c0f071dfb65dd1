"""Times one of the peers on one of the benchmark networks, in float64.

    python3 benchmarks/peers.py PEER NETWORK [--files FOLDER] [--runs 3]
                                [--budget 10]

loop      NumPy, one parameter at a time, moved in place (cs231n)
course    NumPy, theta copied for each evaluation (deeplearning.ai)
torch     torch.autograd.gradcheck of every parameter; needs torch
vmap      torch.func.vmap over blocks of perturbations; needs torch
jax       jit of vmap over blocks of perturbations; needs jax

Prints one JSON object. Where all parameters would take longer than the
budget, in seconds a run, a random subset is timed: `checked` says how many.
Imports, compilation and a first small run are not timed. Networks of ONNX
models come from the files in FOLDER, and have no loop in NumPy. --device cuda
has torch work on a GPU; JAX takes one where it finds it, and --block says how
much to give either at once. Exit status 3: the peer's package is not installed, or
there is no such peer for the network.
"""

import argparse
import importlib.util
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

import cases
import problems

EPSILON = 1e-5
# gradcheck differentiates a few times besides: with at least so many
# components that is little.
LEAST = 64
PACKAGES = {"loop": "numpy", "course": "numpy",
            "torch": "torch", "vmap": "torch", "jax": "jax"}


class Loop:
    """theta[i] moved in place."""

    def __init__(self, problem):
        self.problem, self.theta = problem, problems.flat(problem.tensors)

    def differences(self, indices):
        """The central differences of these components."""
        theta, cost = self.theta, self.problem.cost
        layers = self.problem.layers(theta)
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

    def __init__(self, problem):
        self.problem, self.theta = problem, problems.flat(problem.tensors)

    def differences(self, indices):
        """The central differences of these components."""
        problem = self.problem
        result = np.empty(len(indices))
        for n, i in enumerate(indices):
            plus = np.copy(self.theta)
            plus[i] += EPSILON
            minus = np.copy(self.theta)
            minus[i] -= EPSILON
            result[n] = (problem.cost(problem.layers(plus))
                         - problem.cost(problem.layers(minus))
                         ) / (2 * EPSILON)
        return result


def of_vector(tensors, cost):
    """A cost of tensors by name as one of theta, all of them in a row."""

    def whole(theta):
        p, at = {}, 0
        for name, value in tensors.items():
            p[name] = theta[at:at + value.size].reshape(value.shape)
            at += value.size
        return cost(p)

    return whole


class Jax:
    """vmap of the whole cost over blocks of perturbations, compiled."""

    def __init__(self, problem, block=None):
        import jax
        jax.config.update("jax_enable_x64", True)
        import jax.numpy as jnp
        cost = of_vector(problem.tensors, problem.jax_cost())
        self.theta = jnp.asarray(problems.flat(problem.tensors))
        self.jnp, self.block = jnp, block or problem.block

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


class TorchVmap:
    """vmap of the whole cost over blocks of perturbations."""

    def __init__(self, problem, device, block=None):
        import torch
        cost = of_vector(problem.tensors, problem.torch_cost(device))
        self.torch, self.device = torch, device
        self.block = block or problem.block
        theta = torch.tensor(problems.flat(problem.tensors), device=device)
        places = torch.arange(theta.numel(), device=device)

        def difference(i):
            step = EPSILON * (places == i)
            return (cost(theta + step) - cost(theta - step)) / (2 * EPSILON)

        self.blockwise = torch.func.vmap(difference)

    def differences(self, indices):
        """The central differences of these components."""
        torch = self.torch
        with torch.no_grad():
            blocks = torch.tensor(indices, device=self.device).split(
                self.block)
            return torch.cat([self.blockwise(block) for block in blocks]) \
                .cpu().numpy()


class Torch:
    """gradcheck, slow mode: every component of its inputs.

    A subset is some of the biases and other vectors: each of their
    perturbations costs one whole forward pass, as those of the matrices do.
    It has its own comparison and returns nothing to compare.
    """

    def __init__(self, problem, device):
        import torch
        self.torch, self.tensors = torch, problem.tensors
        self.cost, self.device = problem.torch_cost(device), device
        self.vectors = sorted(
            (name for name, value in self.tensors.items() if value.ndim == 1),
            key=lambda name: self.tensors[name].size)

    def some(self, fits):
        """Vectors of so many components in all, but of at least the least."""
        names, count = [], 0
        for name in self.vectors:
            more = self.tensors[name].size
            if count >= LEAST and count + more > fits:
                break
            names.append(name)
            count += more
        return names

    def check(self, names):
        """gradcheck of these tensors; how many components they have."""
        torch = self.torch
        fixed = {name: torch.tensor(value, device=self.device)
                 for name, value in self.tensors.items()}
        inputs = [fixed[name].clone().requires_grad_() for name in names]
        torch.autograd.gradcheck(
            lambda *values: self.cost({**fixed, **dict(zip(names, values))}),
            inputs, eps=EPSILON, atol=1e-6, rtol=1e-3)
        return sum(value.numel() for value in inputs)


def timed(work):
    """Seconds that a call takes, and its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def run_torch(peer, size, args):
    """gradcheck of everything, or of vectors where that is too slow."""
    peer.check(peer.vectors[:1])
    pilot, count = timed(lambda: peer.check(peer.some(LEAST)))
    fits = args.budget / pilot * count
    names = list(peer.tensors) if size <= fits else peer.some(fits)
    runs = [timed(lambda: peer.check(names)) for _ in range(args.runs)]
    return [seconds for seconds, _ in runs], runs[0][1], None


def run_differences(peer, exact, args):
    """A random subset that fits the budget, or every component."""
    size = exact.size
    order = np.random.default_rng(1).permutation(size)
    pilot = order[:getattr(peer, "block", 64)]
    peer.differences(pilot)
    seconds, _ = timed(lambda: peer.differences(pilot))
    fit = max(len(pilot), int(args.budget / seconds * len(pilot)))
    indices = np.sort(order[:fit]) if fit < size else np.arange(size)
    if isinstance(peer, Jax) and len(indices) > len(pilot):
        peer.differences(indices)  # compiled for these shapes
    runs = [timed(lambda: peer.differences(indices))
            for _ in range(args.runs)]
    numeric, exact = runs[-1][1], exact[indices]
    distance = np.linalg.norm(numeric - exact) / (
        np.linalg.norm(numeric) + np.linalg.norm(exact))
    return [s for s, _ in runs], len(indices), float(distance)


def measure(name, problem, args):
    """The seconds of each run, components checked, and the distance."""
    if name == "torch":
        return run_torch(Torch(problem, args.device), problem.exact.size,
                         args)
    if name == "jax":
        peer = Jax(problem, args.block)
    elif name == "vmap":
        peer = TorchVmap(problem, args.device, args.block)
    else:
        peer = {"loop": Loop, "course": Course}[name](problem)
    return run_differences(peer, problem.exact, args)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=list(PACKAGES))
    parser.add_argument("network", choices=cases.NAMES)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--budget", type=float, default=10)
    parser.add_argument("--device", default="cpu", help="of torch")
    parser.add_argument("--block", type=int,
                        help="perturbations evaluated at once")
    args = parser.parse_args()

    package = PACKAGES[args.peer]
    if importlib.util.find_spec(package) is None:
        print(f"{package} is not installed", file=sys.stderr)
        sys.exit(3)
    problem = problems.make(args.network, args.files)
    if package == "numpy" and not isinstance(problem, problems.Dense):
        print(f"no NumPy loop of {args.network}", file=sys.stderr)
        sys.exit(3)
    seconds, checked, distance = measure(args.peer, problem, args)
    version = importlib.import_module(package).__version__
    print(json.dumps({
        "peer": args.peer, "network": args.network,
        "parameters": int(problem.exact.size), "checked": int(checked),
        "seconds": seconds, "relativeDifference": distance,
        "package": f"{package} {version}",
        "python": platform.python_version()}))


if __name__ == "__main__":
    main()
