// Element-by-element functions: this text is compiled once for each function in use.
//
// KERNEL         the kernel's name
// RULE           the rule it applies, from the function's own file: NAME_difference(d, c, a)
//                returns f(x + d) - f(x), NAME_value(x, c, a) returns f(x)
// COEFFICIENTS   how many coefficient tables the rule reads (1 to 4), each [count]
// KINKS          1 where the function has a kink; its rule then reports branches
//
// in, out [elements, lanes]. axis_length 0: all elements move. Otherwise the tensor is
// [outer, axis_length, inner], one position of the axis moves in a lane, and elements are counted
// without that axis. a0 to a2 are the function's attributes.
// Launch: [lane workers, workers]. CPU twin: Primitives/Element.swift.

#undef APPLY
#if KINKS
#define APPLY(d, c, kinks) RULE(d, c, a, tie_policy, &kinks)
#else
#define APPLY(d, c, kinks) RULE(d, c, a)
#endif

kernel void KERNEL(int lane_vectors, int elements, int axis_length, int inner,
                   int tie_policy, real a0, real a1, real a2,
                   global const int *position, global const real *c0, global const real *c1,
                   global const real *c2, global const real *c3, global const real *in,
                   global real *out, volatile global uint *flags) {
  const real a[3] = {a0, a1, a2};
  global const real *const table[4] = {c0, c1, c2, c3};
  FOR_LANE_BLOCKS(g) {
    intv index[LANE_BLOCK];
    intv kinks[LANE_BLOCK];
    for (int v = 0; v < LANE_BLOCK; v++) {
      index[v] = axis_length == 0 ? (intv)(0) : LANE_INDEX(g + v, position);
      kinks[v] = (intv)(0);
    }
    int common = common_position(index[0]);
    for (int v = 1; v < LANE_BLOCK; v++)
      common = ANY_INT(index[v] != (intv)(common)) ? -1 : common;
    if (common >= 0) {
      FOR_SHARE(e, elements) {
        const int at = e * lane_vectors + g;
        const int from = sliced_place(e, axis_length, inner) + common * inner;
        realv c[COEFFICIENTS];
        for (int k = 0; k < COEFFICIENTS; k++)
          c[k] = (realv)(table[k][from]);
#pragma unroll
        for (int v = 0; v < LANE_BLOCK; v++)
          STORE(APPLY(LOAD(at + v, in), c, kinks[v]), at + v, out);
      }
    } else {
      for (int v = 0; v < LANE_BLOCK; v++) {
        const int own = common_position(index[v]);
        FOR_SHARE(e, elements) {
          const int at = e * lane_vectors + g + v;
          realv c[COEFFICIENTS];
          for (int k = 0; k < COEFFICIENTS; k++)
            c[k] = sliced(table[k], e, axis_length, inner, index[v], own);
          STORE(APPLY(LOAD(at, in), c, kinks[v]), at, out);
        }
      }
    }
    for (int v = 0; v < LANE_BLOCK; v++)
      report_kinks(kinks[v], g + v, flags);
  }
}
