"""Writes rules.npz: exact finite differences of every element function.

    pip install numpy mpmath
    python3 make_rules.py

One array a function, named as the registry names it, with the columns

    x            the element at theta
    d            its step
    y            the constant second operand, 0 where there is none
    difference   f(x + d) - f(x) at 60 digits, rounded once to double
    scale        the size of the terms that the exact rule adds up, to which its
                 error is relative: the difference itself where nothing cancels

x, d and y are float32 numbers, so that both precisions are asked the same. x
covers [-20, 20] and |d| [1e-12, 10]; for probabilities x and x + d stay away
from 0 and 1.
"""

from pathlib import Path

import mpmath
import numpy as np
from mpmath import mpf

mpmath.mp.dps = 60
RANDOM = np.random.default_rng(20)

ONE = mpf(1)
CUBIC = mpf("0.044715")
SELU_ALPHA = mpf("1.6732632423543772848170429916717")
SELU_SCALE = mpf("1.0507009873554804934193349852946")


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x))


def distribution(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def tanh_gate(x):
    return sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (x + CUBIC * x**3))


# A rule takes (x, d, y) and returns the terms of the difference, and its scale where that is more
# than the size of the terms.


def smooth(f):
    return lambda x, d, y: ([f(x + d) - f(x)], 0)


def gated(gate):
    return lambda x, d, y: ([d * gate(x), (x + d) * (gate(x + d) - gate(x))], 0)


def pieces(left, right, rounded=False, margin=None):
    """Piecewise in m, with a kink at 0: the step's parts on both sides of it. Where m itself is
    rounded, a step across the kink is exact relative to the whole step only."""

    def rule(x, d, y):
        m, step = (x, d) if margin is None else (margin - y * x, -y * d)
        low = min(step, -m) - min(0, -m)
        high = max(step, -m) - max(0, -m)
        crosses = low != 0 and high != 0
        return [left(m, low), right * high], abs(step) if rounded and crosses else 0

    return rule


def straight(left, right, **options):
    return pieces(lambda m, low: left * low, mpf(right), **options)


def exponential(alpha, scale):
    def left(m, low):
        return alpha * (mpmath.exp(min(m, 0) + low) - mpmath.exp(min(m, 0)))

    return pieces(left, scale)


def square(x, d, y):
    return [2 * d * (x - y), d * d], 0


def huber(delta):
    def rule(x, d, y):
        r = x - y
        low, high = -delta - r, delta - r
        start, end = min(max(0, low), high), min(max(d, low), high)
        above = max(d, high) - max(0, high)
        below = min(d, low) - min(0, low)
        terms = [
            (end - start) * r, (end - start) * (start + end) / 2, delta * above, -delta * below]
        return terms, 0

    return rule


def logistic_cost(x, d, y):
    yes = softplus(-x - d) - softplus(-x)
    return [y * yes, (1 - y) * (softplus(x + d) - softplus(x))], 0


def binary_cross_entropy(x, d, y):
    yes = y * (mpmath.log(x) - mpmath.log(x + d)) if y > 0 else mpf(0)
    no = (1 - y) * (mpmath.log(1 - x) - mpmath.log(1 - x - d)) if y < 1 else mpf(0)
    return [yes, no], 0


def erf(x, d, y):
    """By erfc on the side where it is small: erf itself is 1 there, to all digits."""
    side = 1 if x > 0 else -1
    return [side * (mpmath.erfc(side * x) - mpmath.erfc(side * (x + d)))], 0


def sine(x, d, y):
    half = mpmath.sin(d / 2)
    return [2 * half * mpmath.cos(x) * mpmath.cos(d / 2), -2 * half * half * mpmath.sin(x)], 0


def cosine(x, d, y):
    half = mpmath.sin(d / 2)
    return [-2 * half * mpmath.sin(x) * mpmath.cos(d / 2), -2 * half * half * mpmath.cos(x)], 0


RULES = {
    "relu": straight(0, 1),
    "leaky-relu": straight(mpf(0.2), 1),
    "absolute": straight(-1, 1),
    "hinge": straight(0, 1, rounded=True, margin=ONE),
    "elu": exponential(ONE, ONE),
    "elu-0.7": exponential(mpf(0.7), ONE),
    "selu": exponential(SELU_SCALE * SELU_ALPHA, SELU_SCALE),
    "tanh": smooth(mpmath.tanh),
    "sigmoid": smooth(sigmoid),
    "softplus": smooth(softplus),
    "silu": gated(sigmoid),
    "gelu": gated(distribution),
    "gelu-tanh": gated(tanh_gate),
    "square": square,
    "squared-error": square,
    "multiply": lambda x, d, y: ([d * y], 0),
    "huber": huber(mpf(0.5)),
    "binary-cross-entropy-with-logits": logistic_cost,
    "binary-cross-entropy": binary_cross_entropy,
    "exp": smooth(mpmath.exp),
    "log": smooth(mpmath.log),
    "square-root": smooth(mpmath.sqrt),
    "reciprocal": smooth(lambda x: 1 / x),
    "erf": erf,
    "sine": sine,
    "cosine": cosine,
    "sign": smooth(mpmath.sign),
    "floor": smooth(mpmath.floor),
    "ceiling": smooth(mpmath.ceil),
    "round": smooth(mpmath.nint),
    "is-non-zero": smooth(lambda x: mpf(int(x != 0))),
}

KINKED = {"relu", "leaky-relu", "absolute", "elu", "elu-0.7", "selu"}
POSITIVE = {"log", "square-root", "reciprocal"}
JUMPS_AT_HALVES = {"floor", "ceiling", "round"}
TARGETS = {"squared-error", "multiply", "huber"}
SIZES = [1e-12, 1e-8, 1e-5, 1e-4, 9.9e-4, 1.01e-3, 1e-2, 0.1, 0.5, 0.99, 1.01, 3, 10]


def points(name):
    """x, d and y of a function, before they are rounded to float32."""
    for size in SIZES:
        for x in (0, -20, 20, RANDOM.normal()):
            yield x, size * RANDOM.choice([-1, 1]), RANDOM.random()
    for x in (-20, -14, -9, 9, 14, 20):
        for size in (0.3, 3, 9.9):
            yield x, -size if x > 0 else size, RANDOM.random()
    for number in range(150):
        x = RANDOM.uniform(-20, 20) if number % 2 else RANDOM.normal(0, 1.5)
        d = 10 ** RANDOM.uniform(-12, 1) * RANDOM.choice([-1, 1])
        yield x, d, RANDOM.random()
    if name in KINKED:
        for number in range(60):
            x = 10 ** RANDOM.uniform(-6, 0.9) * RANDOM.choice([-1, 1])
            yield x, -x * (1 + 10 ** RANDOM.uniform(-3, 0.08) * RANDOM.choice([-1, 1])), 0


def operands(name, x, d, y):
    """The domain of the function, and float32."""
    if name in POSITIVE:
        # Some way from 0, before and after the step.
        x = float(np.float32(abs(x) + 0.05))
        d, y = max(d, -0.8 * x), 0
    elif name in JUMPS_AT_HALVES:
        # Where a float32 number tells on which side of a jump it is.
        x, y = round(x) + 0.37, 0
    elif name == "hinge":
        y = 1 if y < 0.5 else -1
    elif name in TARGETS:
        y = 6 * y - 3
    elif name.startswith("binary"):
        y = (0, 1, y)[RANDOM.integers(3)]
        if name == "binary-cross-entropy":
            x = float(np.float32(RANDOM.uniform(0.02, 0.98)))
            room = 1 - x if d > 0 else x
            d = np.sign(d) * min(abs(d), 0.8 * room * RANDOM.uniform(0.5, 1))
    else:
        y = 0
    return [float(np.float32(v)) for v in (x, d, y)]


def table(name):
    rows = []
    for x, d, y in points(name):
        x, d, y = operands(name, x, d, y)
        if d == 0:
            continue
        terms, least = RULES[name](mpf(x), mpf(d), mpf(y))
        scale = max(mpmath.fsum(abs(term) for term in terms), least)
        rows.append([x, d, y, float(mpmath.fsum(terms)), float(scale)])
    return np.array(rows)


if __name__ == "__main__":
    tables = {name: table(name) for name in RULES}
    np.savez_compressed(Path(__file__).parent / "rules.npz", **tables)
