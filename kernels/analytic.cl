// exp, log, square root, reciprocal, sine and cosine.
// Coefficients: exp: exp(x); log: x; the rest x (sine and cosine: sin x) and f(x) (cos x).
// CPU twin: Primitives/Elements/Analytic.swift.

static inline realv exp_difference(realv d, const realv *c, const real *a) {
  return c[0] * expm1_of(d);
}

static inline realv exp_value(realv x, const realv *c, const real *a) { return exp(x); }

static inline realv log_difference(realv d, const realv *c, const real *a) {
  const realv u = d / c[0];
  const realv near = small_log1p(u);
  return ALL_SMALL(u) ? near : SELECT(log1p(u), near, IS_SMALL(u));
}

static inline realv log_value(realv x, const realv *c, const real *a) { return log(x); }

// d / (sqrt(x) + sqrt(x + d)); 0 where nothing moves, also at x = 0.
static inline realv square_root_difference(realv d, const realv *c, const real *a) {
  return d == (realv)(0) ? d : d / (c[1] + sqrt(c[0] + d));
}

static inline realv square_root_value(realv x, const realv *c, const real *a) { return sqrt(x); }

static inline realv reciprocal_difference(realv d, const realv *c, const real *a) {
  return -d * c[1] / (c[0] + d);
}

static inline realv reciprocal_value(realv x, const realv *c, const real *a) {
  return (realv)(1) / x;
}

// 2 sin(d/2) cos(x + d/2), the second factor by the addition theorem.
static inline realv sine_difference(realv d, const realv *c, const real *a) {
  const realv half_sine = sin((realv)(0.5f) * d);
  return (realv)(2) * half_sine * (c[1] * cos((realv)(0.5f) * d) - c[0] * half_sine);
}

static inline realv sine_value(realv x, const realv *c, const real *a) { return sin(x); }

// -2 sin(d/2) sin(x + d/2).
static inline realv cosine_difference(realv d, const realv *c, const real *a) {
  const realv half_sine = sin((realv)(0.5f) * d);
  return (realv)(-2) * half_sine * (c[0] * cos((realv)(0.5f) * d) + c[1] * half_sine);
}

static inline realv cosine_value(realv x, const realv *c, const real *a) { return cos(x); }
