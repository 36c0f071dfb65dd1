"""Handwritten digits, 64-32-10: a real gradient to check, right and wrong.

    pip install numpy scikit-learn
    python3 examples/digits/train.py

Trains a dense network on a fixed batch of 100 digits, with a forward and a
backward pass written by hand in NumPy. At two points of the training, early
(this folder) and late (trained/), it writes the parameters, the gradient its
back-propagation computed, and the gradients of five classic mistakes.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

FOLDER = Path(__file__).resolve().parent
BATCH = 100
HIDDEN = 32
CLASSES = 10
L2 = 1e-7
LEARNING_RATE = 0.5
MOMENTUM = 0.9
EARLY_STEPS = 10
TRAINED_COST = 1e-4

BUGS = {
    "tanh-of-z": "the derivative of tanh as 1 - z^2 instead of 1 - a^2",
    "no-mean": "the 1/m of the mean over the batch is forgotten",
    "no-regulariser": "the l2 * W of the regulariser is forgotten",
    "transposed-W2": "dW2 is the transposed product, reshaped to fit",
    "bias-not-summed": "the bias gradients take the first sample only",
}

MODEL = {
    "schema": "gpucheck.network/1",
    "inputs": 64,
    "weightLayout": "[out, in]",
    "layers": [
        {"units": HIDDEN, "activation": "tanh",
         "weights": "W1", "biases": "b1"},
        {"units": CLASSES, "activation": "identity",
         "weights": "W2", "biases": "b2"},
    ],
    "loss": {"type": "softmax-cross-entropy", "batch": "mean"},
    "regularization": {"l2": L2, "over": "weights"},
}


def load_batch(rng):
    """100 digits drawn at random: pixels in [0, 1] `[100, 64]`, classes."""
    digits = load_digits()
    chosen = rng.choice(len(digits.target), BATCH, replace=False)
    x = digits.data[chosen] / 16.0
    return x, digits.target[chosen].astype(np.int64)


def initial_parameters(rng):
    """Weights `[out, in]` of variance 1/in, biases zero."""
    return {
        "W1": rng.standard_normal((HIDDEN, 64)) / np.sqrt(64),
        "b1": np.zeros(HIDDEN),
        "W2": rng.standard_normal((CLASSES, HIDDEN)) / np.sqrt(HIDDEN),
        "b2": np.zeros(CLASSES),
    }


def forward(theta, x):
    """Pre-activations and activations of both layers."""
    z1 = x @ theta["W1"].T + theta["b1"]
    a1 = np.tanh(z1)
    z2 = a1 @ theta["W2"].T + theta["b2"]
    return z1, a1, z2


def cost(theta, x, y):
    """J = mean cross-entropy + l2/2 * (sum of the squared weights).

    Each sample's loss is taken relative to its label, log(1 + sum of
    exp(z_c - z_y) over the other classes), which keeps its digits when the
    network is sure of itself.
    """
    _, _, z = forward(theta, x)
    rows = np.arange(len(y))
    relative = z - z[rows, y][:, None]
    relative[rows, y] = -np.inf
    loss = np.log1p(np.exp(relative).sum(axis=1)).mean()
    squares = sum((theta[name] ** 2).sum() for name in ("W1", "W2"))
    return float(loss + L2 / 2 * squares)


def backward(theta, x, y, bug=None):
    """The gradient of J, in the precision of its arguments.

    `bug` plants one of the mistakes of BUGS.
    """
    z1, a1, z2 = forward(theta, x)

    p = np.exp(z2 - z2.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    dz2 = p
    dz2[np.arange(len(y)), y] -= 1
    if bug != "no-mean":
        dz2 /= len(y)
    slope = 1 - (z1 if bug == "tanh-of-z" else a1) ** 2
    dz1 = (dz2 @ theta["W2"]) * slope

    if bug == "transposed-W2":
        dw2 = (a1.T @ dz2).reshape(theta["W2"].shape)
    else:
        dw2 = dz2.T @ a1
    dw1 = dz1.T @ x
    if bug != "no-regulariser":
        dw1 += L2 * theta["W1"]
        dw2 += L2 * theta["W2"]
    if bug == "bias-not-summed":
        db1, db2 = dz1[0], dz2[0]
    else:
        db1, db2 = dz1.sum(axis=0), dz2.sum(axis=0)
    return {"W1": dw1, "b1": db1, "W2": dw2, "b2": db2}


def train(theta, x, y):
    """Full-batch momentum; yields the parameters after each step."""
    velocity = {name: np.zeros_like(value) for name, value in theta.items()}
    while True:
        gradient = backward(theta, x, y)
        for name in theta:
            velocity[name] *= MOMENTUM
            velocity[name] -= LEARNING_RATE * gradient[name]
            theta[name] = theta[name] + velocity[name]
        yield theta


def rounded(theta):
    """float64 parameters that float32 code can hold as they are."""
    return {name: value.astype(np.float32).astype(np.float64)
            for name, value in theta.items()}


def distance(a, b):
    """|a - b| / (|a| + |b|) over all the tensors of two gradients."""
    a, b = (np.concatenate([np.ravel(g[name]).astype(np.float64)
                            for name in a]) for g in (a, b))
    difference = np.linalg.norm(a - b)
    return float(difference / (np.linalg.norm(a) + np.linalg.norm(b)))


def write_point(folder, theta, x, y):
    """Writes one point of the training; returns what expected.json says."""
    folder.mkdir(exist_ok=True)
    single = {name: value.astype(np.float32)
              for name, value in theta.items()}
    right = backward(theta, x, y)
    gradients = {
        "gradient": (right, "right, float64"),
        "gradient-f32": (backward(single, x.astype(np.float32), y),
                         "right, all of it computed in float32"),
    }
    for bug, about in BUGS.items():
        gradients[f"wrong-{bug}"] = (backward(theta, x, y, bug), about)

    np.savez_compressed(folder / "parameters.npz", **theta)
    expected = {"cost": cost(theta, x, y), "gradients": {}}
    for stem, (gradient, about) in gradients.items():
        np.savez_compressed(folder / f"{stem}.npz", **gradient)
        wrong = [name for name in right if stem.startswith("wrong")
                 and not np.array_equal(gradient[name], right[name])]
        expected["gradients"][f"{stem}.npz"] = {
            "about": about,
            "wrong": wrong,
            "distance": distance(gradient, right),
            "tensorDistances": {
                name: distance({name: gradient[name]}, {name: right[name]})
                for name in right},
        }
    write_json(folder / "expected.json", expected)
    return expected


def write_json(path, value):
    """Writes JSON for people to read; floats keep all their digits."""
    path.write_text(json.dumps(value, indent=2) + "\n")


def main():
    rng = np.random.default_rng(2024)
    x, y = load_batch(rng)
    write_json(FOLDER / "model.json", MODEL)
    np.savez_compressed(FOLDER / "batch.npz", x=x, y=y)

    for step, theta in enumerate(train(initial_parameters(rng), x, y), 1):
        point = rounded(theta)
        if step == EARLY_STEPS:
            report(step, write_point(FOLDER, point, x, y))
        if cost(point, x, y) <= TRAINED_COST:
            report(step, write_point(FOLDER / "trained", point, x, y))
            break


def report(step, expected):
    """Prints what was written at one point of the training."""
    print(f"step {step}: J = {expected['cost']!r}")
    for name, entry in expected["gradients"].items():
        wrong = ", ".join(entry["wrong"]) or "nothing"
        print(f"  {name:28} {entry['distance']:.3e}  {wrong} wrong")


if __name__ == "__main__":
    main()
