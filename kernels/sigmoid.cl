// sigmoid(x), and the difference that tanh, SiLU and the tanh form of GELU are made of.
// Coefficients: s = sigmoid(x), t = sigmoid(-x). Needs small.cl.
// CPU twin: Primitives/Elements/Sigmoid.swift.

// sigmoid(x + d) - sigmoid(x) with every term positive: nothing overflows, for every size of d.
static inline realv sigmoid_long_step(realv d, realv s, realv t) {
  const realv a = -fabs(d);
  const realv q = d >= (realv)(0) ? s : t;
  const realv r = d >= (realv)(0) ? t : s;
  return copysign(s * t * -expm1(a) / (q + r * exp(a)), d);
}

// The same, of a small step s t expm1(d) / (1 + s expm1(d)).
ALWAYS_INLINE realv sigmoid_step(realv d, realv s, realv t) {
  const realv e = small_expm1(d);
  const realv near = s * t * e * small_reciprocal(s * e);
  if (ALL_SMALL(d))
    return near;
  return SELECT(sigmoid_long_step(d, s, t), near, IS_SMALL(d));
}

static inline realv sigmoid_of(realv x) { return (realv)(1) / ((realv)(1) + exp(-x)); }

static inline realv sigmoid_difference(realv d, const realv *c, const real *a) {
  return sigmoid_step(d, c[0], c[1]);
}

static inline realv sigmoid_value(realv x, const realv *c, const real *a) { return sigmoid_of(x); }
