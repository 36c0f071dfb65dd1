"""Writes every-kernel.onnx and its parameters: a small model whose lanes meet every kernel of the
operators over tensors, in every layout (OclgrindTests).

    pip install onnx numpy
    python3 make_every_kernel.py
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
RANDOM = np.random.default_rng(7)

nodes, constants, parameters, costs = [], [], {}, []


def number(shape, low=-1.0, high=1.0):
    return np.round(RANDOM.uniform(low, high, shape) * 64) / 64


def constant(*shape, values=None, kind=np.float64):
    name = f"c{len(constants)}"
    array = number(shape) if values is None else np.array(values)
    constants.append(numpy_helper.from_array(array.astype(kind), name))
    return name


def parameter(name, *shape):
    parameters[name] = number(shape)
    return name


def op(kind, *inputs, **attributes):
    name = f"n{len(nodes)}"
    nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
    return name


def integers(*values):
    return constant(values=values, kind=np.int64)


def cost(name):
    """Adds the weighted sum of a value to J; squared, so that J bends."""
    costs.append(op("ReduceSum", op("Mul", op("Tanh", name), constant(1)), keepdims=0))


def full(name, count, *shape):
    """All elements of a parameter mixed: every one moves in a lane."""
    column = op("Reshape", name, integers(count, 1))
    return op("Reshape", op("MatMul", constant(count, count), column), integers(*shape))


# Convolutions: one weight; a channel; depthwise; the same weights twice; all weights.
x = constant(1, 2, 3, 3)
channel = op("Add", op("Conv", x, parameter("w1", 2, 2, 2, 2)), op(
    "Reshape", parameter("b1", 2), integers(2, 1, 1)))
cost(op("Conv", op("Conv", channel, parameter("w2", 1, 2, 2, 2)), constant(1, 1, 1, 1)))
cost(op("Conv", channel, constant(2, 1, 2, 2), group=2))
shared = parameter("w4", 2, 2, 1, 1)
cost(op("Conv", op("Conv", x, shared), shared))
cost(op("Conv", x, full(parameter("w5", 8), 8, 2, 2, 2, 1)))
cost(op("MaxPool", channel, kernel_shape=[2, 2]))

# Products: one element; a row; a position of the sum; both; the same matrix twice.
row = op("MatMul", parameter("a", 2, 3), constant(3, 2))
cost(op("MatMul", row, constant(2, 2)))
cost(op("MatMul", op("Add", constant(2, 3), parameter("v", 3)), constant(3, 2)))
cost(op("MatMul", row, op("Transpose", row, perm=[1, 0])))
tied = parameter("t", 2, 2)
cost(op("MatMul", op("MatMul", constant(2, 2), tied), tied))

# Maps: an embedding, a slice, sums, products, maxima, one behind the other.
cost(op("Gather", parameter("e", 3, 2), integers(0, 2, 0)))
cost(op("Slice", parameter("s", 3, 2), integers(1), integers(3), integers(0)))
f = full(parameter("p", 4), 4, 2, 2)
cost(op("ReduceProd", f, axes=[1], keepdims=0))
cost(op("ReduceLogSumExp", f, axes=[1], keepdims=0))
cost(op("ReduceMean", f, axes=[1], keepdims=0))
cost(op("LogSoftmax", f, axis=1))
cost(op("Concat", f, constant(2, 1), axis=1))

# Functions of one element.
for kind in ("Exp", "Erf", "Sin", "Cos", "Floor"):
    cost(op(kind, f))
positive = op("Sigmoid", f)
for kind in ("Log", "Sqrt", "Reciprocal"):
    cost(op(kind, positive))

# Functions of two and three.
g = op("Sub", constant(2, 2), f)
cost(op("Div", g, positive))
cost(op("Mul", f, g))
cost(op("Max", f, constant(2, 2)))
cost(op("Min", f, constant(2, 2)))
cost(op("Pow", positive, positive))
cost(op("Where", op("Greater", f, constant(2, 2)), f, g))
cost(op("Where", op("GreaterOrEqual", f, constant(2, 2)), g, f))
cost(op("Where", op("Equal", f, constant(2, 2)), g, f))

total = costs[0]
for part in costs[1:]:
    total = op("Add", total, part)
nodes.append(helper.make_node("Identity", [total], ["J"]))
graph = helper.make_graph(
    nodes, "every-kernel",
    [helper.make_tensor_value_info(n, TensorProto.DOUBLE, v.shape) for n, v in parameters.items()],
    [helper.make_tensor_value_info("J", TensorProto.DOUBLE, [])], constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, HERE / "every-kernel.onnx")
np.savez(HERE / "every-kernel.npz", **parameters)
# The gradient is gpucheck's own, on the CPU, and the textbook agrees with it: only Oclgrind's
# reports are of interest here. Save it with
#   gpucheck check every-kernel.onnx --parameters every-kernel.npz --gradient every-kernel.npz \
#     --device cpu --save-numeric numeric.npz
# and keep what does not end in .uncertainty as every-kernel-gradient.npz.
