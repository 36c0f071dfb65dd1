"""The cases: networks, and what is done to their parameters and batches."""

from functools import partial

import numpy as np

CASES = []


def dense(units, activation="identity", **options):
    """A layer; its parameters are named when the network is put together."""
    return {"units": units, "activation": activation, **options}


def network(layers, loss, inputs=4, layout="[out, in]", **options):
    """The network file. Options: `names` of weights and biases, and
    `regularization`."""
    names = options.get("names", ("W{}", "b{}"))
    for k, layer in enumerate(layers, 1):
        layer["weights"] = names[0].format(k)
        biases = layer.pop("biases", True)
        layer["biases"] = names[1].format(k) if biases else False
    model = {"schema": "gpucheck.network/1", "inputs": inputs,
             "weightLayout": layout, "layers": layers, "loss": loss}
    if "regularization" in options:
        model["regularization"] = options["regularization"]
    return model


def single(array):
    """float64, rounded to numbers that float32 holds."""
    return np.asarray(array).astype(np.float32).astype(np.float64)


def add(name, about, model, batch=6, gain=1.5, **options):
    """Adds a case.

    Options: `edit(theta, data, rng)` changes what was drawn, and returns True
    to have it drawn again; `tied`, `zero` as in cases.json; `cancels` where
    the whole gradient does, `dead` where zeros must be zero bit by bit.
    `bar` as in cases.json.
    """
    CASES.append({
        "name": name, "about": about, "model": model, "batch": batch,
        "gain": gain, "number": len(CASES), "edit": options.get("edit"),
        "tied": options.get("tied", []), "zero": options.get("zero", []),
        "cancels": options.get("cancels", False),
        "dead": options.get("dead", False),
        "bar": options.get("bar", 1e-14)})


def cross_entropy(batch="mean", **options):
    return {"type": "softmax-cross-entropy", "batch": batch, **options}


def loss(kind, batch="mean", outputs="mean", **options):
    return {"type": kind, "batch": batch, "outputs": outputs, **options}


def add_activations():
    """Every activation, in two hidden layers."""
    def hidden(name, activation, about):
        add(f"activation-{name}", about,
            network([dense(5, activation), dense(4, activation), dense(3)],
                    cross_entropy()), batch=5)

    for name in ("identity", "relu", "selu", "tanh", "sigmoid", "softplus",
                 "silu", "gelu", "gelu-tanh", "softmax"):
        hidden(name, name, f"{name} in two hidden layers")
    hidden("leaky-relu", {"type": "leaky-relu", "slope": 0.2}, "slope 0.2")
    hidden("leaky-relu-default", "leaky-relu", "slope 0.01 by default")
    hidden("elu", {"type": "elu", "alpha": 1}, "alpha 1: no kink")
    hidden("elu-0.7", {"type": "elu", "alpha": 0.7}, "alpha 0.7: a kink")
    hidden("elu-default", "elu", "alpha 1 by default")
    add("activation-softmax-output", "softmax as output, squared error",
        network([dense(5, "tanh"), dense(4, "softmax")],
                loss("mean-squared-error", outputs="sum")))


def add_losses():
    """Every loss, with both reductions over the batch and the outputs."""
    def layers(output="identity"):
        return [dense(5, "tanh"), dense(3, output)]

    def probabilities(theta, data, rng):
        data["y"] = rng.multinomial(8, [0.5, 0.3, 0.2], len(data["x"])) / 8

    def smoothed(theta, data, rng):
        label = np.eye(3)[data["y"]]
        data["y"] = single(0.9 * label + 0.1 / 3)

    for batch in ("mean", "sum"):
        add(f"loss-cross-entropy-{batch}", "class indices",
            network(layers(), cross_entropy(batch)))
        add(f"loss-cross-entropy-probabilities-{batch}",
            "targets are probabilities, sums exactly 1",
            network(layers(), cross_entropy(batch)), edit=probabilities)
    add("loss-cross-entropy-smoothed",
        "label smoothing; the targets' sums are 1 up to float32 rounding",
        network(layers(), cross_entropy()), edit=smoothed)
    add("loss-cross-entropy-factor", "factor 0.5, and l2 outside of it",
        network(layers(), cross_entropy(factor=0.5),
                regularization={"l2": 0.1}))

    squared = "mean-squared-error"
    logits, binary = ("binary-cross-entropy-with-logits",
                      "binary-cross-entropy")
    for kind, reductions, options in (
            (logits, ("mean-mean", "sum-sum"), {}),
            (binary, ("mean-sum", "sum-mean"), {}),
            (squared, ("mean-mean", "mean-sum", "sum-mean", "sum-sum"), {}),
            ("huber", ("mean-sum", "sum-mean"), {"delta": 0.5}),
            ("hinge", ("mean-mean", "sum-sum"), {"margin": 0.5})):
        for reduction in reductions:
            batch, outputs = reduction.split("-")
            add(f"loss-{kind}-{reduction}",
                f"{batch} over the batch, {outputs} over the outputs",
                network(layers("sigmoid" if kind == binary else "identity"),
                        loss(kind, batch, outputs, **options)), batch=7)
    add("loss-huber-delta-1", "delta 1",
        network(layers(), loss("huber", delta=1)))
    add("loss-hinge-margin-1", "margin 1, one output",
        network([dense(5, "tanh"), dense(1)], loss("hinge", margin=1)))
    add("loss-multiclass-hinge-mean", "margin 1",
        network([dense(5, "tanh"), dense(4)],
                {"type": "multiclass-hinge", "batch": "mean", "margin": 1}))
    add("loss-multiclass-hinge-sum", "margin 0.5",
        network([dense(5, "tanh"), dense(4)],
                {"type": "multiclass-hinge", "batch": "sum", "margin": 0.5}))
    add("loss-half-squared-error", "half the squared norm: factor 0.5",
        network(layers(), loss(squared, "mean", "sum", factor=0.5)))
    add("loss-logistic-regression", "one layer, one output",
        network([dense(1)], loss(logits)), batch=9)


def add_structure():
    """Layouts, missing biases, regularisers, dropout."""
    def layers(activation="tanh", **options):
        return [dense(6, activation, **options), dense(4, activation),
                dense(3)]

    def regularised_case(name, about, **regularization):
        add(name, about, network(layers(), cross_entropy(),
                                 regularization=regularization))

    add("one-layer", "softmax regression",
        network([dense(3)], cross_entropy()), batch=9)
    add("no-bias", "first and last layer without a bias, PyTorch's names",
        network([dense(5, "tanh", biases=False), dense(4, "relu"),
                 dense(3, biases=False)], cross_entropy(),
                names=("fc{}.weight", "fc{}.bias")))
    add("layout-in-out", "weights [in, out]",
        network(layers(), cross_entropy(), layout="[in, out]",
                regularization={"l2": 0.01}))
    add("layout-square", "[in, out] and square: shapes cannot tell",
        network([dense(4, "sigmoid"), dense(4, "tanh"), dense(4)],
                cross_entropy(), layout="[in, out]"))
    regularised_case("l2", "over the weights", l2=0.01, l1=0,
                     perSample=False, over="weights")
    regularised_case("l1", "over the weights", l1=0.02)
    regularised_case("l2-per-sample", "lambda/2m", l2=0.5, perSample=True)
    regularised_case("l2-everything", "biases too", l2=0.3,
                     over="everything")
    regularised_case("l1-l2-everything-per-sample", "all at once", l2=0.7,
                     l1=0.25, perSample=True, over="everything")

    def mask(theta, data, rng):
        keep = rng.random((len(data["x"]), 6)) < 0.75
        data["m1"] = single(keep / 0.75)

    def unit_mask(theta, data, rng):
        data["keep"] = np.array([2.0, 0, 2, 2, 0, 0])
        data["m2"] = single(rng.choice([0, 1.25], (len(data["x"]), 4)))

    add("dropout-mask", "inverted dropout, [batch, units]",
        network(layers("gelu", dropout={"mask": "m1"}), cross_entropy()),
        edit=mask)
    masked = layers("sigmoid", dropout={"mask": "keep"})
    masked[1]["dropout"] = {"mask": "m2"}
    add("dropout-mask-units", "[units] in one layer, [batch, units] in the "
        "next", network(masked, loss("mean-squared-error")), edit=unit_mask)
    add("dropout-keep-all", "keep-all is the identity",
        network(layers("silu", dropout="keep-all"), cross_entropy()))


def add_extremes():
    """Dead units, ties, saturation and cancellation."""
    def dead(theta, data, rng):
        theta["b1"][2] = -20
        theta["W2"][1] = -abs(theta["W2"][1])
        theta["b2"][1] = -3

    add("dead-relu", "unit 2 of layer 1 and unit 1 of layer 2 never fire: "
        "their gradients are exactly zero",
        network([dense(5, "relu"), dense(4, "relu"), dense(3)],
                cross_entropy()), edit=dead, dead=True)

    def all_zero(theta, data, rng):
        theta["W2"][:] = 0
        theta["b2"][:] = 0

    add("tied-relu", "layer 2 is all zero: each of its pre-activations sits "
        "on the kink of ReLU",
        network([dense(5, "tanh"), dense(4, "relu"), dense(3)],
                cross_entropy()), edit=all_zero,
        tied=["W2", "b2"], zero=["W1", "b1", "W3"])

    def fit(theta, data, rng, logit=20, wrong=False):
        """Last layer solved for logits of about +20 and -20."""
        a = np.tanh(data["x"] @ theta["W1"].T + theta["b1"])
        labels = data["y"]
        goal = -logit + rng.standard_normal((len(a), 3))
        goal[np.arange(len(a)), labels] += 2 * logit
        solved = np.linalg.lstsq(a, goal - theta["b2"], rcond=None)[0]
        theta["W2"] = solved.T.copy()
        if wrong:
            labels[3] = (labels[3] + 1) % 3
        return abs(solved).max() > 1.5 * logit or len(set(labels)) < 3

    for name, about, options in (
            ("trained", "logits of about 5 and -5, all labels right",
             {"logit": 5}),
            ("saturated", "logits of about 20 and -20, all labels right: J "
             "is tiny, and log-sum-exp minus z_y has no digits of it", {}),
            ("saturated-wrong", "the same with one wrong label",
             {"wrong": True})):
        add(name, about,
            network([dense(8, "tanh"), dense(3)], cross_entropy()), gain=3,
            edit=partial(fit, **options),
            bar=5e-14 if name == "saturated" else 1e-14)

    def binary_saturated(theta, data, rng):
        theta["W2"] *= 12
        data["y"] = rng.choice([0.0, 1.0], data["y"].shape)

    add("saturated-binary", "logits of about 20 and -20, labels at random",
        network([dense(5, "tanh"), dense(3)],
                loss("binary-cross-entropy-with-logits", "mean", "sum")),
        gain=3, edit=binary_saturated)

    def opposite(theta, data, rng):
        half = len(data["x"]) // 2
        data["x"][half:] = data["x"][:half]
        data["y"][half:] = -data["y"][:half]
        theta["W2"] *= 0.2

    tensors = ["W1", "b1", "W2", "b2"]
    add("cancelling-hinge", "samples in pairs, same x, opposite labels: the "
        "gradient is zero up to rounding",
        network([dense(5, "tanh"), dense(3)], loss("hinge", margin=1)),
        edit=opposite, zero=tensors, cancels=True)

    def opposite_classes(theta, data, rng):
        half = len(data["x"]) // 2
        data["x"][half:] = data["x"][:half]
        data["y"][half:] = 1 - data["y"][:half]
        theta["W2"][:] = 0
        theta["b2"][:] = 0.25

    add("cancelling-cross-entropy", "the same with two classes and equal "
        "logits; layer 2 is zero, so layer 1 is exactly",
        network([dense(5, "sigmoid"), dense(2)], cross_entropy()), batch=8,
        edit=opposite_classes, zero=tensors, cancels=True)


def all_cases():
    """The table of cases."""
    add_activations()
    add_losses()
    add_structure()
    add_extremes()
    return CASES
