"""J of a network file by its definitions as they stand, at 60 digits.

It shares the reading of a layer with backpropagation.py and no formula.
"""

import mpmath
import numpy as np
from mpmath import mpf

from backpropagation import (CLASS_LOSSES, SELU_ALPHA, SELU_SCALE,
                             activation_of, mask_of)

mpmath.mp.dps = 60


def precise_activation(layer, z):
    """The activation of one sample's pre-activations."""
    kind, slope, alpha = activation_of(layer)
    c = mpmath.sqrt(2 / mpmath.pi)
    if kind == "softmax":
        e = [mpmath.exp(v) for v in z]
        return [v / sum(e) for v in e]
    function = {
        "identity": lambda v: v,
        "relu": lambda v: max(v, mpf(0)),
        "leaky-relu": lambda v: v if v > 0 else mpf(slope) * v,
        "elu": lambda v: v if v > 0 else mpf(alpha) * (mpmath.exp(v) - 1),
        "selu": lambda v: mpf(SELU_SCALE) * (
            v if v > 0 else mpf(SELU_ALPHA) * (mpmath.exp(v) - 1)),
        "tanh": mpmath.tanh,
        "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)),
        "softplus": lambda v: mpmath.log(1 + mpmath.exp(v)),
        "silu": lambda v: v / (1 + mpmath.exp(-v)),
        "gelu": lambda v: v * mpmath.ncdf(v),
        "gelu-tanh": lambda v: v / 2 * (1 + mpmath.tanh(
            c * (v + mpf("0.044715") * v ** 3))),
    }[kind]
    return [function(v) for v in z]


def precise_loss(loss, p, y):
    """The loss terms of one sample."""
    kind, log = loss["type"], mpmath.log
    if kind == "softmax-cross-entropy":
        total = sum(mpmath.exp(v) for v in p)
        if not isinstance(y, list):
            y = [mpf(c == y) for c in range(len(p))]
        return [-sum(t * (v - log(total)) for t, v in zip(y, p))]
    if kind == "multiclass-hinge":
        return [sum(max(mpf(0), v - p[y] + loss["margin"])
                    for c, v in enumerate(p) if c != y)]

    def huber(d):
        delta = mpf(loss["delta"])
        if abs(d) <= delta:
            return d * d / 2
        return delta * (abs(d) - delta / 2)

    function = {
        "binary-cross-entropy-with-logits": lambda v, t: (
            t * log(1 + mpmath.exp(-v))
            + (1 - t) * log(1 + mpmath.exp(v))),
        "binary-cross-entropy": lambda v, t: (
            -t * log(v) - (1 - t) * log(1 - v)),
        "mean-squared-error": lambda v, t: (v - t) ** 2,
        "huber": lambda v, t: huber(v - t),
        "hinge": lambda v, t: max(mpf(0), loss["margin"] - t * v),
    }[kind]
    return [function(v, t) for v, t in zip(p, y)]


def precise_cost(model, theta, data):
    """J of nested lists of mpf."""
    loss, total = model["loss"], mpf(0)
    batch = len(data["x"])
    for s in range(batch):
        a = data["x"][s]
        for layer in model["layers"]:
            w = theta[layer["weights"]]
            if model["weightLayout"] == "[in, out]":
                w = list(zip(*w))
            z = [sum(u * v for u, v in zip(row, a)) for row in w]
            if layer["biases"]:
                z = [u + v for u, v in zip(z, theta[layer["biases"]])]
            a = precise_activation(layer, z)
            mask = mask_of(layer, data)
            if mask is not None:
                row = mask[s] if isinstance(mask[0], list) else mask
                a = [u * v for u, v in zip(a, row)]
        terms = precise_loss(loss, a, data["y"][s])
        share = sum(terms)
        if loss["type"] not in CLASS_LOSSES and loss["outputs"] == "mean":
            share /= len(terms)
        total += share
    if loss["batch"] == "mean":
        total /= batch
    total *= mpf(loss.get("factor", 1))

    r = model.get("regularization", {})
    penalty = mpf(0)
    for layer in model["layers"]:
        values = [v for row in theta[layer["weights"]] for v in row]
        if r.get("over") == "everything" and layer["biases"]:
            values += theta[layer["biases"]]
        penalty += mpf(r.get("l2", 0)) / 2 * sum(v * v for v in values)
        penalty += mpf(r.get("l1", 0)) * sum(abs(v) for v in values)
    return total + penalty / (batch if r.get("perSample") else 1)


def precise(array):
    """An array as nested lists of mpf (class indices stay integers)."""
    if array.ndim > 1:
        return [precise(row) for row in array]
    if array.dtype == np.int64:
        return array.tolist()
    return [mpf(v) for v in array.tolist()]


def precise_gradient(model, theta, data):
    """J, and its central differences, good to some 35 digits."""
    theta = {name: precise(value) for name, value in theta.items()}
    data = {name: precise(value) for name, value in data.items()}
    h = mpf(10) ** -20
    gradient = {}
    for name, tensor in theta.items():
        rows = tensor if isinstance(tensor[0], list) else [tensor]
        result = []
        for row in rows:
            for j, value in enumerate(row):
                row[j] = value + h
                above = precise_cost(model, theta, data)
                row[j] = value - h
                below = precise_cost(model, theta, data)
                row[j] = value
                result.append(float((above - below) / (2 * h)))
        gradient[name] = np.array(result)
    return precise_cost(model, theta, data), gradient
