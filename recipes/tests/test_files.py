"""What all recipes share: tensor files, and the names in ONNX files."""

import sys

import numpy as np
import pytest

from recipes import files as recipe_files
from recipes.tests.harness import load


def test_gradient_has_the_parameters_names(tmp_path):
    theta = {"W": np.zeros((2, 3)), "b": np.zeros(2)}
    for gradient, text in [
            ({"W": theta["W"], "c": theta["b"]}, "'c', which is no parameter"),
            ({"W": theta["W"]}, "lacks b"),
            ({"W": theta["W"].T, "b": theta["b"]}, r"\[3, 2\].*\[2, 3\]")]:
        with pytest.raises(ValueError, match=text):
            recipe_files.write(tmp_path, "model.onnx", {}, theta, gradient)


def test_archives_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    path = recipe_files.save(tmp_path / "theta", {"a/b": np.arange(3.0)})
    assert path.suffix == ".npz"
    assert load(path)["a/b"].tolist() == [0, 1, 2]


def test_names_are_mended():
    onnx = pytest.importorskip("onnx")
    from recipes import onnx_names

    model = onnx.helper.make_model(onnx.parser.parse_graph(
        "g (float[2] a, float[2] b) => (float[2] c, float[2] w) "
        "{ w = Add(a, b) c = Mul(w, a) }"))
    onnx_names.mend(model, {"x": np.zeros(2), "w": np.zeros(2)}, "J")
    assert onnx.printer.to_text(model.graph).count('Mul ("w.inner", x)') == 1
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.output] == ["J"]
    onnx_names.mend(model, {name: np.zeros(2, np.float32) for name in
                            ("x", "unused", "w")}, "J")
    assert [value.name for value in model.graph.input] == ["x", "unused", "w"]
    onnx.checker.check_model(model, full_check=True)
    with pytest.raises(ValueError, match="expected x, v"):
        onnx_names.mend(model, {"x": np.zeros(2), "v": np.zeros(2)}, "J")
