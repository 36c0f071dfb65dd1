// The rules of functions of two or three operands: differences, exact for every size of the steps, and
// values. c: the rule's coefficients, by element of the output. A step that is 0 stands still.
// CPU twin: Primitives/Elements/CombineRules.swift.

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
