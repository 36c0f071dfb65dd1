// Functions of two or three broadcast operands: this text is compiled once for each function in use.
// Needs combine_rules.cl.
//
// KERNEL   the kernel's name
// RULE     its rule, of_two_FUNCTION_difference or of_two_FUNCTION_value
// TABLES   how many coefficient tables the rule reads (0 to 4), by element of the whole output
// VALUES   1 in values: what stands still comes from c0 and c1 (select: c1 and c2)
//
// A stored element of the output is counted along six extents (the last axis first); each operand
// has its strides along them. Null operands stand still. axis_length 0: all elements move; otherwise
// one position of an axis does, at position [lanes]. Lane arrays are [elements, lanes].
// Launch: [lane workers, workers over the stored elements]. CPU twin: Primitives/CombineLanes.swift.

kernel void KERNEL(int lane_vectors, int elements, int axis_length, int slice_inner,
                   int tie_policy, int n0, int n1, int n2, int n3, int n4, int n5, int a0, int a1,
                   int a2, int a3, int a4, int a5, int b0, int b1, int b2, int b3, int b4, int b5,
                   int t0, int t1, int t2, int t3, int t4, int t5, global const int *position,
                   global const real *c0, global const real *c1, global const real *c2,
                   global const real *c3, global const real *third, global const real *a,
                   global const real *b, global real *out, volatile global uint *flags) {
  global const real *const table[4] = {c0, c1, c2, c3};
  // The places of an element, counted anew: where a work-item begins, and where a run along the last axis
  // does.
#define COUNT(n, stride_a, stride_b, stride_third)                                                \
  if (rest != 0) {                                                                                \
    const int i = rest % n;                                                                       \
    at_a += i * stride_a;                                                                         \
    at_b += i * stride_b;                                                                         \
    at_third += i * stride_third;                                                                 \
    rest /= n;                                                                                    \
  }
#define COUNT_PLACES(e)                                                                           \
  {                                                                                               \
    int rest = e;                                                                                 \
    at_a = at_b = at_third = 0;                                                                   \
    COUNT(n0, a0, b0, t0)                                                                         \
    COUNT(n1, a1, b1, t1)                                                                         \
    COUNT(n2, a2, b2, t2)                                                                         \
    COUNT(n3, a3, b3, t3)                                                                         \
    COUNT(n4, a4, b4, t4)                                                                         \
    COUNT(n5, a5, b5, t5)                                                                         \
  }
  const int first = FIRST_OF_SHARE(elements);
  int at_a, at_b, at_third;
  COUNT_PLACES(first)
  const int first_a = at_a - a0, first_b = at_b - b0, first_third = at_third - t0;
  const int first_left = SHARES_ARE_RUNS ? n0 - first % n0 : 0;
  FOR_LANES(g) {
    const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
    const int common = common_position(index);
    intv kinks = (intv)(0);
    int left = first_left;
    at_a = first_a;
    at_b = first_b;
    at_third = first_third;
    FOR_SHARE(e, elements) {
      if (left > 0) {
        at_a += a0;
        at_b += b0;
        at_third += t0;
      } else {
        COUNT_PLACES(e)
        left = n0 - e % n0;
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
}
