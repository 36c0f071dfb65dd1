// Products and the element-wise costs without a kink. CPU twin: Primitives/Cost.swift.

// (x - y)^2; c: x - y, y (y = 0 for the square of x).
static inline realv square_difference(realv d, const realv *c, const real *a) {
  return d * ((realv)(2) * c[0] + d);
}

static inline realv square_value(realv x, const realv *c, const real *a) {
  return (x - c[1]) * (x - c[1]);
}

// x y; c: y.
static inline realv multiply_difference(realv d, const realv *c, const real *a) { return d * c[0]; }

static inline realv multiply_value(realv x, const realv *c, const real *a) { return x * c[0]; }

// Huber of r = x - y: r^2 / 2 within delta, delta (|r| - delta / 2) beyond. a: delta. c: r, y.
// The step is cut at -delta and +delta; each part is exact on its own piece.
static inline realv huber_difference(realv d, const realv *c, const real *a) {
  const realv r = c[0];
  const realv low = (realv)(-a[0]) - r;
  const realv high = (realv)(a[0]) - r;
  const realv from = fmin(fmax((realv)(0), low), high);
  const realv to = fmin(fmax(d, low), high);
  const realv above = fmax(d, high) - fmax((realv)(0), high);
  const realv below = fmin(d, low) - fmin((realv)(0), low);
  return (to - from) * (r + (realv)(0.5f) * (from + to)) + a[0] * (above - below);
}

static inline realv huber_value(realv x, const realv *c, const real *a) {
  const realv r = fabs(x - c[1]);
  return r <= (realv)(a[0]) ? (realv)(0.5f) * r * r : a[0] * (r - (realv)(0.5f) * a[0]);
}

// -y log p - (1 - y) log(1 - p); c: 1 / p (0 where y = 0), 1 / (1 - p) (0 where y = 1), y.
static inline realv binary_cross_entropy_difference(realv d, const realv *c, const real *a) {
  return -c[2] * log1p(d * c[0]) - ((realv)(1) - c[2]) * log1p(-d * c[1]);
}

static inline realv binary_cross_entropy_value(realv p, const realv *c, const real *a) {
  const realv yes = c[2] > (realv)(0) ? -c[2] * log(p) : (realv)(0);
  const realv no = c[2] < (realv)(1) ? -((realv)(1) - c[2]) * log1p(-p) : (realv)(0);
  return yes + no;
}
