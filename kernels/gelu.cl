// GELU: x Phi(x), Phi the normal distribution function, and its tanh form
// x/2 (1 + tanh(k (x + 0.044715 x^3))) = x sigmoid(2k (x + 0.044715 x^3)), k = sqrt(2 / pi).
// Coefficients: x, Phi(x), phi(x); in the tanh form x, s = sigmoid(2u), t = sigmoid(-2u).
// Needs sigmoid.cl. CPU twin: Primitives/GELU.swift.

#define GELU_CUBIC ((real)0.044715)
#define GELU_TWO_K ((real)1.5957691216057307117597842397375)
#define GELU_SQRT_HALF ((real)0.70710678118654752440084436210485)

// The least normal number: below it a gate has lost its digits.
#ifdef REAL_IS_DOUBLE
#define GELU_LEAST DBL_MIN
#else
#define GELU_LEAST FLT_MIN
#endif

// One node of the Gauss-Legendre rule on [0, d] for the density relative to its value at x.
static inline realv normal_node(realv d, realv x, real at, real weight) {
  const realv h = (realv)(at) * d;
  return (realv)(weight) * exp(-h * (x + (realv)(0.5f) * h));
}

// Phi(x + d) - Phi(x) = phi(x) d (integral over [0, 1] of exp(-h (x + h/2)), h = at d).
// Where the step is small against 1/max(1, |x|) the series in d with six terms, up to a step of
// one such unit eight Gauss-Legendre nodes, and beyond that the difference of erfc on the side
// where it keeps its digits: there the two values differ by a factor, so nothing cancels.
static inline realv normal_step(realv d, realv x, realv density) {
  const realv size = fabs(d) * fmax((realv)(1), fabs(x));
  // Hermite polynomials: He2 = x^2 - 1, He3 = x He2 - 2 x, ...
  const realv h2 = x * x - (realv)(1);
  const realv h3 = x * (h2 - (realv)(2));
  const realv h4 = x * h3 - (realv)(3) * h2;
  const realv h5 = x * h4 - (realv)(4) * h3;
  realv series = h4 * (realv)(R(8.33333333333333333e-3)) -
                 d * h5 * (realv)(R(1.38888888888888889e-3));
  series = d * series - h3 * (realv)(R(4.16666666666666667e-2));
  series = d * series + h2 * (realv)(R(0.166666666666666667));
  series = d * series - (realv)(0.5f) * x;
  series = density * d * ((realv)(1) + d * series);
  const maskv is_small = size <= (realv)(1e-3f);
  if (!ANY(!is_small))
    return series;
  const realv inner = clamp(d, -(realv)(1) / fmax((realv)(1), fabs(x)),
                            (realv)(1) / fmax((realv)(1), fabs(x)));
  realv sum = normal_node(inner, x, (real)0.01985507175123188, (real)0.05061426814518813);
  sum += normal_node(inner, x, (real)0.10166676129318664, (real)0.11119051722668724);
  sum += normal_node(inner, x, (real)0.2372337950418355, (real)0.15685332293894363);
  sum += normal_node(inner, x, (real)0.4082826787521751, (real)0.18134189168918100);
  sum += normal_node(inner, x, (real)0.5917173212478249, (real)0.18134189168918100);
  sum += normal_node(inner, x, (real)0.7627662049581645, (real)0.15685332293894363);
  sum += normal_node(inner, x, (real)0.8983332387068134, (real)0.11119051722668724);
  sum += normal_node(inner, x, (real)0.9801449282487681, (real)0.05061426814518813);
  const realv near = SELECT(density * inner * sum, series, is_small);
  if (!ANY(size > (realv)(1)))
    return near;
  const realv z = x + d;
  // Both on one side: tails; on two sides: a sum of two areas.
  const realv side = copysign((realv)(1), x + z);
  const realv tails = side * (realv)(0.5f) * (erfc(fabs(x) * GELU_SQRT_HALF) -
                                              erfc(fabs(z) * GELU_SQRT_HALF));
  const realv areas = copysign((realv)(0.5f), d) *
                      (erf(fabs(z) * GELU_SQRT_HALF) + erf(fabs(x) * GELU_SQRT_HALF));
  const realv far = x * z < (realv)(0) ? areas : tails;
  return size > (realv)(1) ? far : near;
}

static inline realv gelu_difference(realv d, const realv *c, const real *a) {
  return d * c[1] + (c[0] + d) * normal_step(d, c[0], c[2]);
}

static inline realv gelu_value(realv x, const realv *c, const real *a) {
  return x * (realv)(0.5f) * erfc(-x * GELU_SQRT_HALF);
}

static inline realv gelu_tanh_argument(realv x) {
  return (realv)(GELU_TWO_K) * x * ((realv)(1) + (realv)(GELU_CUBIC) * x * x);
}

// 2u(x + d) - 2u(x) = 2k d (1 + 0.044715 (3 x (x + d) + d^2)).
static inline realv gelu_tanh_difference(realv d, const realv *c, const real *a) {
  const realv x = c[0];
  const realv inner = (realv)(GELU_TWO_K) * d *
                      ((realv)(1) + (realv)(GELU_CUBIC) * ((realv)(3) * x * (x + d) + d * d));
  realv step = sigmoid_step(inner, c[1], c[2]);
  const maskv lost = fmin(c[1], c[2]) < (realv)(GELU_LEAST);
  if (ANY(lost)) {
    // One gate has underflowed, so that the other's step is all that it comes to.
    const realv moved = gelu_tanh_argument(x + d);
    const realv all = c[1] > c[2] ? c[2] - sigmoid_of(-moved) : sigmoid_of(moved) - c[1];
    step = lost ? all : step;
  }
  return d * c[1] + (x + d) * step;
}

static inline realv gelu_tanh_value(realv x, const realv *c, const real *a) {
  return x * sigmoid_of(gelu_tanh_argument(x));
}

// erf(x) = 2 Phi(sqrt(2) x) - 1. Coefficients: sqrt(2) x, phi(sqrt(2) x).
static inline realv erf_difference(realv d, const realv *c, const real *a) {
  return (realv)(2) * normal_step(d * ((real)1.4142135623730950488016887242097), c[0], c[1]);
}

static inline realv erf_value(realv x, const realv *c, const real *a) { return erf(x); }
