// Convolutions by a table of pixels: pixel [taps, positions] is where tap t of the window at
// position p reads the input, -1 in the padding. x [samples, channels, pixels],
// W [filters, depth, taps] with depth = channels / groups, y [samples, filters, positions].
// Lane arrays are [elements, lanes]. CPU twin: Primitives/ConvolutionLanes.swift.

#define CONVOLUTION_ROWS 6
#define CONVOLUTION_POSITIONS 16

#define CONVOLUTION_EXTENTS                                                                       \
  int lane_vectors, int samples, int channels, int pixels, int filters, int groups, int taps,     \
      int positions

// x moves, W is a table; serves differences and values. Each work-item takes filters_each filters of a
// group, of which it holds a block of CONVOLUTION_ROWS and two lane vectors in registers, for some
// positions. Filters beyond the last repeat it, so that the block is always whole; they are not stored.
// Launch: [lane vectors / 2, samples * ceil(positions / CONVOLUTION_POSITIONS), groups * ceil(filters
// of a group / filters_each)], as rows_first says (lanes.cl).
#define CONVOLUTION_INPUT_ARGUMENTS                                                               \
  CONVOLUTION_EXTENTS, int rows_first, global const int *pixel, global const real *w,             \
      global const real *in, global real *out

// What a work-item computes: two lane vectors from g on, the filters of a group from begin to before end,
// and the positions of sample s from first_position to before last_position. moving: the group's first
// channel there.
#define CONVOLUTION_BLOCK                                                                         \
  const int g = LANE_ID(rows_first) * 2;                                                          \
  const int per_group = filters / groups;                                                         \
  const int shares = (per_group + filters_each - 1) / filters_each;                               \
  const int group = ROW_ID(rows_first) / shares;                                                  \
  const int begin = ROW_ID(rows_first) % shares * filters_each;                                   \
  const int end = min(begin + filters_each, per_group);                                           \
  const int parts = (positions + CONVOLUTION_POSITIONS - 1) / CONVOLUTION_POSITIONS;              \
  const int s = get_global_id(1) / parts;                                                         \
  const int first_position = get_global_id(1) % parts * CONVOLUTION_POSITIONS;                    \
  const int last_position = min(first_position + CONVOLUTION_POSITIONS, positions);               \
  const int depth = channels / groups;                                                            \
  const size_t moving = (size_t)(s * channels + group * depth) * pixels

// Adds the products of a lane vector, at a pointer, and of the next one with the weights of a block of
// filters i.
#define ADD_CONVOLUTION_TERM(vectors, weight)                                                     \
  {                                                                                               \
    const realv left = LOAD(0, vectors);                                                          \
    const realv right = LOAD(1, vectors);                                                         \
    _Pragma("unroll") for (int i = 0; i < CONVOLUTION_ROWS; i++) {                                \
      const realv factor = (realv)(weight);                                                       \
      sum[i][0] = fma(factor, left, sum[i][0]);                                                   \
      sum[i][1] = fma(factor, right, sum[i][1]);                                                  \
    }                                                                                             \
  }

#if VECTOR_WIDTH == 1
kernel void convolution_input(CONVOLUTION_INPUT_ARGUMENTS, int filters_each) {
  CONVOLUTION_BLOCK;
  for (int first = begin; first < end; first += CONVOLUTION_ROWS) {
    global const real *row[CONVOLUTION_ROWS];
#pragma unroll
    for (int i = 0; i < CONVOLUTION_ROWS; i++)
      row[i] = w + (size_t)(group * per_group + min(first + i, end - 1)) * depth * taps;
    const size_t result = (size_t)(s * filters + group * per_group + first) * positions;
    for (int p = first_position; p < last_position; p++) {
      realv sum[CONVOLUTION_ROWS][2];
#pragma unroll
      for (int i = 0; i < CONVOLUTION_ROWS; i++)
        sum[i][0] = sum[i][1] = (realv)(0);
      for (int c = 0; c < depth; c++) {
        for (int t = 0; t < taps; t++) {
          const int source = pixel[t * positions + p];
          if (source < 0)
            continue;
          const size_t at = (moving + (size_t)c * pixels + source) * lane_vectors + g;
          ADD_CONVOLUTION_TERM(in + at, row[i][c * taps + t])
        }
      }
#pragma unroll
      for (int i = 0; i < CONVOLUTION_ROWS; i++) {
        const size_t at = (result + (size_t)i * positions + p) * lane_vectors + g;
        if (first + i < end) {
          STORE(sum[i][0], at, out);
          STORE(sum[i][1], at + 1, out);
        }
      }
    }
  }
}
#else

// Terms go in parts: all taps of some channels (CONVOLUTION_DEPTH terms) or, of a window with more than
// CONVOLUTION_TAPS taps, so many of one channel. The weights of a part are copied to where they are read
// in order and, where the positions' windows reach over CONVOLUTION_PATCH pixels at most, so are those
// pixels: in images the lanes of a pixel lie far from those of the next channel's, often a power of two.
#define CONVOLUTION_DEPTH 256
#define CONVOLUTION_TAPS 64
#define CONVOLUTION_PATCH 1024

// Of a position, its taps that do not read the padding: where each one's weights are in a channel's, and
// its lanes.
typedef struct {
  int count;
  int weight_at[CONVOLUTION_TAPS];
  int lane_at[CONVOLUTION_TAPS];
} ConvolutionTaps;

// Adds the terms of a part, whose channels' lanes stand so far apart from a pointer on.
#define ADD_CONVOLUTION_PART(space, first, stride)                                                \
  {                                                                                               \
    space const real *lanes = first;                                                              \
    const real *weights = packed;                                                                 \
    const int count = tap->count;                                                                 \
    for (int c = 0; c < part_channels; c++) {                                                     \
      for (int j = 0; j < count; j++)                                                             \
        ADD_CONVOLUTION_TERM(lanes + tap->lane_at[j], weights[tap->weight_at[j] + i])             \
      lanes += stride;                                                                            \
      weights += part_taps * CONVOLUTION_ROWS;                                                    \
    }                                                                                             \
  }

kernel void convolution_input(CONVOLUTION_INPUT_ARGUMENTS, int filters_each) {
  CONVOLUTION_BLOCK;
  ConvolutionTaps tap_of[CONVOLUTION_POSITIONS];
  real packed[CONVOLUTION_ROWS * CONVOLUTION_DEPTH];
  real patch[2 * VECTOR_WIDTH * CONVOLUTION_PATCH];
  int first_channel = 0;
  int first_tap = 0;
  do {
    const int part_taps = min(CONVOLUTION_TAPS, taps - first_tap);
    int low = pixels;
    int high = -1;
    for (int t = first_tap; t < first_tap + part_taps; t++)
      for (int p = first_position; p < last_position; p++) {
        const int source = pixel[t * positions + p];
        low = source < 0 ? low : min(low, source);
        high = max(high, source);
      }
    const int reach = max(high - low + 1, 1);
    const bool is_patch = reach <= CONVOLUTION_PATCH;
    for (int p = first_position; p < last_position; p++) {
      ConvolutionTaps *const tap = tap_of + (p - first_position);
      tap->count = 0;
      for (int t = 0; t < part_taps; t++) {
        const int source = pixel[(first_tap + t) * positions + p];
        if (source < 0)
          continue;
        tap->weight_at[tap->count] = t * CONVOLUTION_ROWS;
        tap->lane_at[tap->count] =
            is_patch ? 2 * VECTOR_WIDTH * (source - low) : VECTOR_WIDTH * lane_vectors * source;
        tap->count++;
      }
    }
    const int most =
        min(CONVOLUTION_DEPTH / part_taps, is_patch ? CONVOLUTION_PATCH / reach : INT_MAX);
    // Parts of about the same size.
    const int left = depth - first_channel;
    const int part_channels = part_taps < taps ? 1 : left / ((left + most - 1) / most);
    const size_t start = (moving + (size_t)first_channel * pixels) * lane_vectors + g;
    if (is_patch)
      for (int c = 0; c < part_channels; c++)
        for (int i = 0; i < reach; i++) {
          const size_t at = start + ((size_t)c * pixels + low + i) * lane_vectors;
          const int to = 2 * (c * reach + i);
          STORE(LOAD(at, in), to, patch);
          STORE(LOAD(at + 1, in), to + 1, patch);
        }
    for (int first = begin; first < end; first += CONVOLUTION_ROWS) {
      for (int i = 0; i < CONVOLUTION_ROWS; i++) {
        const int filter = group * per_group + min(first + i, end - 1);
        global const real *const row =
            w + ((size_t)filter * depth + first_channel) * taps + first_tap;
        for (int k = 0; k < part_channels * part_taps; k++)
          packed[k * CONVOLUTION_ROWS + i] = row[k];
      }
      const size_t result = (size_t)(s * filters + group * per_group + first) * positions;
      for (int p = first_position; p < last_position; p++) {
        realv sum[CONVOLUTION_ROWS][2];
#pragma unroll
        for (int i = 0; i < CONVOLUTION_ROWS; i++) {
          const size_t at = (result + (size_t)i * positions + p) * lane_vectors + g;
          sum[i][0] = sum[i][1] = (realv)(0);
          if (first_channel + first_tap > 0 && first + i < end) {
            sum[i][0] = LOAD(at, out);
            sum[i][1] = LOAD(at + 1, out);
          }
        }
        const ConvolutionTaps *const tap = tap_of + (p - first_position);
        if (is_patch)
          ADD_CONVOLUTION_PART(private, patch, 2 * VECTOR_WIDTH * reach)
        else
          ADD_CONVOLUTION_PART(global, in + start * VECTOR_WIDTH,
                               (size_t)pixels * lane_vectors * VECTOR_WIDTH)
#pragma unroll
        for (int i = 0; i < CONVOLUTION_ROWS; i++) {
          const size_t at = (result + (size_t)i * positions + p) * lane_vectors + g;
          if (first + i < end) {
            STORE(sum[i][0], at, out);
            STORE(sum[i][1], at + 1, out);
          }
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
#endif

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
