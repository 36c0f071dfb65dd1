// Series for small arguments, where most steps of a difference lie: a few multiplications in the
// place of a library's call. Their own error is below half a unit in the last place while
// |x| <= SMALL. Whoever uses them has another way for the rest, and takes it for the lanes that need
// it only: what a lane gives must not depend on its neighbours.
// CPU twin: SmallStep in Engine/CPU/LaneVector.swift.

#ifdef REAL_IS_DOUBLE
#define SMALL 0x1p-12
#else
#define SMALL 0x1p-6f
#endif

// In which lanes of x the series serve, and whether they do in all. Not where one is NaN.
#define IS_SMALL(x) (fabs(x) <= (realv)(SMALL))
#define ALL_SMALL(x) (!ANY(!IS_SMALL(x)))

// exp(x) - 1: x + x^2 (1/2 + x/6 + x^2/24 + x^3/120). The next term is x^5/720 of x.
ALWAYS_INLINE realv small_expm1(realv x) {
  realv sum = fma(x, (realv)(R(8.33333333333333333e-3)), (realv)(R(4.16666666666666667e-2)));
  sum = fma(x, sum, (realv)(R(0.166666666666666667)));
  sum = fma(x, sum, (realv)(R(0.5)));
  return fma(x * x, sum, x);
}

// log(1 + x): x - x^2 (1/2 - x/3 + x^2/4 - x^3/5). The next term is x^5/6 of x.
ALWAYS_INLINE realv small_log1p(realv x) {
  realv sum = fma(x, (realv)(R(-0.2)), (realv)(R(0.25)));
  sum = fma(x, sum, (realv)(R(-0.333333333333333333)));
  sum = fma(x, sum, (realv)(R(0.5)));
  return fma(-(x * x), sum, x);
}

// c[0] d + c[1] d^2 + ... + c[SERIES_TERMS - 1] d^SERIES_TERMS.
#define SERIES_TERMS 5
ALWAYS_INLINE realv sum_series(realv d, const realv *c) {
  realv sum = fma(c[4], d, c[3]);
  sum = fma(sum, d, c[2]);
  sum = fma(sum, d, c[1]);
  return fma(sum, d, c[0]) * d;
}

// 1 / (1 + x): 1 - x + x^2 - x^3 + x^4. The next term is x^5.
ALWAYS_INLINE realv small_reciprocal(realv x) {
  realv sum = (realv)(R(1.0)) - x;
  sum = fma(-x, sum, (realv)(R(1.0)));
  sum = fma(-x, sum, (realv)(R(1.0)));
  return fma(-x, sum, (realv)(R(1.0)));
}

// exp(x) - 1 for every x.
static inline realv expm1_of(realv x) {
  const realv near = small_expm1(x);
  return ALL_SMALL(x) ? near : SELECT(expm1(x), near, IS_SMALL(x));
}
