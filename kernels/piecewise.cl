// Functions with a kink at m = 0, where m = offset + scale x: straight on both sides (ReLU, leaky
// ReLU, |x|, hinge) or an exponential on the left (ELU, SELU). Each reports for every moving
// element whether it was tied at the kink (|m| within the tolerance) or crossed it.
// CPU twin: Primitives/Piecewise.swift.

// The part of a step d from m that lies right, and the part that lies left of the kink: exact.
static inline realv right_of_kink(realv d, realv m) {
  return fmax(d, -m) - fmax((realv)(0), -m);
}

static inline realv left_of_kink(realv d, realv m) {
  return fmin(d, -m) - fmin((realv)(0), -m);
}

// moving: -1 where the element moves at all; moved: where it stands in the lane.
static inline void note_kinks(intv moving, realv m, realv moved, realv tolerance, intv *kinks) {
  const intv tied = MASK_TO_INT(fabs(m) <= tolerance) & moving;
  const intv changed =
      (MASK_TO_INT(m > (realv)(0)) ^ MASK_TO_INT(moved > (realv)(0))) & moving & ~tied;
  *kinks |= (tied & KINK_TIED) | (changed & KINK_CROSSED);
}

// a: slope left, slope right, offset. c: m, scale, tolerance.
static inline realv straight_difference(realv d, const realv *c, const real *a, int tie_policy,
                                 intv *kinks) {
  const realv m = c[0];
  const realv step = c[1] * d;
  note_kinks(MASK_TO_INT(step != (realv)(0)), m, m + step, c[2], kinks);
  const realv natural = a[0] * left_of_kink(step, m) + a[1] * right_of_kink(step, m);
  if (tie_policy == 0)
    return natural;
  return fabs(m) <= c[2] ? step * (tie_policy < 0 ? a[0] : a[1]) : natural;
}

static inline realv straight_value(realv x, const realv *c, const real *a, int tie_policy, intv *kinks) {
  const realv moved = a[2] + c[1] * x;
  note_kinks(MASK_TO_INT(fabs(moved - c[0]) > c[2]), c[0], moved, c[2], kinks);
  return moved > (realv)(0) ? a[1] * moved : a[0] * moved;
}

// a: factor A left (A expm1(x)), slope right, 1 where A differs from the slope (else no kink).
// c: x, A exp(min(x, 0)), tolerance.
static inline realv exponential_difference(realv d, const realv *c, const real *a, int tie_policy,
                                    intv *kinks) {
  const realv m = c[0];
  if (a[2] != 0)
    note_kinks(MASK_TO_INT(d != (realv)(0)), m, m + d, c[2], kinks);
  const realv natural = c[1] * expm1_of(left_of_kink(d, m)) + a[1] * right_of_kink(d, m);
  if (tie_policy == 0 || a[2] == 0)
    return natural;
  return fabs(m) <= c[2] ? d * (tie_policy < 0 ? a[0] : a[1]) : natural;
}

static inline realv exponential_value(realv x, const realv *c, const real *a, int tie_policy,
                               intv *kinks) {
  if (a[2] != 0)
    note_kinks(MASK_TO_INT(fabs(x - c[0]) > c[2]), c[0], x, c[2], kinks);
  return x > (realv)(0) ? a[1] * x : a[0] * expm1(fmin(x, (realv)(0)));
}
