"""What the method needs at least: its arithmetic and its traffic, over what
this machine reaches.

A lane moves one parameter. Its own unit moves by step · x; the next layer
takes one column of its matrix; from there on every layer is a matrix product
over all lanes. That is the work of exact differences without any further
idea, two lanes a component. A program may beat it by one.
"""

from dataclasses import dataclass

import numpy as np

# FLOPs of tanh, of an exponential and of a logarithm: five fused
# multiply-adds, enough for the small arguments that differences have.
FUNCTION = 10
RELU = 1
LANES = 2
DOUBLE = 8


@dataclass(frozen=True)
class Need:
    """Of one lane of one tensor: FLOPs of products, and of functions."""

    products: float
    functions: float = 0


def dense(sizes, activation, theta, x):
    """`Need` by tensor of a network of dense layers.

    Where x is 0, or a rectifier is off, a sample's difference is 0 and needs
    nothing.
    """
    depth, batch = len(sizes) - 1, len(x)
    unit = FUNCTION if activation == "tanh" else RELU
    # Of one sample, whose inputs to layer k all move: products, functions.
    tail = {depth + 1: (0, (sizes[-1] + 1) * FUNCTION)}
    tail[depth + 2] = tail[depth + 1]
    for k in range(depth, 0, -1):
        products, functions = tail[k + 1]
        tail[k] = (products + 2 * sizes[k] * sizes[k - 1],
                   functions + (unit * sizes[k] if k < depth else 0))
    result, a = {}, x
    for k in range(1, depth + 1):
        z = a @ theta[f"W{k}"].T + theta[f"b{k}"]
        hidden = k < depth
        on = z > 0 if activation == "relu" and hidden \
            else np.ones(z.shape, bool)
        # The lane's own unit, and the column of the next layer.
        products, functions = tail[k + 2]
        products += 4 + (2 * sizes[k + 1] if hidden else 0)
        functions = functions + unit if hidden else 2 * FUNCTION
        if k + 1 < depth:
            functions += unit * sizes[k + 1]
        moved = (a != 0).mean(axis=1) @ on.mean(axis=1) / batch
        for name, share in (("W", moved), ("b", on.mean())):
            result[f"{name}{k}"] = Need(
                products * batch * share, functions * batch * share)
        a = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
    return result


def of_graph(inspection):
    """`Need` by tensor, from `gpucheck inspect --format json`, which counts
    multiply-adds."""
    return {segment["name"]: Need(2 * segment["workPerLane"])
            for segment in inspection["estimate"]["segments"]}


def totals(needs, counts, functions):
    """FLOPs of so many components of each tensor. Functions are counted where
    asked for, beside the products."""
    return float(sum(
        LANES * count * (needs[name].products
                         + (needs[name].functions if functions else 0))
        for name, count in counts.items()))


def seconds(flops, components, rates, precision):
    """The floor. Each component is read and its slope written; what lies
    between operators may stay in a cache, and is not counted."""
    traffic = 2 * DOUBLE * components
    return max(flops / rates[precision], traffic / rates["bytes"])
