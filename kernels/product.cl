// Matrix products: C[b, m, n] = sum over k of A[b, m, k] B[b, k, n]; lane arrays are
// [elements, lanes]. Operands are addressed by strides, so that transposed ones and ones that all
// batches share (batch stride 0) need no kernels of their own.
// CPU twin: Primitives/MatrixProductLanes.swift.

#define PRODUCT_ROWS 6
#define PRODUCT_SAMPLES 16

// What a work-item computes: two lane vectors from g on, PRODUCT_ROWS rows from `first` on, and the
// samples of batch b from first_sample to before last_sample.
// Launch: [lane vectors / 2, batches * ceil(samples / PRODUCT_SAMPLES), ceil(outs / PRODUCT_ROWS)], as
// rows_first says (lanes.cl).
#define PRODUCT_BLOCK                                                                             \
  const int g = LANE_ID(rows_first) * 2;                                                          \
  const int first = ROW_ID(rows_first) * PRODUCT_ROWS;                                            \
  const int parts = (samples + PRODUCT_SAMPLES - 1) / PRODUCT_SAMPLES;                            \
  const int b = get_global_id(1) / parts;                                                         \
  const int first_sample = get_global_id(1) % parts * PRODUCT_SAMPLES;                            \
  const int last_sample = min(first_sample + PRODUCT_SAMPLES, samples)

#define PRODUCT_TABLE_ARGUMENTS                                                                   \
  int lane_vectors, int rows_first, int outs, int samples, int depth, int table_batch, int table_out,             \
      int table_depth, int in_batch, int in_sample, int in_depth, int out_batch, int out_out,     \
      int out_sample, global const real *table, global const real *in, global const real *bias,   \
      global real *out

// One factor moves, the other is a table of the baseline; serves differences and values.
//   out(b, o, s) = sum over k of table(b, o, k) in(b, s, k), and bias(o) where it is not null.
// Each work-item holds a block of PRODUCT_ROWS of o and two lane vectors in registers, for some samples
// one after the other. Where lanes are explicit vectors it first copies its part of the table, of so
// many k at a time, to where it is read in order: rows of a large table lie pages apart, and fall
// into the same few places of the caches.
// Launch: as PRODUCT_BLOCK says.
#if VECTOR_WIDTH == 1
#define PRODUCT_DEPTH INT_MAX
#define PRODUCT_WEIGHT(i, k) factor[row[i] + (size_t)(k) * table_depth]
#else
#define PRODUCT_DEPTH 256
#define PRODUCT_WEIGHT(i, k) packed[((k) - begin) * PRODUCT_ROWS + i]
#endif

kernel void product_table(PRODUCT_TABLE_ARGUMENTS) {
  PRODUCT_BLOCK;
  global const real *const factor = table + (size_t)b * table_batch;
  // Rows beyond the last repeat it, so that the block is always whole; they are not stored.
  size_t row[PRODUCT_ROWS];
  for (int i = 0; i < PRODUCT_ROWS; i++)
    row[i] = (size_t)min(first + i, outs - 1) * table_out;
#if VECTOR_WIDTH > 1
  real packed[PRODUCT_ROWS * PRODUCT_DEPTH];
#endif
  int begin = 0;
  do {
    const int end = depth - begin > PRODUCT_DEPTH ? begin + PRODUCT_DEPTH : depth;
#if VECTOR_WIDTH > 1
    for (int k = begin; k < end; k++)
      for (int i = 0; i < PRODUCT_ROWS; i++)
        PRODUCT_WEIGHT(i, k) = factor[row[i] + (size_t)k * table_depth];
#endif
    for (int s = first_sample; s < last_sample; s++) {
      const size_t moving = (size_t)b * in_batch + (size_t)s * in_sample;
      const size_t result = (size_t)b * out_batch + (size_t)s * out_sample;
      realv sum[PRODUCT_ROWS][2];
#pragma unroll
      for (int i = 0; i < PRODUCT_ROWS; i++) {
        sum[i][0] = sum[i][1] = (realv)(0);
        const size_t at = (result + (size_t)(first + i) * out_out) * lane_vectors + g;
        if (begin > 0 && first + i < outs) {
          sum[i][0] = LOAD(at, out);
          sum[i][1] = LOAD(at + 1, out);
        }
      }
      for (int k = begin; k < end; k++) {
        const size_t at = (moving + (size_t)k * in_depth) * lane_vectors + g;
        const realv left = LOAD(at, in);
        const realv right = LOAD(at + 1, in);
#pragma unroll
        for (int i = 0; i < PRODUCT_ROWS; i++) {
          const realv weight = (realv)(PRODUCT_WEIGHT(i, k));
          sum[i][0] = fma(weight, left, sum[i][0]);
          sum[i][1] = fma(weight, right, sum[i][1]);
        }
      }
#pragma unroll
      for (int i = 0; i < PRODUCT_ROWS; i++) {
        const size_t at = (result + (size_t)(first + i) * out_out) * lane_vectors + g;
        if (first + i < outs) {
          if (bias != 0 && end == depth) {
            sum[i][0] += (realv)(bias[first + i]);
            sum[i][1] += (realv)(bias[first + i]);
          }
          STORE(sum[i][0], at, out);
          STORE(sum[i][1], at + 1, out);
        }
      }
    }
    begin = end;
  } while (begin < depth);
}

// Both factors move. A difference (a is A's table) adds (A + dA) dB to what is there; a value
// (use_table = 0) is the product of the values. Each work-item holds a block of C in registers, so that
// what is read serves several products; rows and columns beyond the last repeat it, and are not stored.
// Launch: [lane vectors, batches, ceil(rows / BLOCK_ROWS) * ceil(columns / BLOCK_COLUMNS)].
#define BLOCK_ROWS 2
#define BLOCK_COLUMNS 4

kernel void product_lanes(int lane_vectors, int rows, int depth, int columns, int a_batch, int a_row,
                          int a_depth, int b_batch, int b_depth, int b_column, int use_table,
                          global const real *a, global const real *da, global const real *db,
                          global real *out) {
  const int g = get_global_id(0);
  const int batch = get_global_id(1);
  const int across = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
  const int m = get_global_id(2) / across * BLOCK_ROWS;
  const int n = get_global_id(2) % across * BLOCK_COLUMNS;
  const size_t result = (size_t)batch * rows * columns;
  realv sum[BLOCK_ROWS][BLOCK_COLUMNS];
  size_t left[BLOCK_ROWS];
  size_t right[BLOCK_COLUMNS];
#pragma unroll
  for (int i = 0; i < BLOCK_ROWS; i++)
    left[i] = (size_t)batch * a_batch + (size_t)min(m + i, rows - 1) * a_row;
#pragma unroll
  for (int j = 0; j < BLOCK_COLUMNS; j++)
    right[j] = (size_t)batch * b_batch + (size_t)min(n + j, columns - 1) * b_column;
#pragma unroll
  for (int i = 0; i < BLOCK_ROWS; i++) {
#pragma unroll
    for (int j = 0; j < BLOCK_COLUMNS; j++) {
      const size_t at = result + (size_t)(m + i) * columns + n + j;
      sum[i][j] = use_table && m + i < rows && n + j < columns ? LOAD(at * lane_vectors + g, out)
                                                               : (realv)(0);
    }
  }
  for (int k = 0; k < depth; k++) {
    realv row[BLOCK_ROWS];
#pragma unroll
    for (int i = 0; i < BLOCK_ROWS; i++) {
      const size_t at = left[i] + (size_t)k * a_depth;
      row[i] = LOAD(at * lane_vectors + g, da);
      if (use_table)
        row[i] += (realv)(a[at]);
    }
#pragma unroll
    for (int j = 0; j < BLOCK_COLUMNS; j++) {
      const realv column = LOAD((right[j] + (size_t)k * b_depth) * lane_vectors + g, db);
#pragma unroll
      for (int i = 0; i < BLOCK_ROWS; i++)
        sum[i][j] = fma(row[i], column, sum[i][j]);
    }
  }
#pragma unroll
  for (int i = 0; i < BLOCK_ROWS; i++) {
#pragma unroll
    for (int j = 0; j < BLOCK_COLUMNS; j++) {
      const size_t at = result + (size_t)(m + i) * columns + n + j;
      if (m + i < rows && n + j < columns)
        STORE(sum[i][j], at * lane_vectors + g, out);
    }
  }
}

// One element of a factor moves, at depth k and free position f of the lane (the row of A, the
// column of B); what moves of C is that row or column: out [batches * samples, lanes].
// table(b, s, k) is the other factor.
#define PRODUCT_SINGLE_ARGUMENTS                                                                  \
  int lane_vectors, int batches, int samples, int depth, int table_batch, int table_sample,       \
      int table_depth, int own_free, int own_depth, global const int *depth_at,                   \
      global const int *free_at, global const real *move, global const real *table,               \
      global const real *own, global real *out

// Launch: [lane vectors, workers over batches and samples].
kernel void product_single_difference(PRODUCT_SINGLE_ARGUMENTS) {
  const int g = get_global_id(0);
  const intv k = LANE_INDEX(g, depth_at);
  const realv d = LOAD(g, move);
  FOR_SHARE(e, batches * samples) {
    const int offset = e / samples * table_batch + e % samples * table_sample;
    STORE(d * gather(table, offset, table_depth, k), (size_t)e * lane_vectors + g, out);
  }
}

// The moved element stands in `move`; the whole sums are formed again, the factor's other
// elements coming from own.
kernel void product_single_value(PRODUCT_SINGLE_ARGUMENTS) {
  const int g = get_global_id(0);
  const intv moved = LANE_INDEX(g, depth_at);
  const intv free = LANE_INDEX(g, free_at);
  const realv value = LOAD(g, move);
  FOR_SHARE(e, batches * samples) {
    const int offset = e / samples * table_batch + e % samples * table_sample;
    realv sum = (realv)(0);
    for (int k = 0; k < depth; k++) {
      const realv here = gather(own, k * own_depth, own_free, free);
      sum += (INT_TO_MASK(moved == (intv)(k)) ? value : here) * table[offset + k * table_depth];
    }
    STORE(sum, (size_t)e * lane_vectors + g, out);
  }
}

// Of the summed axis moves one block of so many positions (width), the one of the lane:
// out(b, o, s) = sum over k < width of table(b, o, width * block + k) in(b, s, k). Once for each block
// of the work-item's lanes.
// Launch: as PRODUCT_BLOCK says.
kernel void product_depth_difference(int lane_vectors, int rows_first, int outs, int samples, int width,
                                     int table_batch, int table_out, int table_depth,
                                     int in_batch, int in_sample, int in_depth, int out_batch,
                                     int out_out, int out_sample, global const int *depth_at,
                                     global const real *table, global const real *in,
                                     global real *out) {
  PRODUCT_BLOCK;
  const intv block[2] = {LANE_INDEX(g, depth_at), LANE_INDEX(g + 1, depth_at)};
  const PositionRange range = position_range(g, depth_at);
  for (int c = range.first; c <= range.last; c++) {
    if (!ANY((block[0] == (intv)(c)) | (block[1] == (intv)(c))))
      continue;
    global const real *row[PRODUCT_ROWS];
#pragma unroll
    for (int i = 0; i < PRODUCT_ROWS; i++)
      row[i] = table + (size_t)b * table_batch + (size_t)min(first + i, outs - 1) * table_out +
               (size_t)c * width * table_depth;
    for (int s = first_sample; s < last_sample; s++) {
      realv sum[PRODUCT_ROWS][2];
#pragma unroll
      for (int i = 0; i < PRODUCT_ROWS; i++)
        sum[i][0] = sum[i][1] = (realv)(0);
      for (int k = 0; k < width; k++) {
        const size_t at = ((size_t)b * in_batch + (size_t)s * in_sample + (size_t)k * in_depth) *
                              lane_vectors + g;
        const realv left = LOAD(at, in);
        const realv right = LOAD(at + 1, in);
#pragma unroll
        for (int i = 0; i < PRODUCT_ROWS; i++) {
          const realv weight = (realv)(row[i][(size_t)k * table_depth]);
          sum[i][0] = fma(weight, left, sum[i][0]);
          sum[i][1] = fma(weight, right, sum[i][1]);
        }
      }
#pragma unroll
      for (int i = 0; i < PRODUCT_ROWS; i++) {
        const size_t at = ((size_t)b * out_batch + (size_t)s * out_sample +
                           (size_t)(first + i) * out_out) * lane_vectors + g;
        if (first + i < outs) {
          STORE_AT_POSITION(sum[i][0], c == range.first, block[0], c, at, out);
          STORE_AT_POSITION(sum[i][1], c == range.first, block[1], c, at + 1, out);
        }
      }
    }
  }
}

// One element of a factor moves and all of the other one, whose product with the factor at theta
// is in out already: adds (table + in)(b, s, k) d (a difference) or in(b, s, k) (move - own) (a
// value) at the lane's free position. out(b, s, f) stands at b out_batch + s out_sample + f out_free.
// Launch: [lane vectors, workers over batches and samples].
kernel void product_add_single(int lane_vectors, int batches, int samples, int is_value,
                               int table_batch, int table_sample, int table_depth, int in_batch,
                               int own_free, int own_depth, int out_batch, int out_sample,
                               int out_free, global const int *depth_at,
                               global const int *free_at, global const real *move,
                               global const real *table, global const real *own,
                               global const real *in, global real *out) {
  const int g = get_global_id(0);
  FOR_SHARE(e, batches * samples) {
    const int b = e / samples;
    const int s = e % samples;
    for (int v = 0; v < VECTOR_WIDTH; v++) {
      const int lane = g * VECTOR_WIDTH + v;
      const int lanes = lane_vectors * VECTOR_WIDTH;
      const int k = depth_at[lane];
      const int f = free_at[lane];
      const size_t inside = (size_t)s * table_sample + (size_t)k * table_depth;
      const real moved = in[((size_t)b * in_batch + inside) * lanes + lane];
      const size_t at = ((size_t)b * out_batch + (size_t)s * out_sample + (size_t)f * out_free) *
                            lanes + lane;
      if (is_value)
        out[at] += moved * (move[lane] - own[(size_t)f * own_free + (size_t)k * own_depth]);
      else
        out[at] += (table[(size_t)b * table_batch + inside] + moved) * move[lane];
    }
  }
}
