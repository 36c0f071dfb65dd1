"""What benchmarks/ reckons with: floors, goals, and the costs of the peers."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import export_net  # noqa: E402
import floor  # noqa: E402
import goals  # noqa: E402


@pytest.mark.parametrize("name, gigaflops", [
    ("S", 0.00327936), ("M", 0.15466752), ("L", 36.320119296),
    ("D", 643.520236032)])
def test_products_of_the_method(name, gigaflops):
    """Layer by layer: the own row, a column of the next matrix, the rest."""
    sizes, activation = export_net.NETWORKS[name]
    theta, x, _ = export_net.make(name, 32)
    needs = floor.dense(sizes, activation, theta, x)
    counts = {key: value.size for key, value in theta.items()}
    assert floor.totals(needs, counts, False) / 1e9 \
        == pytest.approx(gigaflops)
    assert floor.totals(needs, counts, True) > floor.totals(
        needs, counts, False)


def test_what_does_not_move_needs_nothing():
    """Of W1 only pairs of an input that is not 0 and a unit that is on."""
    sizes = [3, 4, 2]
    theta, x, _ = export_net.draw(sizes, "relu", 5, zeros=0.5)
    z = x @ theta["W1"].T + theta["b1"]
    pairs = sum((x[s, i] != 0) and (z[s, o] > 0)
                for s in range(5) for i in range(3) for o in range(4))
    assert 0 < pairs < 60
    needs = floor.dense(sizes, "relu", theta, x)
    # Two for the own unit, two for its bias' place, two for each class.
    assert needs["W1"].products * 12 == pytest.approx(pairs * (4 + 2 * 2))


def row(kind, seconds, **more):
    return {"kind": kind, "network": "D", "seconds": seconds,
            "extrapolated": False, **more}


@pytest.mark.parametrize("seconds, distance, met64, met32", [
    (1.0, 1e-8, "yes", "yes"), (9.0, 1e-8, "no", "no"),
    (1.0, 2e-7, "yes", "no")])
def test_goals(seconds, distance, met64, met32):
    rows = [row("gpucheck", [seconds, seconds * 1.1, seconds * 0.9],
                evaluator="difference", precision=precision, device="0:0",
                deviceType="cpu", relativeDifference=distance,
                floorSeconds=0.8) for precision in ("f64", "f32")]
    rows.append(row("peer", [20.0], peer="loop"))
    double, single = goals.outcomes(rows)
    assert double.ratio == pytest.approx(20 / seconds)
    assert double.floor == pytest.approx(0.8 / seconds)
    assert (double.met, single.met) == (met64, met32)
    # Nothing to hold it against: neither met nor missed.
    assert goals.outcomes(rows[:1])[0].met == (
        "–" if seconds == 1 else "no")


@pytest.mark.parametrize("name", ["lenet", "resnet-20", "gpt2-small"])
def test_costs_in_jax_are_those_in_torch(name):
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    pytest.importorskip("onnx")
    import jax_costs
    from gpt2_small import GPT2Small
    from lenet import LeNet
    from resnet18 import ResNet20
    network = {
        "lenet": LeNet(batch=2), "resnet-20": ResNet20(blocks=1, batch=2),
        "gpt2-small": GPT2Small(layers=2, width=12, heads=2, vocabulary=17,
                                positions=8, tokens=6)}[name]
    rng = np.random.default_rng(1)
    theta, batch = network.parameters(rng), network.data(rng)
    p = {key: torch.tensor(value).double() for key, value in theta.items()}
    b = {key: torch.tensor(value) for key, value in batch.items()}
    b = {key: value.double() if value.is_floating_point() else value
         for key, value in b.items()}
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        found = jax_costs.COSTS[name](
            network, {key: np.asarray(value, np.float64)
                      for key, value in theta.items()},
            {key: value.astype(np.float64) if value.dtype.kind == "f"
             else value for key, value in batch.items()})
    finally:
        jax.config.update("jax_enable_x64", before)
    assert float(found) == pytest.approx(network.cost(p, b).item(), rel=1e-12)
