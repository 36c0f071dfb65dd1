// tanh(x) = 2 sigmoid(2x) - 1. Coefficients: y = tanh(x), p = 1 - y^2.
// Needs sigmoid.cl. CPU twin: Primitives/Elements/Tanh.swift.

// A large step by the sigmoids of 2x and -2x, of which the small one comes from p and keeps its digits.
static inline realv tanh_long_step(realv d, realv y, realv p) {
  const realv large = (realv)(0.5f) + (realv)(0.5f) * fabs(y);
  const realv small = (realv)(0.25f) * p / large;
  const maskv is_below = y < (realv)(0);
  return (realv)(2) * sigmoid_long_step((realv)(2) * d, SELECT(large, small, is_below),
                                        SELECT(small, large, is_below));
}

// p t / (1 + y t) with t = tanh(d), of a small step d - d^3/3 + 2 d^5/15. The next term is 17 d^6/315 of d.
ALWAYS_INLINE realv tanh_difference(realv d, const realv *c, const real *a) {
  const realv square = d * d;
  const realv rest = fma(square, (realv)(R(0.133333333333333333)), (realv)(R(-0.333333333333333333)));
  const realv t = fma(d * square, rest, d);
  const realv near = c[1] * t * small_reciprocal(c[0] * t);
  if (ALL_SMALL(d))
    return near;
  return SELECT(tanh_long_step(d, c[0], c[1]), near, IS_SMALL(d));
}

static inline realv tanh_value(realv x, const realv *c, const real *a) { return tanh(x); }
