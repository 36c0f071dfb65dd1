#!/usr/bin/env python3
"""Writes the ONNX files beside this script: python3 make_onnx.py (NumPy and the package onnx)."""

import pathlib

import numpy
import onnx
import onnx.inliner
from onnx import AttributeProto, TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
OPSET = 20
TYPES = ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "INT16", "INT32", "INT64", "UINT8"]
TYPES += ["UINT16", "UINT32", "UINT64", "BOOL"]


def model(graph, functions=(), domains=()):
    opsets = [helper.make_opsetid("", OPSET)] + [helper.make_opsetid(name, 1) for name in domains]
    made = helper.make_model(
        graph, opset_imports=opsets, functions=functions, ir_version=10,
        producer_name="make_onnx", producer_version="1")
    onnx.checker.check_model(made)
    return made


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def reference(name, kind, to):
    """An attribute that has the value of the function's attribute `to`."""
    return AttributeProto(name=name, type=kind, ref_attr_name=to)


def types():
    """One constant of every type, raw and as a list."""
    constants = []
    for name in TYPES:
        kind = getattr(TensorProto, name)
        for how in ["raw", "list"]:
            constants.append(
                helper.make_tensor(f"{how}/{name}", kind, [2, 3], [0, 1, 0, 1, 1, 0]))
            if how == "raw":
                array = numpy_helper.to_array(constants[-1])
                constants[-1].CopyFrom(helper.make_tensor(
                    f"{how}/{name}", kind, [2, 3], array.tobytes(), raw=True))
    for name, values in [
        ("FLOAT", [-1.5, 0.1]), ("FLOAT16", [-2.5, 0.25]), ("BFLOAT16", [-2.5, 3.140625]),
        ("INT8", [-128, 127]), ("INT16", [-32768, 32767]), ("INT64", [-(2**53), 2**53]),
        ("UINT32", [0, 2**32 - 1]), ("UINT16", [0, 65535]),
    ]:
        constants.append(
            helper.make_tensor(f"values/{name}", getattr(TensorProto, name), [2], values))
    constants.append(helper.make_tensor("scalar", TensorProto.DOUBLE, [], [-1.5]))
    constants.append(helper.make_tensor("none", TensorProto.FLOAT, [0, 4], []))
    node = helper.make_node("Neg", ["x"], ["y"], name="negate")
    shape = ["batch", 3, None]
    return model(helper.make_graph([node], "types", [value("x", shape)], [value("y", shape)],
                                   constants))


def external():
    """Two constants in one file beside the model, after four bytes that belong to neither."""
    w = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    k = numpy.array([7, -7], dtype=numpy.int64)
    (HERE / "external.bin").write_bytes(b"\xff" * 4 + w.tobytes() + k.tobytes())
    constants = []
    for name, array, place in [("w", w, {"offset": 4, "length": 24}), ("k", k, {"offset": 28})]:
        tensor = numpy_helper.from_array(array, name)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in {"location": "external.bin", **place}.items():
            tensor.external_data.add(key=key, value=str(text))
        constants.append(tensor)
    node = helper.make_node("Reshape", ["w", "k"], ["y"])
    graph = helper.make_graph([node], "external", [], [value("y", None)], constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def attributes():
    """An attribute of every kind that is read, and graphs within the graph."""
    nodes = [
        helper.make_node("Gemm", ["x", "x"], ["p"], alpha=0.5, transB=1),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(
            numpy.array([1.5, 2.5], dtype=numpy.float32))),
        helper.make_node("Constant", [], ["f"], value_floats=[0.5, 0.25]),
        helper.make_node("Constant", [], ["yes"], value=helper.make_tensor(
            "", TensorProto.BOOL, [], [True])),
        helper.make_node("LSTM", ["l", "l", "l"], ["", "h"], name="cell", hidden_size=2,
                         activations=["Sigmoid", "Tanh", "Tanh"], direction="forward"),
        helper.make_node("Transpose", ["l"], ["t"], perm=[2, 1, 0]),
    ]
    inner = helper.make_graph(
        [helper.make_node("Add", ["p", "c"], ["sum"])], "then", [], [value("sum", None)])
    other = helper.make_graph(
        [helper.make_node("Sub", ["p", "k"], ["sum"])], "else", [], [value("sum", None)],
        [helper.make_tensor("k", TensorProto.FLOAT, [], [3])])
    nodes.append(helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=other))
    # PyTorch leaves no such order, other tools do.
    nodes.reverse()
    made = helper.make_model(
        helper.make_graph(nodes, "attributes", [value("x", [2, 2]), value("l", [1, 1, 2])],
                          [value("y", None)]),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return made


def functions():
    """Functions within a function, with attributes, an omitted input and a graph."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("own", 1)]
    scale = helper.make_node("Constant", [], ["factor"])
    scale.attribute.append(reference("value_float", AttributeProto.FLOAT, "by"))
    scaled = helper.make_function(
        "own", "Scale", ["x"], ["y"],
        [scale, helper.make_node("Mul", ["x", "factor"], ["y"], name="times")], opsets,
        attributes=[], attribute_protos=[helper.make_attribute("by", 2.0)])
    larger = helper.make_graph(
        [helper.make_node("Neg", ["twice"], ["inner"])], "larger", [], [value("inner", None)])
    smaller = helper.make_graph(
        [helper.make_node("Clip", ["twice", "low"], ["inner"])], "smaller", [],
        [value("inner", None)])
    fold = helper.make_node("Softmax", ["picked"], ["out"])
    fold.attribute.append(reference("axis", AttributeProto.INT, "axis"))
    block = helper.make_function(
        "own", "Block", ["x", "low", "which"], ["out", "twice"],
        # Not left to its default, which the package's inliner drops.
        [helper.make_node("Scale", ["x"], ["twice"], domain="own", by=2.0),
         helper.make_node("If", ["which"], ["picked"], then_branch=larger, else_branch=smaller),
         fold], opsets, attributes=["axis"])
    nodes = [
        helper.make_node("Block", ["x", "", "which"], ["a"], domain="own", name="first"),
        helper.make_node("Block", ["a", "low", "which"], ["b", "twice"], domain="own", axis=0),
        helper.make_node("Scale", ["b"], ["c"], domain="own", by=3.0),
        helper.make_node("Add", ["c", "twice"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "functions", [value("x", [2, 2]), value("which", [], TensorProto.BOOL)],
        [value("y", [2, 2])], [helper.make_tensor("low", TensorProto.FLOAT, [], [0])])
    return model(graph, [scaled, block], ["own"])


def main():
    made = {"types": types(), "external": external(), "attributes": attributes(),
            "functions": functions()}
    made["functions-inlined"] = onnx.inliner.inline_local_functions(made["functions"])
    for name, proto in made.items():
        (HERE / f"{name}.onnx").write_bytes(proto.SerializeToString(deterministic=True))


main()
