"""Writes one of the benchmark networks as files, with its exact gradient.

    python3 benchmarks/export_net.py M OUT [--batch 32] [--f32]

    S   64-32-10, tanh          M   784-128-10, tanh
    L   784-256-128-10, tanh    Mr  M with ReLU and 80 % of the inputs zero
    D   64, eight layers of 128, 10, tanh

OUT/model.json              the network: mean softmax cross-entropy
OUT/batch.npz               x [batch, inputs], y [batch] int64
OUT/parameters.npz          W1 [out, in], b1 [out], W2, ...
OUT/gradient.npz            exact back-propagation, float64, same names
OUT/theta.npy, dtheta.npy   the same, flat: W1 row by row, b1, W2, b2, ...
"""

import argparse
import json
from pathlib import Path

import numpy as np

NETWORKS = {
    "S": ([64, 32, 10], "tanh"),
    "M": ([784, 128, 10], "tanh"),
    "Mr": ([784, 128, 10], "relu"),
    "L": ([784, 256, 128, 10], "tanh"),
    "D": ([64] + [128] * 8 + [10], "tanh"),
}
ZERO_INPUTS = {"Mr": 0.8}


def make(name, batch):
    """Random parameters, x `[batch, inputs]` and labels of a network."""
    return draw(*NETWORKS[name], batch, ZERO_INPUTS.get(name, 0))


def draw(sizes, activation, batch, zeros=0):
    """The same for any sizes; `zeros` is the share of inputs that are 0."""
    gain = np.sqrt(2.0) if activation == "relu" else 1.0
    rng = np.random.default_rng(0)
    theta = {}
    for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), 1):
        weights = rng.standard_normal((n_out, n_in))
        theta[f"W{k}"] = weights * gain / np.sqrt(n_in)
        theta[f"b{k}"] = 0.1 * rng.standard_normal(n_out)
    x = rng.standard_normal((sizes[0], batch))
    y = rng.integers(0, sizes[-1], batch)
    if zeros > 0:
        x[rng.random(x.shape) < zeros] = 0
    return theta, np.ascontiguousarray(x.T), y


def describe(sizes, activation):
    """The network file."""
    last = len(sizes) - 1
    layers = [{"units": sizes[k],
               "activation": "identity" if k == last else activation,
               "weights": f"W{k}", "biases": f"b{k}"}
              for k in range(1, last + 1)]
    return {"schema": "gpucheck.network/1", "inputs": sizes[0],
            "weightLayout": "[out, in]", "layers": layers,
            "loss": {"type": "softmax-cross-entropy", "batch": "mean"}}


def gradient(theta, x, y, activation):
    """Back-propagation of the mean softmax cross-entropy."""
    depth = len(theta) // 2
    a = [x]
    for k in range(1, depth + 1):
        z = a[-1] @ theta[f"W{k}"].T + theta[f"b{k}"]
        if k < depth:
            a.append(np.tanh(z) if activation == "tanh"
                     else np.maximum(z, 0))
    dz = np.exp(z - z.max(axis=1, keepdims=True))
    dz /= dz.sum(axis=1, keepdims=True)
    dz[np.arange(len(y)), y] -= 1
    dz /= len(y)
    result = {}
    for k in range(depth, 0, -1):
        result[f"W{k}"] = dz.T @ a[k - 1]
        result[f"b{k}"] = dz.sum(axis=0)
        if k > 1:
            slope = (1 - a[k - 1] ** 2 if activation == "tanh"
                     else a[k - 1] > 0)
            dz = (dz @ theta[f"W{k}"]) * slope
    return {name: result[name] for name in theta}


def flat(tensors):
    """All tensors as one vector, in their order."""
    return np.concatenate([value.ravel() for value in tensors.values()])


def write(folder, sizes, activation, theta, x, y, real=np.float64):
    """Writes a network's files; returns theta as stored, and dtheta."""
    theta = {name: value.astype(real) for name, value in theta.items()}
    x = x.astype(real)
    exact = gradient(
        {name: value.astype(np.float64) for name, value in theta.items()},
        x.astype(np.float64), y, activation)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(describe(sizes, activation), indent=2)
    (folder / "model.json").write_text(text + "\n")
    np.savez(folder / "batch.npz", x=x, y=y)
    np.savez(folder / "parameters.npz", **theta)
    np.savez(folder / "gradient.npz", **exact)
    return theta, exact


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--f32", action="store_true",
                        help="round parameters and x to float32")
    args = parser.parse_args()

    theta, x, y = make(args.network, args.batch)
    theta, exact = write(args.out, *NETWORKS[args.network], theta, x, y,
                         np.float32 if args.f32 else np.float64)
    np.save(args.out / "theta.npy", flat(theta))
    np.save(args.out / "dtheta.npy", flat(exact))


if __name__ == "__main__":
    main()
