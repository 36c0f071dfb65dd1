"""benchmarks/large_models.py on small networks of the same kinds."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from recipes.tests.harness import (PROGRAM, load, reference_cost, spoilt,
                                   verdict)

pytest.importorskip("torch")
pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import large_models  # noqa: E402
from lenet import LeNet  # noqa: E402
from resnet18 import ResNet20  # noqa: E402

SMALL = [
    large_models.ResNet18(widths=(2, 3), blocks=1, classes=4, batch=3, side=16),
    large_models.GPT2Small(layers=2, width=12, heads=2, vocabulary=17,
                           positions=8, tokens=6),
    ResNet20(widths=(2, 3), blocks=1, classes=4, batch=3, side=8),
    LeNet(channels=(1, 2, 3), dense=(7, 5, 4), batch=3, side=16),
]
# Where the wrong gradients are wrong in networks as small as these.
PLACES = {"resnet-18": ("layer2.0.conv2.weight", "layer1.0.bn1.bias"),
          "gpt2-small": ("h.1.mlp.c_fc.weight", "h.0.ln_2.bias"),
          "resnet-20": ("layer2.0.conv2.weight", "layer1.0.bn1.bias"),
          "lenet": ("conv2.weight", "fc1.bias")}


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
def test_small_ones(network, tmp_path, monkeypatch):
    tensor, zero = PLACES[network.name]
    monkeypatch.setattr(type(network), "row", (tensor, 1))
    monkeypatch.setattr(type(network), "zero", zero)
    files = large_models.write(network, tmp_path, float64=True)
    assert json.loads((tmp_path / "case.json").read_text())["cost"] \
        == files.cost
    assert reference_cost(files) == pytest.approx(files.cost, rel=1e-6)
    right, row, nothing = (load(tmp_path / f"{stem}{files.gradient.suffix}")
                           for stem in ("gradient", "wrong-row", "wrong-zero"))
    assert [name for name in right if not np.array_equal(
        right[name], row[name])] == [tensor]
    assert right[zero].any() and not nothing[zero].any()
    if PROGRAM:
        status, said = verdict(files)
        assert status == 0, said
        for wrong in ("wrong-row", "wrong-zero"):
            path = tmp_path / f"{wrong}{files.gradient.suffix}"
            assert verdict(files, path)[0] == 1
        assert verdict(files, spoilt(files))[0] == 1


@pytest.mark.parametrize("network, count", [
    (large_models.ResNet18, 11_689_512), (large_models.GPT2Small, 124_439_808),
    (ResNet20, 272_474), (LeNet, 61_706)
], ids=["resnet-18", "gpt2-small", "resnet-20", "lenet"])
def test_sizes(network, count):
    class Shapes:
        """Draws nothing: arrays that take no memory."""

        def standard_normal(self, shape, kind):
            return np.broadcast_to(kind(0), shape)

    theta = network().parameters(Shapes())
    assert sum(value.size for value in theta.values()) == count
    name, row = network().row
    assert row < len(theta[name]) and network().zero in theta
