"""What the tests of all recipes ask of the files that they wrote.

    make test-recipes

Frameworks that are not installed are skipped. GPUCHECK is the program; where
it is not set, what needs it is left out. Keras runs on KERAS_BACKEND (torch).
"""

import os
import subprocess

import numpy as np
import pytest

from recipes import files as recipe_files

PROGRAM = os.environ.get("GPUCHECK")


def load(path):
    """The tensors of a file that a recipe wrote."""
    if path.suffix == ".npz":
        return dict(np.load(path))
    return pytest.importorskip("safetensors.numpy").load_file(path)


def model_of(files):
    return pytest.importorskip("onnx").load(files.model)


def input_names(files):
    return [value.name for value in model_of(files).graph.input]


def reference_cost(files):
    """J as ONNX's reference evaluator finds it."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(files.model)
    given = {**load(files.batch), **load(files.parameters)}
    types = {value.name: onnx.helper.tensor_dtype_to_np_dtype(
        value.type.tensor_type.elem_type) for value in model.graph.input}
    output, = ReferenceEvaluator(model).run(
        None, {name: given[name].astype(types[name]) for name in types})
    return float(output)


def verdict(files, gradient=None):
    """The exit status of gpucheck and what it said."""
    arguments = files.arguments
    if gradient is not None:
        arguments[arguments.index(str(files.gradient))] = str(gradient)
    ran = subprocess.run([PROGRAM, "check", *arguments, "--device", "cpu"],
                         capture_output=True, text=True, timeout=600)
    return ran.returncode, ran.stdout + ran.stderr


def spoilt(files):
    """Another gradient file: the first row of the largest tensor is 1.5 times
    what it should be."""
    gradient = load(files.gradient)
    name = max(gradient, key=lambda name: np.linalg.norm(gradient[name]))
    tensor = gradient[name].copy()
    row = max(range(len(tensor)), key=lambda i: np.linalg.norm(tensor[i]))
    tensor[row] *= 1.5
    return recipe_files.save(files.gradient.parent / "wrong",
                             {**gradient, name: tensor})


def hold(files, reference=True):
    """The files agree with the framework, and gpucheck tells right from
    wrong."""
    if reference:
        assert reference_cost(files) == pytest.approx(files.cost, rel=2e-7)
    if PROGRAM:
        status, said = verdict(files)
        assert status == 0, said
        status, said = verdict(files, spoilt(files))
        assert status == 1, said
