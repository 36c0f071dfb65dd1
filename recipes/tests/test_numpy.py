"""Networks written by hand in NumPy."""

import numpy as np
import pytest

from recipes import files as recipe_files
from recipes import numpy as numpy_recipe
from recipes.tests.harness import PROGRAM, hold, verdict


def hand_written():
    """A network in NumPy: batch, parameters, gradient, J."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
    W1, b1 = rng.standard_normal((5, 4)), rng.standard_normal(5)
    W2, b2 = rng.standard_normal((3, 5)), rng.standard_normal(3)
    h = np.tanh(x @ W1.T + b1)
    p = np.exp(h @ W2.T + b2)
    p /= p.sum(1, keepdims=True)
    J = -np.log(p[np.arange(6), y]).mean()
    p[np.arange(6), y] -= 1
    dz = p / 6
    dh = dz @ W2 * (1 - h * h)
    return ({"x": x, "y": y}, {"W1": W1, "b1": b1, "W2": W2, "b2": b2},
            {"W1": dh.T @ x, "b1": dh.sum(0), "W2": dz.T @ h, "b2": dz.sum(0)},
            J)


NETWORK = numpy_recipe.dense(4, [(5, "tanh"), 3], "softmax-cross-entropy")


def test_numpy(tmp_path):
    batch, theta, gradient, J = hand_written()
    hold(numpy_recipe.export(NETWORK, batch, theta, gradient, tmp_path,
                             cost=J), reference=False)


def test_numpy_flat(tmp_path):
    batch, theta, gradient, J = hand_written()
    flat, slopes = (np.concatenate([value.ravel() for value in d.values()])
                    for d in (theta, gradient))
    files = numpy_recipe.export(NETWORK, batch, flat, slopes, tmp_path)
    if PROGRAM:
        assert verdict(files)[0] == 0
        wrong = recipe_files.save(tmp_path / "wrong", {"theta": 1.5 * slopes})
        assert verdict(files, wrong)[0] == 1
    with pytest.raises(ValueError, match="both dicts"):
        numpy_recipe.export(NETWORK, batch, theta, slopes, tmp_path)


def test_numpy_with_a_model_that_is_there(tmp_path):
    batch, theta, gradient, J = hand_written()
    first = numpy_recipe.export(NETWORK, batch, theta, gradient, tmp_path)
    again = numpy_recipe.export(first.model, batch, theta, gradient,
                                tmp_path / "again", cost=J)
    assert again.model.samefile(first.model)
    hold(again, reference=False)
