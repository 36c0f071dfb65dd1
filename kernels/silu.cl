// SiLU, x sigmoid(x). Coefficients: x, s = sigmoid(x), t = sigmoid(-x).
// Needs sigmoid.cl. CPU twin: Primitives/SiLU.swift.

static inline realv silu_difference(realv d, const realv *c, const real *a) {
  return d * c[1] + (c[0] + d) * sigmoid_step(d, c[1], c[2]);
}

static inline realv silu_value(realv x, const realv *c, const real *a) { return x * sigmoid_of(x); }
