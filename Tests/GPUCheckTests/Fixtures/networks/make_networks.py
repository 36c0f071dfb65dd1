"""Writes the network fixtures: costs and gradients from NumPy.

    pip install numpy scipy mpmath
    python3 make_networks.py

A case is a folder with model.json, batch.npz, parameters.npz, gradient.npz
(float64) and gradient-f32.npz (float32 throughout). cases.json lists them:

    about        what the case is there for
    cost         J, correctly rounded to double
    bar          relative error that an evaluation of J in double may have
    parameters   how many numbers the parameters hold
    tensors      their names, in the network's order
    kinks        whether J has kinks (ReLU-like pieces, hinges, l1)
    tied         tensors whose entries sit on a kink: the gradient follows
                 relu'(0) = 0, a central difference does not
    zero         tensors whose gradient is zero (bit by bit, or up to rounding
                 where the terms of the samples cancel)

cases.py is the table of cases. backpropagation.py computes J and its gradient
by hand. Every cost, and every component of every gradient, is held to
differences of a second evaluation at 60 digits (definition.py) before anything
is written. Parameters, inputs and targets are rounded to float32 first, so
that every precision sees the same numbers.
"""

import json
import math
import shutil
from pathlib import Path

import numpy as np

from backpropagation import CLASS_LOSSES, cost_and_gradient, has_kinks
from cases import all_cases, single
from definition import precise_gradient

FOLDER = Path(__file__).resolve().parent

# How far from every kink a case must stay (tied ones apart).
KINK_GAP = 1e-2
# What float32 may be off, as a distance of whole gradients.
SINGLE_BAR = 2e-6


def draw(model, rng, batch, gain):
    """Random parameters and a random batch for a network."""
    theta, width = {}, model["inputs"]
    data = {"x": single(rng.standard_normal((batch, width)))}
    for layer in model["layers"]:
        units = layer["units"]
        w = rng.standard_normal((units, width)) * gain / math.sqrt(width)
        if model["weightLayout"] == "[in, out]":
            w = w.T.copy()
        theta[layer["weights"]] = single(w)
        if layer["biases"]:
            theta[layer["biases"]] = single(0.3 * rng.standard_normal(units))
        width = units
    kind, shape = model["loss"]["type"], (batch, width)
    if kind in CLASS_LOSSES:
        y = rng.integers(0, width, batch)
    elif kind == "hinge":
        y = rng.choice([-1.0, 1.0], shape)
    elif kind.startswith("binary"):
        y = rng.choice([0.0, 0.25, 1.0], shape)
    else:
        y = single(rng.standard_normal(shape))
    data["y"] = y
    return theta, data


def build(case):
    """Parameters, batch, J and gradient, at a safe distance from kinks."""
    model = case["model"]
    for seed in range(10_000):
        rng = np.random.default_rng([case["number"], seed])
        theta, data = draw(model, rng, case["batch"], case["gain"])
        if case["edit"] and case["edit"](theta, data, rng):
            continue
        theta = {name: single(value) for name, value in theta.items()}
        total, gradient, gap = cost_and_gradient(model, theta, data)
        if gap > KINK_GAP or case["tied"]:
            return theta, data, total, gradient
    raise AssertionError(f"{case['name']}: no draw will do")


def single_gradient(model, theta, data):
    """The gradient with every number and every step in float32."""
    def narrow(tensors):
        return {name: value.astype(np.float32) if value.dtype == np.float64
                else value for name, value in tensors.items()}
    _, gradient, _ = cost_and_gradient(model, narrow(theta), narrow(data))
    assert all(g.dtype == np.float32 for g in gradient.values())
    return gradient


def verify(case, theta, data, total, gradient):
    """Holds J and the gradient to 60 digits; returns J correctly rounded.

    The bar is a quarter of the case's: relative for J, and relative to the
    largest component for the gradient.
    """
    name, model, bar = case["name"], case["model"], case["bar"] / 4
    exact_cost, exact = precise_gradient(model, theta, data)
    error = float(abs(total - exact_cost) / exact_cost)
    assert error <= bar, f"{name}: J is {error} off"
    largest = max(abs(exact[t]).max() for t in exact if t not in case["tied"])
    worst = 0.0
    for tensor, right in exact.items():
        own = gradient[tensor].ravel()
        if tensor in case["tied"]:
            assert not own.any(), f"{name}: {tensor} is not zero"
            assert right.any(), f"{name}: {tensor} is not tied"
            continue
        if tensor in case["zero"]:
            assert abs(right).max() < 1e-30, f"{name}: {tensor} is not zero"
        if case["dead"]:
            assert not own[right == 0].any(), f"{name}: {tensor} is alive"
        # Where all of it cancels, terms of order 0.1 bound the rounding.
        scale = largest if largest > 1e-30 else 0.1
        worst = max(worst, abs(own - right).max() / scale)
    assert worst <= bar, f"{name}: gradient is {worst} off"
    return float(exact_cost), error, worst


def distance(a, b):
    """|a - b| / (|a| + |b|), over all tensors; 0 for two zeros."""
    a, b = (np.concatenate([g[name].ravel().astype(np.float64) for name in a])
            for g in (a, b))
    norms = np.linalg.norm(a) + np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / norms) if norms else 0.0


def write(case):
    """Builds, verifies and writes a case; returns its line of cases.json."""
    model = case["model"]
    theta, data, total, gradient = build(case)
    cost, cost_error, error = verify(case, theta, data, total, gradient)
    narrow = single_gradient(model, theta, data)
    apart = distance(gradient, narrow)
    if not case["cancels"]:
        assert apart <= SINGLE_BAR, f"{case['name']}: float32 is {apart} off"
    print(f"{case['name']:47} J {cost!r:22} {cost_error:.0e}  "
          f"gradient {error:.0e}  f32 {apart:.0e}")

    folder = FOLDER / case["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(model, indent=1) + "\n")
    np.savez_compressed(folder / "batch.npz", **data)
    np.savez_compressed(folder / "parameters.npz", **theta)
    np.savez_compressed(folder / "gradient.npz", **gradient)
    np.savez_compressed(folder / "gradient-f32.npz", **narrow)
    return {"about": case["about"], "cost": cost, "bar": case["bar"],
            "parameters": sum(value.size for value in theta.values()),
            "tensors": list(theta), "kinks": has_kinks(model),
            "tied": case["tied"], "zero": case["zero"]}


def main():
    cases = all_cases()
    index = {case["name"]: write(case) for case in cases}
    assert len(index) == len(cases), "two cases of one name"
    text = json.dumps(index, indent=1)
    (FOLDER / "cases.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
