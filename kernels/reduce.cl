// The end of every lane: the elements of a cost term are summed, compensated, to a pair (high, low)
// of reals, which the host adds up in double. And the step from a slice to the whole tensor.
// CPU twin: Engine/CPU/CPULanes.swift.

// in [elements, lanes], out [2, lanes]. Launch: [lane vectors].
kernel void term_sum(int lane_vectors, int elements, global const real *in, global real *out) {
  const int g = get_global_id(0);
  realv high = (realv)(0);
  realv low = (realv)(0);
  for (int e = 0; e < elements; e++) {
    add_compensated(&high, &low, LOAD(e * lane_vectors + g, in));
  }
  STORE(high, g, out);
  STORE(low, lane_vectors + g, out);
}

// Values of a slice become values of the whole tensor before they are summed: the elements that
// did not move come from base [elements]. in [stored, lanes], out [2, lanes].
kernel void term_sum_slice_value(int lane_vectors, int elements, int axis_length, int inner,
                                 global const int *position,
                                 global const real *base, global const real *in,
                                 global real *out) {
  const int g = get_global_id(0);
  const intv index = LANE_INDEX(g, position);
  realv high = (realv)(0);
  realv low = (realv)(0);
  for (int e = 0; e < elements; e++) {
    const int stored = e / (axis_length * inner) * inner + e % inner;
    const realv still = (realv)(base[e]);
    const realv moved = LOAD(stored * lane_vectors + g, in);
    add_compensated(&high, &low,
                    INT_TO_MASK(index == (intv)(e / inner % axis_length)) ? moved : still);
  }
  STORE(high, g, out);
  STORE(low, lane_vectors + g, out);
}

// A slice becomes the whole tensor: what did not move is 0 in a difference (use_base = 0) and
// base [elements] in a value. in [stored, lanes], out [elements, lanes].
// Launch: [lane workers, workers over the elements].
kernel void expand_slice(int lane_vectors, int elements, int axis_length, int inner,
                         int use_base, global const int *position,
                         global const real *base, global const real *in, global real *out) {
  FOR_LANES(g) {
    const intv index = LANE_INDEX(g, position);
    FOR_SHARE(e, elements) {
      const int stored = e / (axis_length * inner) * inner + e % inner;
      const realv still = use_base ? (realv)(base[e]) : (realv)(0);
      const realv moved = LOAD(stored * lane_vectors + g, in);
      STORE(INT_TO_MASK(index == (intv)(e / inner % axis_length)) ? moved : still,
            e * lane_vectors + g, out);
    }
  }
}
