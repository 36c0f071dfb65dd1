"""Builds ONNX graphs a node at a time, with the operators that PyTorch's
exporter writes."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


class Graph:
    """A graph whose inputs are a batch and parameters, and whose one output
    is J."""

    def __init__(self, name):
        self.name, self.nodes, self.inputs, self.constants = name, [], [], {}

    def input(self, name, array):
        """An input of the shape and type of an array."""
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.inputs.append(
            helper.make_tensor_value_info(name, kind, array.shape))
        return name

    def constant(self, value, kind=np.float32):
        """A constant; one name for equal ones."""
        tensor = numpy_helper.from_array(np.asarray(value, kind))
        key = tensor.SerializeToString()
        if key not in self.constants:
            tensor.name = f"constant_{len(self.constants)}"
            self.constants[key] = tensor
        return self.constants[key].name

    def integers(self, *values):
        """Integers, as a shape or axes."""
        return self.constant(values, np.int64)

    def add(self, operator, *inputs, outputs=1, **attributes):
        """A node: the name of its output, or a list of names for several."""
        stem = f"{operator.lower()}_{len(self.nodes)}"
        names = [stem] if outputs == 1 else [
            f"{stem}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, J):
        """The checked model; J is the name of a scalar."""
        self.nodes.append(helper.make_node("Identity", [J], ["J"]))
        graph = helper.make_graph(
            self.nodes, self.name, self.inputs,
            [helper.make_tensor_value_info("J", TensorProto.FLOAT, [])],
            list(self.constants.values()))
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=9, producer_name="gpucheck benchmarks")
        onnx.checker.check_model(model, full_check=True)
        return model
