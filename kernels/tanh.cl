// tanh(x) = 2 sigmoid(2x) - 1. Coefficients: s = sigmoid(2x), t = sigmoid(-2x).
// Needs sigmoid.cl. CPU twin: Primitives/Tanh.swift.

ALWAYS_INLINE realv tanh_difference(realv d, const realv *c, const real *a) {
  return (realv)(2) * sigmoid_step((realv)(2) * d, c[0], c[1]);
}

static inline realv tanh_value(realv x, const realv *c, const real *a) { return tanh(x); }
