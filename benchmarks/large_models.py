"""Writes large networks with random weights as files for gpucheck.

    python3 benchmarks/large_models.py OUT [resnet-18] [gpt2-small]
                                       [--seed 0] [--float64]

    resnet-18    11,689,512 parameters, 3 x 224 x 224, batch 2, batch
                 normalisation with the batch's statistics, cross-entropy
    gpt2-small   124,439,808 parameters, 64 tokens, tied embeddings,
                 cross-entropy of the next token; 500 MB a file

OUT/NAME/model.onnx   J the only output; x, y and every parameter are inputs
OUT/NAME/batch, parameters (float32)
OUT/NAME/gradient     right: PyTorch's autograd in float64, stored as float32,
                      or as it is with --float64
OUT/NAME/wrong-row    one row of one tensor is 1.5 times what it should be
OUT/NAME/wrong-zero   one tensor is zero
OUT/NAME/case.json    J, and where the wrong gradients are wrong

Needs numpy and onnx. Without torch no gradient is written; with onnxruntime
J of the model is held against PyTorch's.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from gpt2_small import GPT2Small  # noqa: E402
from recipes import files, onnx_names  # noqa: E402
from resnet18 import ResNet18  # noqa: E402

NETWORKS = {network.name: network for network in (ResNet18, GPT2Small)}


def say(text):
    print(f"large_models: {text}", file=sys.stderr, flush=True)


def write(network, folder, seed=0, float64=False):
    """Writes a network's files; returns `files.Files`, or None where there is
    no PyTorch to compute the gradient."""
    rng = np.random.default_rng(seed)
    theta, batch = network.parameters(rng), network.data(rng)
    count = sum(value.size for value in theta.values())
    say(f"{network.name}: {count:,} parameters")
    folder.mkdir(parents=True, exist_ok=True)
    onnx_names.save(network.model(theta, batch), folder / "model.onnx")
    files.save(folder / "batch", batch)
    files.save(folder / "parameters", theta)
    try:
        J, gradient = differentiate(network, theta, batch)
    except ImportError:
        say("no gradient is written: install torch")
        return None
    compare(folder / "model.onnx", {**batch, **theta}, J)
    if not float64:
        gradient = {name: value.astype(np.float32)
                    for name, value in gradient.items()}
    (folder / "case.json").write_text(json.dumps(
        {"cost": J, "parameters": count, "wrong": {
            "wrong-row": f"row {network.row[1]} of {network.row[0]} is 1.5 "
                         "times what it should be",
            "wrong-zero": f"{network.zero} is zero"}}, indent=2) + "\n")
    spoil(network, folder, gradient)
    return files.write(folder, "model.onnx", batch, theta, gradient, cost=J)


def spoil(network, folder, gradient):
    """Writes the wrong gradients."""
    name, row = network.row
    tensor = gradient[name].copy()
    tensor[row] *= 1.5
    files.save(folder / "wrong-row", {**gradient, name: tensor})
    files.save(folder / "wrong-zero", {
        **gradient, network.zero: np.zeros_like(gradient[network.zero])})


def differentiate(network, theta, batch):
    """J and its gradient by PyTorch's autograd in float64. Held against a
    central difference along a random direction of all parameters."""
    import torch

    p = {name: torch.from_numpy(value).double().requires_grad_()
         for name, value in theta.items()}
    b = {name: torch.from_numpy(value) for name, value in batch.items()}
    b = {name: value.double() if value.is_floating_point() else value
         for name, value in b.items()}
    J = network.cost(p, b)
    gradient = dict(zip(p, torch.autograd.grad(J, list(p.values()))))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        # Along the gradient's signs, thinned out: the slope is far from 0,
        # and so small a step crosses next to no kinks.
        direction = {name: slope.sign() * (torch.rand(
            slope.shape, generator=generator) < 0.5)
            for name, slope in gradient.items()}
        step, costs = 1e-9, []
        for move in (step, -2 * step):
            for name, value in p.items():
                value += move * direction[name]
            costs.append(network.cost(p, b).item())
        expected = (costs[0] - costs[1]) / (2 * step)
        found = sum((gradient[name] * direction[name]).sum().item()
                    for name in p)
    if abs(found - expected) > 1e-4 * abs(expected):
        raise ArithmeticError(
            f"{network.name}: autograd's slope is {found:.9g}, a central "
            f"difference gives {expected:.9g}")
    return J.item(), {name: slope.numpy() for name, slope in gradient.items()}


def compare(path, tensors, J):
    """Holds the model's J against PyTorch's where onnxruntime is installed."""
    try:
        import onnxruntime
    except ImportError:
        say("J of the model is not compared: no onnxruntime")
        return
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"])
    found = float(session.run(None, tensors)[0])
    if abs(found - J) > 1e-5 * abs(J):
        raise ArithmeticError(f"{path}: J is {found:.9g} by onnxruntime and "
                              f"{J:.9g} by PyTorch")
    say(f"J = {J:.9g}; onnxruntime in float32 gives {found:.9g}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", nargs="*", metavar="NETWORK",
                        help=f"some of {', '.join(NETWORKS)}; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float64", action="store_true",
                        help="store the gradient in float64")
    arguments = parser.parse_args()
    for name in arguments.networks:
        if name not in NETWORKS:
            parser.error(f"no network '{name}'; there are "
                         f"{', '.join(NETWORKS)}")
    for name in arguments.networks or NETWORKS:
        write(NETWORKS[name](), arguments.out / name, arguments.seed,
              arguments.float64)


if __name__ == "__main__":
    main()
