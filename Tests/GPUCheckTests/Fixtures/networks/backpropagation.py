"""Cost and back-propagation of a network file, by hand in NumPy.

In the precision of its arguments, and in forms that keep their digits: a
label-relative cross-entropy, sech^2 from exp(-2|z|), tails from erfc.
"""

import math

import numpy as np
from scipy.special import erfc

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
CLASS_LOSSES = ("softmax-cross-entropy", "multiclass-hinge")


# Activations: value, and the pull-back of a derivative.

def sigmoid(z):
    e = np.exp(-abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def sech2(z):
    e = np.exp(-2 * abs(z))
    return 4 * e / (1 + e) ** 2


def normal_cdf(z):
    return erfc(-z * z.dtype.type(math.sqrt(0.5))) / 2


def activation_of(layer):
    """Name, slope and alpha of a layer's activation."""
    activation = layer["activation"]
    if isinstance(activation, str):
        activation = {"type": activation}
    return (activation["type"], activation.get("slope", 0.01),
            activation.get("alpha", 1.0))


def activate(layer, z):
    """a = activation(z), and the function that takes dJ/da to dJ/dz."""
    kind, slope, alpha = activation_of(layer)
    scale = 1.0
    if kind == "selu":
        kind, scale, alpha = "elu", SELU_SCALE, SELU_ALPHA
    one = np.ones_like(z)
    if kind == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        a = e / e.sum(axis=1, keepdims=True)
        return a, lambda da: a * (da - (da * a).sum(axis=1, keepdims=True))
    if kind == "identity":
        a, d = z, one
    elif kind == "relu":
        a, d = np.maximum(z, 0), one * (z > 0)
    elif kind == "leaky-relu":
        a = np.where(z > 0, z, slope * z)
        d = np.where(z > 0, one, slope * one)
    elif kind == "elu":
        below = np.minimum(z, 0)
        a = scale * np.where(z > 0, z, alpha * np.expm1(below))
        d = scale * np.where(z > 0, one, alpha * np.exp(below))
    elif kind == "tanh":
        a, d = np.tanh(z), sech2(z)
    elif kind == "sigmoid":
        a, d = sigmoid(z), sigmoid(z) * sigmoid(-z)
    elif kind == "softplus":
        a, d = np.maximum(z, 0) + np.log1p(np.exp(-abs(z))), sigmoid(z)
    elif kind == "silu":
        s = sigmoid(z)
        a, d = z * s, s * (1 + z * sigmoid(-z))
    elif kind == "gelu":
        density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        a, d = z * normal_cdf(z), normal_cdf(z) + z * density
    elif kind == "gelu-tanh":
        # (1 + tanh u) / 2 = sigmoid(2u)
        c = math.sqrt(2 / math.pi)
        twice = 2 * c * (z + 0.044715 * z * z * z)
        s, t = sigmoid(twice), sigmoid(-twice)
        a = z * s
        d = s + z * s * t * (2 * c * (1 + 3 * 0.044715 * z * z))
    else:
        raise ValueError(kind)
    return a, lambda da: da * d


# Losses: the terms to be put together, and their derivatives.

def loss_terms(loss, p, y):
    """Terms `[batch]` or `[batch, outputs]`, and their derivatives by p."""
    kind = loss["type"]
    if kind == "softmax-cross-entropy":
        if y.ndim == 1:
            y = np.eye(p.shape[1], dtype=p.dtype)[y]
        # log-sum-exp relative to each class in turn: -log p_c >= 0
        others = ~np.eye(p.shape[1], dtype=bool)
        rest = p[:, None, :] - p[:, :, None]
        top = np.maximum(np.where(others, rest, -np.inf).max(axis=2), 0)
        e = np.where(others, np.exp(rest - top[:, :, None]), 0).sum(axis=2)
        surprise = np.where(top == 0, np.log1p(e),
                            top + np.log(np.exp(-top) + e))
        q = np.exp(p - p.max(axis=1, keepdims=True))
        q /= q.sum(axis=1, keepdims=True)
        d = q * (y @ others) - y * (q @ others)
        return (y * surprise).sum(axis=1), d.astype(p.dtype)
    if kind == "multiclass-hinge":
        rows = np.arange(len(y))
        slack = p - p[rows, y][:, None] + loss["margin"]
        slack[rows, y] = 0
        d = (slack > 0).astype(p.dtype)
        d[rows, y] = -d.sum(axis=1)
        return np.maximum(slack, 0).sum(axis=1), d
    if kind == "binary-cross-entropy-with-logits":
        soft = np.log1p(np.exp(-abs(p)))
        terms = (y * (soft + np.maximum(-p, 0))
                 + (1 - y) * (soft + np.maximum(p, 0)))
        return terms, (1 - y) * sigmoid(p) - y * sigmoid(-p)
    if kind == "binary-cross-entropy":
        terms = -y * np.log(p) - (1 - y) * np.log1p(-p)
        return terms, (1 - y) / (1 - p) - y / p
    if kind == "mean-squared-error":
        return (p - y) ** 2, 2 * (p - y)
    if kind == "huber":
        delta = loss["delta"]
        r = p - y
        terms = np.where(abs(r) <= delta, r * r / 2,
                         delta * (abs(r) - delta / 2))
        return terms, np.clip(r, -delta, delta)
    if kind == "hinge":
        slack = loss["margin"] - y * p
        return np.maximum(slack, 0), -y * (slack > 0)
    raise ValueError(kind)


# The network: cost and back-propagation in the precision of its arguments.

def term_weight(loss, shape):
    """What every loss term is multiplied by in J."""
    weight = loss.get("factor", 1.0)
    if loss["batch"] == "mean":
        weight /= shape[0]
    if len(shape) == 2 and loss["outputs"] == "mean":
        weight /= shape[1]
    return weight


def regularised(model, theta, batch):
    """l2, l1 (per sample where asked) and the tensors they apply to."""
    r = model.get("regularization", {})
    divisor = batch if r.get("perSample") else 1
    names = [layer["weights"] for layer in model["layers"]]
    if r.get("over") == "everything":
        names = list(theta)
    return r.get("l2", 0.0) / divisor, r.get("l1", 0.0) / divisor, names


def cost_and_gradient(model, theta, data):
    """J as a Python float, its gradient, and the distance to a kink."""
    transposed = model["weightLayout"] == "[in, out]"
    loss, a, tape, gap = model["loss"], data["x"], [], np.inf
    for layer in model["layers"]:
        w = theta[layer["weights"]]
        w = w.T if transposed else w
        z = a @ w.T
        if layer["biases"]:
            z = z + theta[layer["biases"]]
        if activation_has_kink(layer):
            gap = min(gap, abs(z).min())
        value, pull_back = activate(layer, z)
        mask = mask_of(layer, data)
        tape.append((layer, w, a, pull_back, mask))
        a = value if mask is None else value * mask

    terms, d = loss_terms(loss, a, data["y"])
    weight = term_weight(loss, terms.shape)
    total = weight * math.fsum(terms.ravel())
    if loss["type"] == "hinge":
        gap = min(gap, abs(loss["margin"] - data["y"] * a).min())
    if loss["type"] == "multiclass-hinge":
        label = np.take_along_axis(a, data["y"][:, None], axis=1)
        slack = a - label + loss["margin"]
        gap = min(gap, abs(slack).min())

    gradient, d = {}, d * weight
    for layer, w, below, pull_back, mask in reversed(tape):
        dz = pull_back(d if mask is None else d * mask)
        dw = dz.T @ below
        gradient[layer["weights"]] = dw.T.copy() if transposed else dw
        if layer["biases"]:
            gradient[layer["biases"]] = dz.sum(axis=0)
        d = dz @ w

    l2, l1, names = regularised(model, theta, len(data["x"]))
    for name in names:
        value = theta[name]
        total += l2 / 2 * math.fsum((value * value).ravel())
        total += l1 * math.fsum(abs(value).ravel())
        gradient[name] = gradient[name] + l2 * value + l1 * np.sign(value)
        if l1:
            gap = min(gap, abs(value).min())
    return total, {name: gradient[name] for name in theta}, gap


def mask_of(layer, data):
    """The dropout mask of a layer, or None."""
    dropout = layer.get("dropout")
    return data[dropout["mask"]] if isinstance(dropout, dict) else None


def activation_has_kink(layer):
    """Whether the activation's derivative jumps somewhere."""
    kind, _, alpha = activation_of(layer)
    return (kind in ("relu", "leaky-relu", "selu")
            or (kind == "elu" and alpha != 1))


def has_kinks(model):
    """Whether J has a kink anywhere."""
    return (any(map(activation_has_kink, model["layers"]))
            or model["loss"]["type"] in ("hinge", "multiclass-hinge")
            or model.get("regularization", {}).get("l1", 0) > 0)
