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

kernel void KERNEL(int lane_vectors, int elements, int axis_length, int inner,
                   int tie_policy, real a0, real a1, real a2,
                   global const int *position, global const real *c0, global const real *c1,
                   global const real *c2, global const real *c3, global const real *in,
                   global real *out, volatile global uint *flags) {
  FOR_LANES(g) {
    const real a[3] = {a0, a1, a2};
    global const real *const table[4] = {c0, c1, c2, c3};
    const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
    const int common = common_position(index);
    intv kinks = (intv)(0);
    FOR_SHARE(e, elements) {
      realv c[COEFFICIENTS];
      for (int k = 0; k < COEFFICIENTS; k++)
        c[k] = sliced(table[k], e, axis_length, inner, index, common);
      const int at = e * lane_vectors + g;
#if KINKS
      STORE(RULE(LOAD(at, in), c, a, tie_policy, &kinks), at, out);
#else
      STORE(RULE(LOAD(at, in), c, a), at, out);
#endif
    }
    report_kinks(kinks, g, flags);
  }
}
