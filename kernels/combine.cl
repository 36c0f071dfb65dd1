// Functions of two or three broadcast operands: this text is compiled once for each function in use.
//
// KERNEL   the kernel's name
// RULE     its rule, of_two_FUNCTION_difference or of_two_FUNCTION_value
// TABLES   how many coefficient tables the rule reads (0 to 4), by element of the whole output
// VALUES   1 in values: what stands still comes from c0 and c1 (select: c1 and c2)
//
// A stored element of the output is counted along six extents (the last axis first); each operand
// has its strides along them. Null operands stand still. axis_length 0: all elements move; otherwise
// one position of an axis does, at position [lanes]. Lane arrays are [elements, lanes].
// Launch: [lane vectors, workers over the stored elements]. CPU twins: Primitives/CombineLanes.swift,
// Primitives/Elements/CombineRules.swift.

#ifndef COMBINE_RULES
#define COMBINE_RULES

// max(a + da, b + db) - max(a, b) from the gap m = a - b.
static inline realv larger(realv m, realv da, realv db, realv tolerance, int tie_policy,
                           intv *kinks) {
  const realv moved = m + (da - db);
  const intv moving = MASK_TO_INT(da != db);
  const intv tied = MASK_TO_INT(fabs(m) <= tolerance) & moving;
  const intv crossed = (MASK_TO_INT(m > (realv)(0)) ^ MASK_TO_INT(moved > (realv)(0))) & moving;
  *kinks |= (tied & KINK_TIED) | (crossed & ~tied & KINK_CROSSED);
  const realv was_a = moved >= (realv)(0) ? da : db - m;
  const realv was_b = moved <= (realv)(0) ? db : m + da;
  const realv natural = m > (realv)(0) ? was_a : was_b;
  if (tie_policy == 0)
    return natural;
  return INT_TO_MASK(tied != (intv)(0)) ? (tie_policy < 0 ? db : da) : natural;
}

static inline realv note_change(realv change, intv *kinks) {
  *kinks |= MASK_TO_INT(change != (realv)(0)) & KINK_CROSSED;
  return change;
}

#define TRUTH(condition) ((condition) ? (realv)(1) : (realv)(0))

#define RULE_ARGUMENTS                                                                            \
  realv third, realv a, realv b, const realv *c, int tie_policy, intv *kinks

static inline realv of_two_add_difference(RULE_ARGUMENTS) { return a + b; }
static inline realv of_two_add_value(RULE_ARGUMENTS) { return a + b; }
static inline realv of_two_subtract_difference(RULE_ARGUMENTS) { return a - b; }
static inline realv of_two_subtract_value(RULE_ARGUMENTS) { return a - b; }
static inline realv of_two_multiply_difference(RULE_ARGUMENTS) { return a * c[1] + (c[0] + a) * b; }
static inline realv of_two_multiply_value(RULE_ARGUMENTS) { return a * b; }
// c: y, b.
static inline realv of_two_divide_difference(RULE_ARGUMENTS) { return (a - c[0] * b) / (c[1] + b); }
static inline realv of_two_divide_value(RULE_ARGUMENTS) { return a / b; }

// c: a - b, how near to 0 is a tie; behind the operands in values.
static inline realv of_two_maximum_difference(RULE_ARGUMENTS) {
  return larger(c[0], a, b, c[1], tie_policy, kinks);
}
static inline realv of_two_minimum_difference(RULE_ARGUMENTS) {
  return -larger(-c[0], -a, -b, c[1], tie_policy, kinks);
}
static inline void note_order(realv a, realv b, const realv *c, intv *kinks) {
  const intv moving = MASK_TO_INT(fabs(a - b - c[2]) > c[3]);
  const intv tied = MASK_TO_INT(fabs(c[2]) <= c[3]) & moving;
  const intv crossed = (MASK_TO_INT(c[2] > (realv)(0)) ^ MASK_TO_INT(a - b > (realv)(0))) & moving;
  *kinks |= (tied & KINK_TIED) | (crossed & ~tied & KINK_CROSSED);
}
static inline realv of_two_maximum_value(RULE_ARGUMENTS) {
  note_order(a, b, c, kinks);
  return a > b ? a : b;
}
static inline realv of_two_minimum_value(RULE_ARGUMENTS) {
  note_order(a, b, c, kinks);
  return a > b ? b : a;
}

// c: a, b, y, log a. A base that is 0, or comes to 0 or beyond, has no logarithm to go by.
static inline realv of_two_power_difference(RULE_ARGUMENTS) {
  const realv growth = a / c[0];
  const realv exponent = (c[1] + b) * log1p(growth) + b * c[3];
  realv change = c[2] * expm1(exponent);
  const maskv direct = (c[0] == (realv)(0)) | !(growth > (realv)(-1));
  if (ANY(direct))
    change = SELECT(change, pow(c[0] + a, c[1] + b) - c[2], direct);
  const maskv still = (a == (realv)(0)) & (b == (realv)(0));
  return still ? (realv)(0) : change;
}
static inline realv of_two_power_value(RULE_ARGUMENTS) { return pow(a, b); }

// c: a - b, the truth at theta (c[2] in values). Infinities of one sign stay equal whatever moves
// them, and their gap is no number.
#define COMPARISON(name, relation)                                                                \
  static inline realv of_two_##name##_difference(RULE_ARGUMENTS) {                                \
    const realv step = a - b;                                                                     \
    const realv change = TRUTH(c[0] + step relation (realv)(0)) - c[1];                           \
    const maskv still = (step == (realv)(0)) | (c[0] != c[0]);                                    \
    return note_change(still ? (realv)(0) : change, kinks);                                       \
  }                                                                                               \
  static inline realv of_two_##name##_value(RULE_ARGUMENTS) {                                     \
    const realv truth = TRUTH(a relation b);                                                      \
    note_change(truth - c[2], kinks);                                                             \
    return truth;                                                                                 \
  }
COMPARISON(greater, >)
COMPARISON(greaterOrEqual, >=)
COMPARISON(equal, ==)

// c: a, b, floor(a / b).
static inline realv of_two_modulo_difference(RULE_ARGUMENTS) {
  const maskv still = (a == (realv)(0)) & (b == (realv)(0));
  const realv quotient = floor((c[0] + a) / (c[1] + b)) - c[2];
  return a - c[2] * b - note_change(still ? (realv)(0) : quotient, kinks) * (c[1] + b);
}
static inline realv of_two_modulo_value(RULE_ARGUMENTS) {
  const realv quotient = floor(a / b);
  note_change(quotient - c[2], kinks);
  return a - b * quotient;
}

// third: the condition. c: the condition at theta, a - b.
static inline realv of_two_select_difference(RULE_ARGUMENTS) {
  const maskv held = c[0] != (realv)(0);
  const maskv holds = (c[0] + third) != (realv)(0);
  const intv changed = MASK_TO_INT(held) ^ MASK_TO_INT(holds);
  *kinks |= changed & KINK_CROSSED;
  const realv jump = INT_TO_MASK(changed != (intv)(0)) ? c[1] : (realv)(0);
  return holds ? a + jump : b - jump;
}
static inline realv of_two_select_value(RULE_ARGUMENTS) {
  const maskv holds = third != (realv)(0);
  *kinks |= (MASK_TO_INT(c[0] != (realv)(0)) ^ MASK_TO_INT(holds)) & KINK_CROSSED;
  return holds ? a : b;
}
#endif

kernel void KERNEL(int lane_vectors, int elements, int axis_length, int slice_inner,
                   int tie_policy, int n0, int n1, int n2, int n3, int n4, int n5, int a0, int a1,
                   int a2, int a3, int a4, int a5, int b0, int b1, int b2, int b3, int b4, int b5,
                   int t0, int t1, int t2, int t3, int t4, int t5, global const int *position,
                   global const real *c0, global const real *c1, global const real *c2,
                   global const real *c3, global const real *third, global const real *a,
                   global const real *b, global real *out, volatile global uint *flags) {
  const int g = get_global_id(0);
  global const real *const table[4] = {c0, c1, c2, c3};
  const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
  const int common = common_position(index);
  intv kinks = (intv)(0);
  int at_a = 0, at_b = 0, at_third = 0, left = 0;
  FOR_SHARE(e, elements) {
    if (left > 0) {
      at_a += a0;
      at_b += b0;
      at_third += t0;
    } else {
      // Where a run along the last axis begins places are counted anew.
      int rest = e;
      at_a = at_b = at_third = 0;
      left = n0 - e % n0;
#define COUNT(n, stride_a, stride_b, stride_third)                                                \
  if (rest != 0) {                                                                                \
    const int i = rest % n;                                                                       \
    at_a += i * stride_a;                                                                         \
    at_b += i * stride_b;                                                                         \
    at_third += i * stride_third;                                                                 \
    rest /= n;                                                                                    \
  }
      COUNT(n0, a0, b0, t0)
      COUNT(n1, a1, b1, t1)
      COUNT(n2, a2, b2, t2)
      COUNT(n3, a3, b3, t3)
      COUNT(n4, a4, b4, t4)
      COUNT(n5, a5, b5, t5)
#undef COUNT
    }
    left = SHARES_ARE_RUNS ? left - 1 : 0;
    realv c[TABLES + 1];
    for (int k = 0; k < TABLES; k++)
      c[k] = sliced(table[k], e, axis_length, slice_inner, index, common);
    realv x = (realv)(0), y = (realv)(0), z = (realv)(0);
#if VALUES
    x = c[VALUES - 1];
    y = c[VALUES];
    z = c[0];
#endif
    if (a != 0)
      x = LOAD((size_t)at_a * lane_vectors + g, a);
    if (b != 0)
      y = LOAD((size_t)at_b * lane_vectors + g, b);
    if (third != 0)
      z = LOAD((size_t)at_third * lane_vectors + g, third);
    STORE(RULE(z, x, y, c, tie_policy, &kinks), (size_t)e * lane_vectors + g, out);
  }
  report_kinks(kinks, g, flags);
}
