// softplus(x) = log(1 + exp(x)), and the binary cross-entropy on logits that is made of it.
// Coefficients: s = sigmoid(x), t = sigmoid(-x); for the cross-entropy also the target y.
// Needs small.cl. CPU twin: Primitives/Elements/Softplus.swift.

// softplus(x + d) - softplus(x): log1p(u), u = s expm1(d), while u > -1/2; below that
// log(t + s exp(d)); where expm1 could overflow, d + log(s + t exp(-d)).
static inline realv softplus_step(realv d, realv s, realv t) {
  const realv first = s * small_expm1(d);
  const realv series = small_log1p(first);
  if (ALL_SMALL(d))
    return series;
  const realv u = s * expm1(fmin(d, (realv)(80)));
  const realv near = SELECT(log1p(fmax(u, (realv)(-0.5f))), series, IS_SMALL(d));
  if (!ANY(u <= (realv)(-0.5f)) && !ANY(d > (realv)(80)))
    return near;
  const realv falling = log(t + s * exp(fmin(d, (realv)(0))));
  const realv rising = d + log(s + t * exp(-fmax(d, (realv)(0))));
  return d > (realv)(80) ? rising : (u > (realv)(-0.5f) ? near : falling);
}

static inline realv softplus_of(realv x) { return fmax(x, (realv)(0)) + log1p(exp(-fabs(x))); }

static inline realv softplus_difference(realv d, const realv *c, const real *a) {
  return softplus_step(d, c[0], c[1]);
}

static inline realv softplus_value(realv x, const realv *c, const real *a) { return softplus_of(x); }

// y softplus(-x) + (1 - y) softplus(x): no two terms cancel where y is 0 or 1.
static inline realv logistic_cost_difference(realv d, const realv *c, const real *a) {
  return c[2] * softplus_step(-d, c[1], c[0]) +
         ((realv)(1) - c[2]) * softplus_step(d, c[0], c[1]);
}

static inline realv logistic_cost_value(realv x, const realv *c, const real *a) {
  return c[2] * softplus_of(-x) + ((realv)(1) - c[2]) * softplus_of(x);
}
