// Convolutions by a table of pixels: pixel [taps, positions] is where tap t of the window at
// position p reads the input, -1 in the padding. x [samples, channels, pixels],
// W [filters, depth, taps] with depth = channels / groups, y [samples, filters, positions].
// Lane arrays are [elements, lanes]. CPU twin: Primitives/ConvolutionLanes.swift.

#define CONVOLUTION_EXTENTS                                                                       \
  int lane_vectors, int samples, int channels, int pixels, int filters, int groups, int taps,     \
      int positions

// x moves, W is a table; serves differences and values. Each work-item takes blocks_each row blocks
// (rows.cl) of a group's filters, one after the other, at some positions.
// Launch: [lane vectors / 2, samples * ceil(positions / ROW_SAMPLES), groups * ceil(row blocks of
// a group's filters / blocks_each)], as rows_first says (lanes.cl).
#define CONVOLUTION_INPUT_ARGUMENTS                                                               \
  CONVOLUTION_EXTENTS, int rows_first, global const int *pixel, global const real *w,             \
      global const real *in, global real *out

// What a work-item computes: two lane vectors from g on, the blocks of the group's filters from begin to
// before end, and the positions of sample s from first_position to before last_position. moving: the
// group's first channel there.
#define CONVOLUTION_BLOCK                                                                         \
  const int g = LANE_ID(rows_first) * 2;                                                          \
  const int per_group = filters / groups;                                                         \
  const int blocks = row_blocks(per_group);                                                       \
  const int shares = (blocks + blocks_each - 1) / blocks_each;                                    \
  const int group = ROW_ID(rows_first) / shares;                                                  \
  const int begin = ROW_ID(rows_first) % shares * blocks_each;                                    \
  const int end = min(begin + blocks_each, blocks);                                               \
  const int parts = (positions + ROW_SAMPLES - 1) / ROW_SAMPLES;                                  \
  const int s = get_global_id(1) / parts;                                                         \
  const int first_position = get_global_id(1) % parts * ROW_SAMPLES;                              \
  const int last_position = min(first_position + ROW_SAMPLES, positions);                         \
  const int depth = channels / groups;                                                            \
  const size_t moving = (size_t)(s * channels + group * depth) * pixels;                          \
  const size_t out_stride = (size_t)positions * lane_vectors

#if VECTOR_WIDTH == 1
// Of one position, the sums over the channels and taps of a block of filters.
ALWAYS_INLINE void convolution_sums(const int rows, int left, int depth, int taps, int positions,
                                    int pixels, int lane_vectors, global const int *pixel,
                                    global const real *const *row, global const real *in, size_t at,
                                    size_t out_stride, global real *out) {
  RowSums sum;
  clear_rows(rows, sum);
  for (int c = 0; c < depth; c++) {
    for (int t = 0; t < taps; t++) {
      const int source = pixel[t * positions];
      if (source < 0)
        continue;
      const size_t from = ((size_t)c * pixels + source) * lane_vectors;
      ADD_ROW_TERMS(sum, rows, in[from], in[from + 1], row[i][c * taps + t])
    }
  }
  store_rows(rows, sum, left, at, out_stride, out);
}

kernel void convolution_input(CONVOLUTION_INPUT_ARGUMENTS, int blocks_each) {
  CONVOLUTION_BLOCK;
  for (int block = begin; block < end; block++) {
    const int first = row_block_start(block, per_group);
    const int left = per_group - first;
    global const real *row[ROWS_MOST];
    for (int i = 0; i < ROWS_MOST; i++)
      row[i] = w + (size_t)(group * per_group + first + min(i, left - 1)) * depth * taps;
    const size_t result = (size_t)(s * filters + group * per_group + first) * positions;
    for (int p = first_position; p < last_position; p++) {
#define CONVOLUTION_SUMS(rows)                                                                    \
  convolution_sums(rows, left, depth, taps, positions, pixels, lane_vectors, pixel + p, row,      \
                   in + moving * lane_vectors + g, (result + p) * lane_vectors + g, out_stride,   \
                   out)
      if (is_large_row_block(block, per_group))
        CONVOLUTION_SUMS(ROWS_MOST);
      else
        CONVOLUTION_SUMS(ROWS_LEAST);
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
#define CONVOLUTION_PATCH 2048

// Of a position, its taps that do not read the padding: which, and where the lanes are.
typedef struct {
  int count;
  int tap[CONVOLUTION_TAPS];
  int lane_at[CONVOLUTION_TAPS];
} ConvolutionTaps;

// Adds the terms of a part, whose channels' lanes stand so far apart from a pointer on.
#define ADD_CONVOLUTION_PART(space, first, stride)                                                \
  {                                                                                               \
    space const real *lanes = first;                                                              \
    for (int c = 0; c < channels; c++) {                                                          \
      for (int j = 0; j < count; j++) {                                                           \
        const realv left_lanes = LOAD(0, lanes + at->lane_at[j]);                                 \
        const realv right_lanes = LOAD(1, lanes + at->lane_at[j]);                                \
        ADD_ROW_TERMS(sum, rows, left_lanes, right_lanes, weights[at->tap[j] * rows + i])         \
      }                                                                                           \
      lanes += stride;                                                                            \
      weights += taps * rows;                                                                     \
    }                                                                                             \
  }

// Of one position, the sums over a part of so many channels and taps; those before are in out where it
// adds. The channels' lanes are in the patch, or so far apart in `in`.
ALWAYS_INLINE void convolution_sums(const int rows, int left, bool adds, const ConvolutionTaps *at,
                                    int channels, int taps, const real *weights,
                                    const real *patch, size_t patch_stride, global const real *in,
                                    size_t in_stride, size_t result, size_t out_stride,
                                    global real *out) {
  RowSums sum;
  const int count = at->count;
  clear_rows(rows, sum);
  if (adds)
    load_rows(rows, sum, left, result, out_stride, out);
  if (patch != 0)
    ADD_CONVOLUTION_PART(private, patch, patch_stride)
  else
    ADD_CONVOLUTION_PART(global, in, in_stride)
  store_rows(rows, sum, left, result, out_stride, out);
}

kernel void convolution_input(CONVOLUTION_INPUT_ARGUMENTS, int blocks_each) {
  CONVOLUTION_BLOCK;
  ConvolutionTaps taps_of[ROW_SAMPLES];
  real packed[ROWS_MOST * CONVOLUTION_DEPTH];
  // A vector that lies across two lines of a cache is read twice.
  real patch[2 * VECTOR_WIDTH * CONVOLUTION_PATCH] __attribute__((aligned(64)));
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
      ConvolutionTaps *const at = taps_of + (p - first_position);
      at->count = 0;
      for (int t = 0; t < part_taps; t++) {
        const int source = pixel[(first_tap + t) * positions + p];
        if (source < 0)
          continue;
        at->tap[at->count] = t;
        at->lane_at[at->count] =
            is_patch ? 2 * VECTOR_WIDTH * (source - low) : VECTOR_WIDTH * lane_vectors * source;
        at->count++;
      }
    }
    const int most =
        min(CONVOLUTION_DEPTH / part_taps, is_patch ? CONVOLUTION_PATCH / reach : INT_MAX);
    // Parts of about the same size.
    const int remaining = depth - first_channel;
    const int part_channels = part_taps < taps ? 1 : remaining / ((remaining + most - 1) / most);
    const size_t start = (moving + (size_t)first_channel * pixels) * lane_vectors + g;
    if (is_patch)
      for (int c = 0; c < part_channels; c++)
        for (int i = 0; i < reach; i++) {
          const size_t at = start + ((size_t)c * pixels + low + i) * lane_vectors;
          const int to = 2 * (c * reach + i);
          STORE(LOAD(at, in), to, patch);
          STORE(LOAD(at + 1, in), to + 1, patch);
        }
    for (int block = begin; block < end; block++) {
      const bool is_large = is_large_row_block(block, per_group);
      const int rows = is_large ? ROWS_MOST : ROWS_LEAST;
      const int first = row_block_start(block, per_group);
      const int left = per_group - first;
      for (int i = 0; i < rows; i++) {
        const int filter = group * per_group + first + min(i, left - 1);
        global const real *const row =
            w + ((size_t)filter * depth + first_channel) * taps + first_tap;
        for (int k = 0; k < part_channels * part_taps; k++)
          packed[k * rows + i] = row[k];
      }
      const size_t result = (size_t)(s * filters + group * per_group + first) * positions;
      for (int p = first_position; p < last_position; p++) {
#define CONVOLUTION_SUMS(rows)                                                                    \
  convolution_sums(rows, left, first_channel + first_tap > 0, taps_of + (p - first_position),     \
                   part_channels, part_taps, packed, is_patch ? patch : 0,                        \
                   2 * VECTOR_WIDTH * reach, in + start * VECTOR_WIDTH,                           \
                   (size_t)pixels * lane_vectors * VECTOR_WIDTH, (result + p) * lane_vectors + g, \
                   out_stride, out)
        if (is_large)
          CONVOLUTION_SUMS(ROWS_MOST);
        else
          CONVOLUTION_SUMS(ROWS_LEAST);
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
// x moves. Launch: [lane workers, workers over the elements of y].
kernel void convolution_lanes(CONVOLUTION_EXTENTS, int adds, int use_table,
                              global const int *pixel, global const real *x,
                              global const real *in, global const real *dw, global real *out) {
  FOR_LANES(g) {
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
}

// One weight moves, and one filter's output: out [samples * positions, lanes]. filter_at, depth_at
// and tap_at [lanes] say which. Launch: [lane workers, workers over samples and positions].
#define CONVOLUTION_WEIGHT_ARGUMENTS                                                              \
  CONVOLUTION_EXTENTS, global const int *filter_at, global const int *depth_at,                   \
      global const int *tap_at, global const int *pixel, global const real *move,                 \
      global const real *x, global const real *w, global real *out

// Of a lane vector the pixels that the weights are multiplied with. So many lanes in a row move the same
// weight. tap, channel: where each lane's tap's pixels and its channel begin.
ALWAYS_INLINE realv weighted_pixels(const int together, const int *tap, const int *channel, int position,
                                    global const int *pixel, global const real *image) {
  real factor[VECTOR_WIDTH];
#pragma unroll
  for (int v = 0; v < VECTOR_WIDTH; v += together) {
    const int source = pixel[tap[v] + position];
    const real value = source < 0 ? (real)0 : image[channel[v] + source];
    for (int w = v; w < v + together; w++)
      factor[w] = value;
  }
  return LOAD(0, factor);
}

kernel void convolution_weight_difference(CONVOLUTION_WEIGHT_ARGUMENTS) {
  const int depth = channels / groups;
  FOR_LANE_BLOCKS(g) {
    int tap[LANE_BLOCK * VECTOR_WIDTH];
    int channel[LANE_BLOCK * VECTOR_WIDTH];
    for (int v = 0; v < LANE_BLOCK * VECTOR_WIDTH; v++) {
      const int lane = g * VECTOR_WIDTH + v;
      tap[v] = tap_at[lane] * positions;
      channel[v] = (filter_at[lane] / (filters / groups) * depth + depth_at[lane]) * pixels;
    }
    // A step and the same back stand side by side, mostly.
    bool is_paired = VECTOR_WIDTH > 1;
    for (int v = 0; v + 1 < LANE_BLOCK * VECTOR_WIDTH; v += 2)
      is_paired = is_paired && tap[v] == tap[v + 1] && channel[v] == channel[v + 1];
#define CONVOLUTION_WEIGHT_ELEMENTS(together)                                                     \
  FOR_SHARE(e, samples * positions) {                                                             \
    global const real *const image = x + (size_t)(e / positions) * channels * pixels;             \
    _Pragma("unroll") for (int b = 0; b < LANE_BLOCK; b++) {                                      \
      const realv factor = weighted_pixels(together, tap + b * VECTOR_WIDTH,                      \
                                           channel + b * VECTOR_WIDTH, e % positions, pixel,      \
                                           image);                                                \
      STORE(LOAD(g + b, move) * factor, (size_t)e * lane_vectors + g + b, out);                   \
    }                                                                                             \
  }
    if (is_paired)
      CONVOLUTION_WEIGHT_ELEMENTS(VECTOR_WIDTH > 1 ? 2 : 1)
    else
      CONVOLUTION_WEIGHT_ELEMENTS(1)
  }
}

kernel void convolution_weight_value(CONVOLUTION_WEIGHT_ARGUMENTS) {
  FOR_LANES(g) {
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
}

// One weight moves and all of x, whose convolution with W at theta is in out already: adds
// (x + in) d (a difference) or in (move - w) (a value) to the filter's output.
// Launch: [lane workers, workers over samples and positions].
kernel void convolution_add_weight(CONVOLUTION_EXTENTS, int is_value, global const int *filter_at,
                                   global const int *depth_at, global const int *tap_at,
                                   global const int *pixel, global const real *move,
                                   global const real *x, global const real *w,
                                   global const real *in, global real *out) {
  FOR_LANES(g) {
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
}

// Of one position, the sums over a channel's taps of a block of filters.
ALWAYS_INLINE void convolution_channel_sums(const int rows, int left, bool is_first,
                                            const intv *channel, int here, int taps, int positions,
                                            int lane_vectors, global const int *pixel,
                                            global const real *const *row, size_t from,
                                            global const real *in, size_t at, size_t out_stride,
                                            global real *out) {
  RowSums sum;
  clear_rows(rows, sum);
  for (int t = 0; t < taps; t++) {
    const int source = pixel[t * positions];
    if (source < 0)
      continue;
    const realv first = LOAD(from + (size_t)source * lane_vectors, in);
    const realv second = LOAD(from + (size_t)source * lane_vectors + 1, in);
    ADD_ROW_TERMS(sum, rows, first, second, row[i][t])
  }
  store_rows_at_position(rows, sum, left, is_first, channel, here, at, out_stride, out);
}

// One channel of x moves, all of y does (one group only): in [samples * pixels, lanes]. As
// convolution_input with one row block, once for each channel of the work-item's lanes.
// Launch: [lane vectors / 2, samples * ceil(positions / ROW_SAMPLES), row blocks of filters], as
// rows_first says.
kernel void convolution_channel_difference(CONVOLUTION_EXTENTS, int rows_first,
                                           global const int *channel_at,
                                           global const int *pixel, global const real *w,
                                           global const real *in, global real *out) {
  const int g = LANE_ID(rows_first) * 2;
  const int parts = (positions + ROW_SAMPLES - 1) / ROW_SAMPLES;
  const int s = get_global_id(1) / parts;
  const int first_position = get_global_id(1) % parts * ROW_SAMPLES;
  const int last_position = min(first_position + ROW_SAMPLES, positions);
  const bool is_large = is_large_row_block(ROW_ID(rows_first), filters);
  const int first = row_block_start(ROW_ID(rows_first), filters);
  const int left = filters - first;
  const intv channel[2] = {LANE_INDEX(g, channel_at), LANE_INDEX(g + 1, channel_at)};
  const PositionRange range = position_range(g, channel_at);
  for (int c = range.first; c <= range.last; c++) {
    if (!ANY_INT((channel[0] == (intv)(c)) | (channel[1] == (intv)(c))))
      continue;
    global const real *row[ROWS_MOST];
    for (int i = 0; i < ROWS_MOST; i++)
      row[i] = w + ((size_t)(first + min(i, left - 1)) * channels + c) * taps;
    for (int p = first_position; p < last_position; p++) {
      const size_t at = ((size_t)(s * filters + first) * positions + p) * lane_vectors + g;
#define CONVOLUTION_CHANNEL_SUMS(rows)                                                            \
  convolution_channel_sums(rows, left, c == range.first, channel, c, taps, positions,             \
                           lane_vectors, pixel + p, row, (size_t)s * pixels * lane_vectors + g,   \
                           in, at, (size_t)positions * lane_vectors, out)
      if (is_large)
        CONVOLUTION_CHANNEL_SUMS(ROWS_MOST);
      else
        CONVOLUTION_CHANNEL_SUMS(ROWS_LEAST);
    }
  }
}

// One channel of x and of y moves, every group having one of each (a depthwise convolution):
// in [samples * pixels, lanes], out [samples * positions, lanes]. Serves differences and values.
// Launch: [lane workers, workers over the elements].
kernel void convolution_depthwise(CONVOLUTION_EXTENTS, global const int *channel_at,
                                  global const int *pixel, global const real *w,
                                  global const real *in, global real *out) {
  FOR_LANES(g) {
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
}
