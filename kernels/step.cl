// Functions that are constant but for jumps. a: which (0 sign, 1 floor, 2 ceiling, 3 round to even,
// 4 x != 0). c: x, f(x), how far x may move down and up before f jumps. A jump is reported as a
// branch that changed. CPU twin: Primitives/Elements/Step.swift.

static inline realv step_of(realv x, real which) {
  if (which == 0)
    return x > (realv)(0) ? (realv)(1) : (x < (realv)(0) ? (realv)(-1) : x);
  if (which == 1)
    return floor(x);
  if (which == 2)
    return ceil(x);
  if (which == 3)
    return rint(x);
  return x != (realv)(0) ? (realv)(1) : (realv)(0);
}

static inline realv step_difference(realv d, const realv *c, const real *a, int tie_policy,
                                    intv *kinks) {
  const realv moved = step_of(c[0] + d, a[0]) - c[1];
  const maskv still = (d == (realv)(0)) | ((d > c[2]) & (d < c[3]));
  const realv change = still ? (realv)(0) : moved;
  *kinks |= MASK_TO_INT(change != (realv)(0)) & KINK_CROSSED;
  return change;
}

static inline realv step_value(realv x, const realv *c, const real *a, int tie_policy,
                               intv *kinks) {
  const realv own = step_of(x, a[0]);
  *kinks |= MASK_TO_INT(own != c[1]) & KINK_CROSSED;
  return own;
}
