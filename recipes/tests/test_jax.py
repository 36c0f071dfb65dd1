"""Costs in JAX, with the primitives that networks are made of."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from recipes.tests.harness import hold, input_names, load, model_of  # noqa: E402

jax = pytest.importorskip("jax")
pytest.importorskip("jax2onnx")

import jax.numpy as jnp  # noqa: E402

from recipes import jax as recipe  # noqa: E402


def perceptron(p, b):
    z = jnp.tanh(b["x"] @ p[0]["w"] + p[0]["b"]) @ p[1]["w"]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(z), b["y"][:, None], 1)
    return -chosen.mean()


def penalised(p, b):
    z = jax.nn.gelu(b["x"] @ p[0]["w"] + p[0]["b"]) @ p[1]["w"]
    hot = jax.nn.one_hot(b["y"], z.shape[1])
    squares = sum(jnp.sum(leaf ** 2) for leaf in jax.tree.leaves(p))
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(z) * hot, 1)) + 1e-3 * squares


def embedded(p, b):
    z = jax.nn.silu(p["table"][b["x"]]).mean(1) @ p["w"]
    return jnp.mean(jax.nn.logsumexp(z, axis=-1)
                    - z[jnp.arange(len(z)), b["y"]])


def convolved(p, b):
    h = jax.lax.conv_general_dilated(
        b["x"], p["kernel"], (1, 1), "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"))
    h = jax.lax.reduce_window(jax.nn.relu(h), -jnp.inf, jax.lax.max,
                              (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return jnp.mean((h.reshape(len(h), -1) @ p["w"] - b["y"]) ** 2)


def attending(p, b):
    q, k, v = jnp.split(b["x"] @ p["qkv"], 3, -1)
    scores = jnp.einsum("bid,bjd->bij", q, k) / 2
    mask = jnp.tril(jnp.ones(scores.shape[1:], bool))
    h = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf)) @ v
    h = (h - h.mean(-1, keepdims=True)) \
        * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-5)
    return jnp.mean((h @ p["w"] - b["y"]) ** 2)


def recurrent(p, b):
    def step(h, x):
        return jnp.tanh(x @ p["w"] + h @ p["u"]), None
    h, _ = jax.lax.scan(step, jnp.zeros((3, 4), b["x"].dtype),
                        jnp.swapaxes(b["x"], 0, 1))
    return jnp.mean((h @ p["v"] - b["y"]) ** 2)


RNG = np.random.default_rng(0)


def numbers(*shape):
    return 0.5 * RNG.standard_normal(shape).astype(np.float32)


LAYERS = [{"w": numbers(5, 6), "b": numbers(6)}, {"w": numbers(6, 4)}]
LABELS = {"x": numbers(3, 5), "y": RNG.integers(0, 4, 3)}
COSTS = {
    perceptron: (LAYERS, LABELS),
    penalised: (LAYERS, LABELS),
    embedded: ({"table": numbers(7, 6), "w": numbers(6, 4)},
               {"x": RNG.integers(0, 7, (3, 5)), "y": RNG.integers(0, 4, 3)}),
    convolved: ({"kernel": numbers(3, 3, 2, 4), "w": numbers(64, 4)},
                {"x": numbers(3, 8, 8, 2), "y": numbers(3, 4)}),
    attending: ({"qkv": numbers(6, 12), "w": numbers(4, 2)},
                {"x": numbers(3, 5, 6), "y": numbers(3, 5, 2)}),
    recurrent: ({"w": numbers(2, 4), "u": numbers(4, 4), "v": numbers(4, 2)},
                {"x": numbers(3, 5, 2), "y": numbers(3, 2)}),
}


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.__name__)
def test_costs(cost, tmp_path):
    parameters, batch = COSTS[cost]
    files = recipe.export(cost, parameters, batch, tmp_path)
    # ONNX's evaluator knows no window of four axes.
    hold(files, reference=cost is not convolved)
    assert {value.dtype for value in load(files.gradient).values()} \
        == {np.dtype(np.float64)}


def test_names_are_paths(tmp_path):
    files = recipe.export(perceptron, LAYERS, LABELS, tmp_path)
    assert input_names(files) == ["x", "y", "0/b", "0/w", "1/w"]
    assert len(model_of(files).graph.output) == 1


def test_gradients_of_ones_own(tmp_path):
    # As a training step holds them: in float32.
    gradients = jax.grad(perceptron)(LAYERS, LABELS)
    files = recipe.export(perceptron, LAYERS, LABELS, tmp_path,
                          gradients=gradients)
    assert load(files.gradient)["0/w"].dtype == np.float32
    hold(files)


def test_single_precision(tmp_path):
    hold(recipe.export(perceptron, LAYERS, LABELS, tmp_path, double=False))


@pytest.mark.parametrize("text, given", [
    (r"shape \[3\], expected one number",
     dict(cost=lambda p, b: (b["x"] @ p["w"]).sum(1),
          parameters={"w": numbers(5, 2)})),
    ("'n' is int", dict(cost=perceptron, parameters={"n": np.arange(3)})),
    ("'x' names a parameter", dict(cost=perceptron,
                                   parameters={"x": numbers(3)})),
    ("lacks 1/w", dict(cost=perceptron, parameters=LAYERS,
                       gradients=LAYERS[:1])),
])
def test_refusals(text, given, tmp_path):
    with pytest.raises(ValueError, match=text):
        recipe.export(batch=LABELS, folder=tmp_path, **given)
