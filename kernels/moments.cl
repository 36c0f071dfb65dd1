// Moments: lanes whose component is a weight or bias of a layer behind which, in each sample, the cost is
// a known series in the unit's step. A lane sums that series over the samples and is done.
//
// moments [blocks of VECTOR_WIDTH units, samples, MOMENT_TERMS, VECTOR_WIDTH]: the series' terms, and the
// largest step that they serve. x [samples, ins]: what the layer reads; null for a bias, whose unit moves
// by the lane's step itself. A lane of which a step is larger in some sample comes out as NaN.
// Needs small.cl. CPU twin: Engine/CPU/CPUMoments.swift. Host: Engine/OpenCL/OpenCLMoments.swift.

#define MOMENT_TERMS (SERIES_TERMS + 1)

// The cost of a vector of lanes so far, and where it is known.
typedef struct {
  realv high;
  realv low;
  maskv is_served;
} MomentSum;

ALWAYS_INLINE void begin_moments(MomentSum *sum) {
  sum->high = sum->low = (realv)(0);
  sum->is_served = sum->high == sum->low;
}

// Adds the cost of a step of each lane's unit in one sample; c: the unit's moments there.
ALWAYS_INLINE void add_moments(MomentSum *sum, realv d, const realv *c) {
  sum->is_served &= fabs(d) <= c[SERIES_TERMS];
  add_compensated(&sum->high, &sum->low, sum_series(d, c));
}

ALWAYS_INLINE realv served_high(const MomentSum *sum) {
  return SELECT((realv)(NAN), sum->high, sum->is_served);
}

// Puts the lanes of neighbouring units where they stand in out; `step` is from one unit's lane to the
// next one's. Lanes outside of out, and units beyond the last, are left out.
static inline void store_moments(const MomentSum *sum, int lane, int step, int units, int lanes,
                                 global real *out) {
  real high[VECTOR_WIDTH];
  real low[VECTOR_WIDTH];
  STORE(served_high(sum), 0, high);
  STORE(sum->low, 0, low);
  for (int u = 0; u < VECTOR_WIDTH; u++, lane += step) {
    if (u < units && lane >= 0 && lane < lanes) {
      out[lane] = high[u];
      out[lanes + lane] = low[u];
    }
  }
}

// A run of lanes, all components of some units and inputs by one step or two.
// unit_stride, input_stride: how many lanes lie from one unit or input to the next. origin: the lane of
// the first of the units, which begin a block, and of the first of the inputs; lanes before 0 and beyond
// the last are not wanted. out [2, lanes]: high and low. Launch: [shares of the inputs, blocks of units].
kernel void moments_run(int samples, int ins, int outs, int first_block, int first_input, int inputs,
                        int unit_stride, int input_stride, int origin, int lanes, int steps,
                        real step0, real step1, global const real *x,
                        global const real *moments, global real *out) {
  const int block = first_block + get_global_id(1);
  const int unit_lane = origin + (int)get_global_id(1) * VECTOR_WIDTH * unit_stride;
  const int units = outs - block * VECTOR_WIDTH;
  global const real *const table =
      moments + (size_t)block * samples * MOMENT_TERMS * VECTOR_WIDTH;
  const int shares = get_global_size(0);
  const int share = get_global_id(0);
  const int end = (int)((long)inputs * (share + 1) / shares);
  for (int i = (int)((long)inputs * share / shares); i < end; i++) {
    MomentSum sum0;
    MomentSum sum1;
    begin_moments(&sum0);
    begin_moments(&sum1);
    for (int s = 0; s < samples; s++) {
      const real factor = x == 0 ? (real)(1) : x[s * ins + first_input + i];
      // Nothing moves in a sample whose input is 0.
      if (factor == 0)
        continue;
      realv c[MOMENT_TERMS];
#pragma unroll
      for (int k = 0; k < MOMENT_TERMS; k++)
        c[k] = LOAD(s * MOMENT_TERMS + k, table);
      add_moments(&sum0, (realv)(step0 * factor), c);
      add_moments(&sum1, (realv)(step1 * factor), c);
    }
    const int lane = unit_lane + i * input_stride;
    store_moments(&sum0, lane, unit_stride, units, lanes, out);
    if (steps > 1)
      store_moments(&sum1, lane + 1, unit_stride, units, lanes, out);
  }
}

// Lanes of any components: unit_divisor, outs, input_divisor and ins say of which unit and input each is,
// as LaneIndex does. components, moves: [lanes]; out [2, lanes]: high and low. Launch: [lane vectors].
kernel void moments_listed(int lane_vectors, int samples, int ins, int outs, int unit_divisor,
                           int input_divisor, global const int *components,
                           global const real *moves, global const real *x,
                           global const real *moments, global real *out) {
  const int g = get_global_id(0);
  const intv component = LANE_INDEX(g, components);
  const intv unit = component / unit_divisor % outs;
  const intv input = component / input_divisor % ins;
  const intv at = unit / VECTOR_WIDTH * (samples * MOMENT_TERMS * VECTOR_WIDTH) + unit % VECTOR_WIDTH;
  const realv step = LOAD(g, moves);
  MomentSum sum;
  begin_moments(&sum);
  for (int s = 0; s < samples; s++) {
    const realv factor = x == 0 ? (realv)(1) : gather(x, s * ins, 1, input);
    realv c[MOMENT_TERMS];
#pragma unroll
    for (int k = 0; k < MOMENT_TERMS; k++)
      c[k] = gather(moments, (s * MOMENT_TERMS + k) * VECTOR_WIDTH, 1, at);
    add_moments(&sum, step * factor, c);
  }
  STORE(served_high(&sum), g, out);
  STORE(sum.low, lane_vectors + g, out);
}
