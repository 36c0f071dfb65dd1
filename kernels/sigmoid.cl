// sigmoid(x), and the difference that tanh, SiLU and the tanh form of GELU are made of.
// Coefficients: s = sigmoid(x), t = sigmoid(-x). CPU twin: Primitives/Sigmoid.swift.

// sigmoid(x + d) - sigmoid(x): every term positive, nothing overflows, for every size of d.
static inline realv sigmoid_step(realv d, realv s, realv t) {
  const realv a = -fabs(d);
  const realv q = d >= (realv)(0) ? s : t;
  const realv r = d >= (realv)(0) ? t : s;
  return copysign(s * t * -expm1(a) / (q + r * exp(a)), d);
}

static inline realv sigmoid_of(realv x) { return (realv)(1) / ((realv)(1) + exp(-x)); }

static inline realv sigmoid_difference(realv d, const realv *c, const real *a) {
  return sigmoid_step(d, c[0], c[1]);
}

static inline realv sigmoid_value(realv x, const realv *c, const real *a) { return sigmoid_of(x); }
