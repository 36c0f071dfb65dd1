// Convolutions by a table of pixels: pixel [taps, positions] is where tap t of the window at
// position p reads the input, -1 in the padding. x [samples, channels, pixels],
// W [filters, depth, taps] with depth = channels / groups, y [samples, filters, positions].
// Lane arrays are [elements, lanes]. CPU twin: Primitives/ConvolutionLanes.swift.

#define CONVOLUTION_ROWS 6
#define CONVOLUTION_POSITIONS 16

#define CONVOLUTION_EXTENTS                                                                       \
  int lane_vectors, int samples, int channels, int pixels, int filters, int groups, int taps,     \
      int positions

// The terms of a block of filters go in parts: all taps of some channels (CONVOLUTION_DEPTH terms) or, of a
// window with more than CONVOLUTION_TAPS taps, so many of one channel. Where lanes are explicit vectors the
// weights of a part are copied to where they are read in order, and the taps that do not read the padding
// are looked for once a position, not once a channel.
#if VECTOR_WIDTH == 1
#define CONVOLUTION_DEPTH INT_MAX
#define CONVOLUTION_TAPS INT_MAX
#define PART_WEIGHT(i, c, t) row[i][(first_channel + (c)) * taps + first_tap + (t)]
#define PART_TAP(j) j
#define PART_SOURCE(j) pixel[(first_tap + (j)) * positions + p]
#else
#define CONVOLUTION_DEPTH 256
#define CONVOLUTION_TAPS 64
#define PART_WEIGHT(i, c, t) packed[((c) * part_taps + (t)) * CONVOLUTION_ROWS + (i)]
#define PART_TAP(j) tap_at[j]
#define PART_SOURCE(j) source_at[j]
#endif

// x moves, W is a table; serves differences and values. Each work-item holds a block of
// CONVOLUTION_ROWS filters of a group and two lane vectors in registers, for some positions one after
// the other.
// Launch: [lane vectors / 2, samples * ceil(positions / CONVOLUTION_POSITIONS), groups * ceil(filters
// of a group / CONVOLUTION_ROWS)], as rows_first says (lanes.cl).
#define CONVOLUTION_INPUT_ARGUMENTS                                                               \
  CONVOLUTION_EXTENTS, int rows_first, global const int *pixel, global const real *w,             \
      global const real *in, global real *out

kernel void convolution_input(CONVOLUTION_INPUT_ARGUMENTS) {
  const int g = LANE_ID(rows_first) * 2;
  const int per_group = filters / groups;
  const int blocks = (per_group + CONVOLUTION_ROWS - 1) / CONVOLUTION_ROWS;
  const int group = ROW_ID(rows_first) / blocks;
  const int first = ROW_ID(rows_first) % blocks * CONVOLUTION_ROWS;
  const int parts = (positions + CONVOLUTION_POSITIONS - 1) / CONVOLUTION_POSITIONS;
  const int s = get_global_id(1) / parts;
  const int first_position = get_global_id(1) % parts * CONVOLUTION_POSITIONS;
  const int last_position = min(first_position + CONVOLUTION_POSITIONS, positions);
  const int depth = channels / groups;
  const size_t moving = (size_t)(s * channels + group * depth) * pixels;
  const size_t result = (size_t)(s * filters + group * per_group + first) * positions;
  // Filters beyond the group's last repeat it, so that the block is always whole; they are not stored.
  global const real *row[CONVOLUTION_ROWS];
#pragma unroll
  for (int i = 0; i < CONVOLUTION_ROWS; i++)
    row[i] = w + (size_t)(group * per_group + min(first + i, per_group - 1)) * depth * taps;
#if VECTOR_WIDTH > 1
  real packed[CONVOLUTION_ROWS * CONVOLUTION_DEPTH];
  int tap_at[CONVOLUTION_TAPS];
  int source_at[CONVOLUTION_TAPS];
#endif
  const int most_channels = taps <= CONVOLUTION_TAPS ? max(CONVOLUTION_DEPTH / taps, 1) : 1;
  int first_channel = 0;
  int first_tap = 0;
  do {
    const int part_channels = min(most_channels, depth - first_channel);
    const int part_taps = min(CONVOLUTION_TAPS, taps - first_tap);
#if VECTOR_WIDTH > 1
    for (int c = 0; c < part_channels; c++)
      for (int t = 0; t < part_taps; t++)
        for (int i = 0; i < CONVOLUTION_ROWS; i++)
          PART_WEIGHT(i, c, t) = row[i][(first_channel + c) * taps + first_tap + t];
#endif
    for (int p = first_position; p < last_position; p++) {
      realv sum[CONVOLUTION_ROWS][2];
#pragma unroll
      for (int i = 0; i < CONVOLUTION_ROWS; i++) {
        const size_t at = (result + (size_t)i * positions + p) * lane_vectors + g;
        sum[i][0] = sum[i][1] = (realv)(0);
        if (first_channel + first_tap > 0 && first + i < per_group) {
          sum[i][0] = LOAD(at, out);
          sum[i][1] = LOAD(at + 1, out);
        }
      }
      int found = part_taps;
#if VECTOR_WIDTH > 1
      found = 0;
      for (int t = 0; t < part_taps; t++) {
        tap_at[found] = t;
        source_at[found] = pixel[(first_tap + t) * positions + p];
        found += source_at[found] >= 0;
      }
#endif
      for (int c = 0; c < part_channels; c++) {
        const size_t channel = moving + (size_t)(first_channel + c) * pixels;
        for (int j = 0; j < found; j++) {
          const int t = PART_TAP(j);
          const int source = PART_SOURCE(j);
          if (VECTOR_WIDTH == 1 && source < 0)
            continue;
          const size_t at = (channel + source) * lane_vectors + g;
          const realv left = LOAD(at, in);
          const realv right = LOAD(at + 1, in);
#pragma unroll
          for (int i = 0; i < CONVOLUTION_ROWS; i++) {
            const realv weight = (realv)(PART_WEIGHT(i, c, t));
            sum[i][0] = fma(weight, left, sum[i][0]);
            sum[i][1] = fma(weight, right, sum[i][1]);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < CONVOLUTION_ROWS; i++) {
        const size_t at = (result + (size_t)i * positions + p) * lane_vectors + g;
        if (first + i < per_group) {
          STORE(sum[i][0], at, out);
          STORE(sum[i][1], at + 1, out);
        }
      }
    }
    first_tap += part_taps;
    if (first_tap == taps) {
      first_tap = 0;
      first_channel += part_channels;
    }
  } while (first_channel < depth);
}

// W moves, and x too unless in is null: adds (x + dx) dW, or forms values where use_table is 0 and
// x moves. Launch: [lane vectors, workers over the elements of y].
kernel void convolution_lanes(CONVOLUTION_EXTENTS, int adds, int use_table,
                              global const int *pixel, global const real *x,
                              global const real *in, global const real *dw, global real *out) {
  const int g = get_global_id(0);
  const int depth = channels / groups;
  const int per_group = filters / groups;
  const int elements = samples * filters * positions;
  FOR_SHARE(e, elements) {
    const int p = e % positions;
    const int filter = e / positions % filters;
    const int s = e / positions / filters;
    const size_t at = (size_t)e * lane_vectors + g;
    realv sum = adds ? LOAD(at, out) : (realv)(0);
    for (int c = 0; c < depth; c++) {
      const size_t channel = (size_t)(s * channels + filter / per_group * depth + c) * pixels;
      for (int t = 0; t < taps; t++) {
        const int source = pixel[t * positions + p];
        if (source < 0)
          continue;
        const realv still = use_table ? (realv)(x[channel + source]) : (realv)(0);
        const realv factor =
            in == 0 ? still : still + LOAD((channel + source) * lane_vectors + g, in);
        const size_t weight = ((size_t)filter * depth + c) * taps + t;
        sum = fma(factor, LOAD(weight * lane_vectors + g, dw), sum);
      }
    }
    STORE(sum, at, out);
  }
}

// One weight moves, and one filter's output: out [samples * positions, lanes]. filter_at, depth_at
// and tap_at [lanes] say which. Launch: [lane vectors, workers over samples and positions].
#define CONVOLUTION_WEIGHT_ARGUMENTS                                                              \
  CONVOLUTION_EXTENTS, global const int *filter_at, global const int *depth_at,                   \
      global const int *tap_at, global const int *pixel, global const real *move,                 \
      global const real *x, global const real *w, global real *out

kernel void convolution_weight_difference(CONVOLUTION_WEIGHT_ARGUMENTS) {
  const int g = get_global_id(0);
  const int per_group = filters / groups;
  // Of each lane: where its tap's pixels and its channel begin.
  int tap[VECTOR_WIDTH];
  int channel[VECTOR_WIDTH];
  for (int v = 0; v < VECTOR_WIDTH; v++) {
    const int lane = g * VECTOR_WIDTH + v;
    tap[v] = tap_at[lane] * positions;
    channel[v] = (filter_at[lane] / per_group * (channels / groups) + depth_at[lane]) * pixels;
  }
  const realv d = LOAD(g, move);
  FOR_SHARE(e, samples * positions) {
    const int p = e % positions;
    const size_t first = (size_t)(e / positions) * channels * pixels;
    real factor[VECTOR_WIDTH];
    for (int v = 0; v < VECTOR_WIDTH; v++) {
      const int source = pixel[tap[v] + p];
      factor[v] = source < 0 ? (real)0 : x[first + channel[v] + source];
    }
    STORE(d * LOAD(0, factor), (size_t)e * lane_vectors + g, out);
  }
}

kernel void convolution_weight_value(CONVOLUTION_WEIGHT_ARGUMENTS) {
  const int g = get_global_id(0);
  const int lanes = lane_vectors * VECTOR_WIDTH;
  const int depth = channels / groups;
  FOR_SHARE(e, samples * positions) {
    for (int v = 0; v < VECTOR_WIDTH; v++) {
      const int lane = g * VECTOR_WIDTH + v;
      const int filter = filter_at[lane];
      real sum = 0;
      for (int c = 0; c < depth; c++) {
        const int channel = filter / (filters / groups) * depth + c;
        const size_t first = (size_t)(e / positions * channels + channel) * pixels;
        for (int t = 0; t < taps; t++) {
          const int source = pixel[t * positions + e % positions];
          if (source < 0)
            continue;
          const bool moves = c == depth_at[lane] && t == tap_at[lane];
          sum += (moves ? move[lane] : w[((size_t)filter * depth + c) * taps + t]) *
                 x[first + source];
        }
      }
      out[(size_t)e * lanes + lane] = sum;
    }
  }
}

// One weight moves and all of x, whose convolution with W at theta is in out already: adds
// (x + in) d (a difference) or in (move - w) (a value) to the filter's output.
// Launch: [lane vectors, workers over samples and positions].
kernel void convolution_add_weight(CONVOLUTION_EXTENTS, int is_value, global const int *filter_at,
                                   global const int *depth_at, global const int *tap_at,
                                   global const int *pixel, global const real *move,
                                   global const real *x, global const real *w,
                                   global const real *in, global real *out) {
  const int g = get_global_id(0);
  const int lanes = lane_vectors * VECTOR_WIDTH;
  const int depth = channels / groups;
  FOR_SHARE(e, samples * positions) {
    const int s = e / positions;
    const int p = e % positions;
    for (int v = 0; v < VECTOR_WIDTH; v++) {
      const int lane = g * VECTOR_WIDTH + v;
      const int filter = filter_at[lane];
      const int channel = filter / (filters / groups) * depth + depth_at[lane];
      const int source = pixel[tap_at[lane] * positions + p];
      if (source < 0)
        continue;
      const size_t from = (size_t)(s * channels + channel) * pixels + source;
      const size_t at = ((size_t)(s * filters + filter) * positions + p) * lanes + lane;
      const real moved = in[from * lanes + lane];
      if (is_value)
        out[at] += moved *
                   (move[lane] - w[((size_t)filter * depth + depth_at[lane]) * taps + tap_at[lane]]);
      else
        out[at] += (x[from] + moved) * move[lane];
    }
  }
}

// One channel of x moves, all of y does (one group only): in [samples * pixels, lanes]. As
// convolution_input, once for each channel of the work-item's lanes.
// Launch: [lane vectors / 2, samples * ceil(positions / CONVOLUTION_POSITIONS), ceil(filters /
// CONVOLUTION_ROWS)], as rows_first says.
kernel void convolution_channel_difference(CONVOLUTION_EXTENTS, int rows_first,
                                           global const int *channel_at,
                                           global const int *pixel, global const real *w,
                                           global const real *in, global real *out) {
  const int g = LANE_ID(rows_first) * 2;
  const int parts = (positions + CONVOLUTION_POSITIONS - 1) / CONVOLUTION_POSITIONS;
  const int s = get_global_id(1) / parts;
  const int first_position = get_global_id(1) % parts * CONVOLUTION_POSITIONS;
  const int last_position = min(first_position + CONVOLUTION_POSITIONS, positions);
  const int first = ROW_ID(rows_first) * CONVOLUTION_ROWS;
  const intv channel[2] = {LANE_INDEX(g, channel_at), LANE_INDEX(g + 1, channel_at)};
  const PositionRange range = position_range(g, channel_at);
  for (int c = range.first; c <= range.last; c++) {
    if (!ANY((channel[0] == (intv)(c)) | (channel[1] == (intv)(c))))
      continue;
    global const real *row[CONVOLUTION_ROWS];
#pragma unroll
    for (int i = 0; i < CONVOLUTION_ROWS; i++)
      row[i] = w + ((size_t)min(first + i, filters - 1) * channels + c) * taps;
    for (int p = first_position; p < last_position; p++) {
      realv sum[CONVOLUTION_ROWS][2];
#pragma unroll
      for (int i = 0; i < CONVOLUTION_ROWS; i++)
        sum[i][0] = sum[i][1] = (realv)(0);
      for (int t = 0; t < taps; t++) {
        const int source = pixel[t * positions + p];
        if (source < 0)
          continue;
        const size_t at = (size_t)(s * pixels + source) * lane_vectors + g;
        const realv left = LOAD(at, in);
        const realv right = LOAD(at + 1, in);
#pragma unroll
        for (int i = 0; i < CONVOLUTION_ROWS; i++) {
          const realv weight = (realv)(row[i][t]);
          sum[i][0] = fma(weight, left, sum[i][0]);
          sum[i][1] = fma(weight, right, sum[i][1]);
        }
      }
#pragma unroll
      for (int i = 0; i < CONVOLUTION_ROWS; i++) {
        const size_t at = ((size_t)(s * filters + first + i) * positions + p) * lane_vectors + g;
        if (first + i < filters) {
          STORE_AT_POSITION(sum[i][0], c == range.first, channel[0], c, at, out);
          STORE_AT_POSITION(sum[i][1], c == range.first, channel[1], c, at + 1, out);
        }
      }
    }
  }
}

// One channel of x and of y moves, every group having one of each (a depthwise convolution):
// in [samples * pixels, lanes], out [samples * positions, lanes]. Serves differences and values.
// Launch: [lane vectors, workers over the elements].
kernel void convolution_depthwise(CONVOLUTION_EXTENTS, global const int *channel_at,
                                  global const int *pixel, global const real *w,
                                  global const real *in, global real *out) {
  const int g = get_global_id(0);
  const intv channel = LANE_INDEX(g, channel_at);
  FOR_SHARE(e, samples * positions) {
    realv sum = (realv)(0);
    for (int t = 0; t < taps; t++) {
      const int source = pixel[t * positions + e % positions];
      if (source < 0)
        continue;
      sum = fma(gather(w, t, taps, channel),
                LOAD((size_t)(e / positions * pixels + source) * lane_vectors + g, in), sum);
    }
    STORE(sum, (size_t)e * lane_vectors + g, out);
  }
}
