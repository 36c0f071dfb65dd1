// Moments: lanes whose component is a weight or bias of a layer behind which, in each sample, the cost is
// a known series in the unit's step. A lane sums that series over the samples and is done.
//
// moments [blocks of VECTOR_WIDTH units, samples, MOMENT_TERMS, VECTOR_WIDTH]: the series' terms, and the
// largest step that they serve. x [samples, ins]: what the layer reads; null for a bias, whose unit moves
// by the lane's step itself. A lane of which a step is larger in some sample comes out as NaN.
// Needs small.cl. CPU twin: Engine/CPU/CPUMoments.swift. Host: Engine/OpenCL/OpenCLMoments.swift.

#define MOMENT_TERMS (SERIES_TERMS + 1)

// Numbers of a lane in out: in float a second one, for what the first has no room for.
#ifdef REAL_IS_DOUBLE
#define MOMENT_PARTS 1
#else
#define MOMENT_PARTS 2
#endif

// The cost of a vector of lanes so far, in two parts, and where it is known. A step back has the same even
// powers and the opposite odd ones. These make the gradient and are summed with what rounding takes away;
// the others are smaller by a step's size and come as they are.
typedef struct {
  realv odd;
  realv odd_low;
  realv even;
  maskv is_served;
} MomentSum;

ALWAYS_INLINE void begin_moments(MomentSum *sum) {
  sum->odd = sum->odd_low = sum->even = (realv)(0);
  sum->is_served = sum->odd == sum->even;
}

// Adds the cost of a step of each lane's unit in one sample; c: the unit's moments there.
ALWAYS_INLINE void add_moments(MomentSum *sum, realv d, const realv *c) {
  const realv square = d * d;
  sum->is_served &= fabs(d) <= c[SERIES_TERMS];
  sum->even = fma(fma(c[3], square, c[1]), square, sum->even);
  add_compensated(&sum->odd, &sum->odd_low, fma(fma(c[4], square, c[2]), square, c[0]) * d);
}

// What the sum is for a step forward (sign 1) or back (-1), as high + low.
ALWAYS_INLINE void moments_of(const MomentSum *sum, real sign, realv *high, realv *low) {
  *high = sign * sum->odd;
  *low = sign * sum->odd_low;
  add_compensated(high, low, sum->even);
#if MOMENT_PARTS == 1
  *high += *low;
#endif
  *high = SELECT((realv)(NAN), *high, sum->is_served);
}

// Puts the lanes of neighbouring units where they stand in out; `step` is from one unit's lane to the
// next one's. Lanes outside of out, and units beyond the last, are left out.
static inline void store_moments(const MomentSum *sum, real sign, int lane, int step, int units,
                                 int lanes, global real *out) {
  realv sum_high;
  realv sum_low;
  moments_of(sum, sign, &sum_high, &sum_low);
  real high[VECTOR_WIDTH];
  real low[VECTOR_WIDTH];
  STORE(sum_high, 0, high);
  STORE(sum_low, 0, low);
  for (int u = 0; u < VECTOR_WIDTH; u++, lane += step) {
    if (u < units && lane >= 0 && lane < lanes) {
      out[lane] = high[u];
      if (MOMENT_PARTS > 1)
        out[lanes + lane] = low[u];
    }
  }
}

// A run of lanes, all components of some units and inputs by a step or, where there are two, by that
// and the same back.
// unit_stride, input_stride: how many lanes lie from one unit or input to the next. origin: the lane of
// the first of the units, which begin a block, and of the first of the inputs; lanes before 0 and beyond
// the last are not wanted. place: where the lanes begin in out, as [MOMENT_PARTS, lanes].
// Launch: [shares of the inputs, blocks of units].
kernel void moments_run(int samples, int ins, int outs, int first_block, int first_input, int inputs,
                        int unit_stride, int input_stride, int origin, int lanes, int steps,
                        real step, global const real *x, global const real *moments, int place,
                        global real *out) {
  const int block = first_block + get_global_id(1);
  const int unit_lane = origin + (int)get_global_id(1) * VECTOR_WIDTH * unit_stride;
  const int units = outs - block * VECTOR_WIDTH;
  global const real *const table =
      moments + (size_t)block * samples * MOMENT_TERMS * VECTOR_WIDTH;
  const int shares = get_global_size(0);
  const int share = get_global_id(0);
  const int end = (int)((long)inputs * (share + 1) / shares);
  for (int i = (int)((long)inputs * share / shares); i < end; i++) {
    MomentSum sum;
    begin_moments(&sum);
    for (int s = 0; s < samples; s++) {
      const real factor = x == 0 ? (real)(1) : x[s * ins + first_input + i];
      // Nothing moves in a sample whose input is 0.
      if (factor == 0)
        continue;
      realv c[MOMENT_TERMS];
#pragma unroll
      for (int k = 0; k < MOMENT_TERMS; k++)
        c[k] = LOAD(s * MOMENT_TERMS + k, table);
      add_moments(&sum, (realv)(step * factor), c);
    }
    const int lane = unit_lane + i * input_stride;
    store_moments(&sum, 1, lane, unit_stride, units, lanes, out + place);
    if (steps > 1)
      store_moments(&sum, -1, lane + 1, unit_stride, units, lanes, out + place);
  }
}

// Lanes of any components: unit_divisor, outs, input_divisor and ins say of which unit and input each is,
// as LaneIndex does. They stand in components and moves from vector `first` on, and go to out from `place`
// on, as [MOMENT_PARTS, lanes]. Launch: [lane vectors].
kernel void moments_listed(int lane_vectors, int first, int samples, int ins, int outs, int unit_divisor,
                           int input_divisor, global const int *components,
                           global const real *moves, global const real *x,
                           global const real *moments, int place, global real *out) {
  const int g = get_global_id(0);
  const intv component = LANE_INDEX(first + g, components);
  const intv unit = component / unit_divisor % outs;
  const intv input = component / input_divisor % ins;
  const intv at = unit / VECTOR_WIDTH * (samples * MOMENT_TERMS * VECTOR_WIDTH) + unit % VECTOR_WIDTH;
  const realv step = LOAD(first + g, moves);
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
  realv high;
  realv low;
  moments_of(&sum, 1, &high, &low);
  STORE(high, g, out + place);
  if (MOMENT_PARTS > 1)
    STORE(low, lane_vectors + g, out + place);
}
