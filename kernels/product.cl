// Matrix products: C[b, m, n] = sum over k of A[b, m, k] B[b, k, n]; lane arrays are
// [elements, lanes]. Operands are addressed by strides, so that transposed ones and ones that all
// batches share (batch stride 0) need no kernels of their own.
// CPU twin: Primitives/MatrixProductLanes.swift.

// What a work-item computes: two lane vectors from g on, the rows of a block (rows.cl) from `first` on,
// so many of which are left, and the samples of batch b from first_sample to before last_sample.
// Launch: [lane vectors / 2, batches * ceil(samples / ROW_SAMPLES), row blocks of outs], as
// rows_first says (lanes.cl).
#define PRODUCT_BLOCK                                                                             \
  const int g = LANE_ID(rows_first) * 2;                                                          \
  const bool is_large = is_large_row_block(ROW_ID(rows_first), outs);                             \
  const int first = row_block_start(ROW_ID(rows_first), outs);                                    \
  const int left = outs - first;                                                                  \
  const int parts = (samples + ROW_SAMPLES - 1) / ROW_SAMPLES;                                    \
  const int b = get_global_id(1) / parts;                                                         \
  const int first_sample = get_global_id(1) % parts * ROW_SAMPLES;                                \
  const int last_sample = min(first_sample + ROW_SAMPLES, samples)

#define PRODUCT_TABLE_ARGUMENTS                                                                   \
  int lane_vectors, int rows_first, int outs, int samples, int depth, int table_batch,            \
      int table_out, int table_depth, int in_batch, int in_sample, int in_depth, int out_batch,   \
      int out_out, int out_sample, global const real *table, global const real *in,               \
      global const real *bias, global real *out

// One factor moves, the other is a table of the baseline; serves differences and values.
//   out(b, o, s) = sum over k of table(b, o, k) in(b, s, k), and bias(o) where it is not null.
// Each work-item takes a block of o for some samples one after the other. Where lanes are explicit vectors
// it first copies its part of the table, of so many k at a time, to where it is read in order: rows of a
// large table lie pages apart, and fall into the same few places of the caches.
// Launch: as PRODUCT_BLOCK says.
#if VECTOR_WIDTH == 1
#define PRODUCT_DEPTH INT_MAX
#define PRODUCT_WEIGHT(i, k) row[i][(size_t)(begin + (k)) * table_depth]
#else
#define PRODUCT_DEPTH 256
#define PRODUCT_WEIGHT(i, k) packed[(k) * rows + i]
#endif

// Of one sample, the sums over k from begin to before end; those before are in out.
ALWAYS_INLINE void product_sums(const int rows, int left, int begin, int end,
                                global const real *const *row, size_t table_depth,
                                const real *packed, size_t from, size_t stride,
                                global const real *in, global const real *bias, size_t at,
                                size_t out_stride, global real *out) {
  RowSums sum;
  clear_rows(rows, sum);
  if (begin > 0)
    load_rows(rows, sum, left, at, out_stride, out);
  for (int k = 0; k < end - begin; k++) {
    const realv first = LOAD(from, in);
    const realv second = LOAD(from + 1, in);
    ADD_ROW_TERMS(sum, rows, first, second, PRODUCT_WEIGHT(i, k))
    from += stride;
  }
  if (bias != 0) {
#pragma unroll
    for (int i = 0; i < rows; i++) {
      const realv more = (realv)(bias[min(i, left - 1)]);
      sum[i][0] += more;
      sum[i][1] += more;
    }
  }
  store_rows(rows, sum, left, at, out_stride, out);
}

kernel void product_table(PRODUCT_TABLE_ARGUMENTS) {
  PRODUCT_BLOCK;
  global const real *row[ROWS_MOST];
  for (int i = 0; i < ROWS_MOST; i++)
    row[i] = table + (size_t)b * table_batch + (size_t)(first + min(i, left - 1)) * table_out;
#if VECTOR_WIDTH > 1
  real packed[ROWS_MOST * PRODUCT_DEPTH];
  const int rows = is_large ? ROWS_MOST : ROWS_LEAST;
#else
  const real *const packed = 0;
#endif
  int begin = 0;
  do {
    const int end = depth - begin > PRODUCT_DEPTH ? begin + PRODUCT_DEPTH : depth;
#if VECTOR_WIDTH > 1
    for (int k = 0; k < end - begin; k++)
      for (int i = 0; i < rows; i++)
        packed[k * rows + i] = row[i][(size_t)(begin + k) * table_depth];
#endif
    for (int s = first_sample; s < last_sample; s++) {
      const size_t from = ((size_t)b * in_batch + (size_t)s * in_sample + (size_t)begin * in_depth) *
                              lane_vectors + g;
      const size_t at = ((size_t)b * out_batch + (size_t)s * out_sample + (size_t)first * out_out) *
                            lane_vectors + g;
      global const real *const added = bias != 0 && end == depth ? bias + first : 0;
#define PRODUCT_SUMS(rows)                                                                        \
  product_sums(rows, left, begin, end, row, table_depth, packed, from,                            \
               (size_t)in_depth * lane_vectors, in, added, at, (size_t)out_out * lane_vectors, out)
      if (is_large)
        PRODUCT_SUMS(ROWS_MOST);
      else
        PRODUCT_SUMS(ROWS_LEAST);
    }
    begin = end;
  } while (begin < depth);
}

// Both factors move. A difference (a is A's table) adds (A + dA) dB to what is there; a value
// (use_table = 0) is the product of the values. A block of C is held in registers, so that what is read
// serves several products; rows and columns beyond the last repeat it, and are not stored.
#define PRODUCT_LANES_ARGUMENTS                                                                   \
  int lane_vectors, int rows, int depth, int columns, int a_batch, int a_row, int a_depth,        \
      int b_batch, int b_depth, int b_column, int use_table, global const real *a,                \
      global const real *da, global const real *db, global real *out

#if VECTOR_WIDTH == 1
#define BLOCK_ROWS 2
#define BLOCK_COLUMNS 4

// Launch: [lane vectors, batches, ceil(rows / BLOCK_ROWS) * ceil(columns / BLOCK_COLUMNS)].
kernel void product_lanes(PRODUCT_LANES_ARGUMENTS) {
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
#else
#define BLOCK_ROWS 2
#define BLOCK_COLUMNS 3

// Two lane vectors of a part of both factors are copied to where they are read in order, PANEL_ELEMENTS of
// each at most: of rows or columns as many as come with so many k.
#define PANEL_ELEMENTS 1024
#define PANEL_DEPTH 64

// A block of C: rows of a panel, columns of another, each of so many k.
ALWAYS_INLINE void product_lanes_block(int depth, bool adds, int rows_left, int columns_left,
                                       const real *left, const real *right, int columns,
                                       int lane_vectors, global real *out) {
  realv sum[BLOCK_ROWS][BLOCK_COLUMNS][2];
  const real *row[BLOCK_ROWS];
  const real *column[BLOCK_COLUMNS];
#pragma unroll
  for (int i = 0; i < BLOCK_ROWS; i++)
    row[i] = left + 2 * VECTOR_WIDTH * depth * min(i, rows_left - 1);
#pragma unroll
  for (int j = 0; j < BLOCK_COLUMNS; j++)
    column[j] = right + 2 * VECTOR_WIDTH * depth * min(j, columns_left - 1);
#define FOR_BLOCK(i, j, v)                                                                        \
  _Pragma("unroll") for (int i = 0; i < BLOCK_ROWS; i++)                                          \
  _Pragma("unroll") for (int j = 0; j < BLOCK_COLUMNS; j++)                                       \
  _Pragma("unroll") for (int v = 0; v < 2; v++)
  FOR_BLOCK(i, j, v) {
    sum[i][j][v] = adds && i < rows_left && j < columns_left
                       ? LOAD((size_t)(i * columns + j) * lane_vectors + v, out)
                       : (realv)(0);
  }
  for (int k = 0; k < depth; k++) {
    FOR_BLOCK(i, j, v) {
      sum[i][j][v] = fma(LOAD(2 * k + v, row[i]), LOAD(2 * k + v, column[j]), sum[i][j][v]);
    }
  }
  FOR_BLOCK(i, j, v) {
    if (i < rows_left && j < columns_left)
      STORE(sum[i][j][v], (size_t)(i * columns + j) * lane_vectors + v, out);
  }
}

// Launch: [ceil(columns / columns of a panel), batches, lane vectors / 2].
kernel void product_lanes(PRODUCT_LANES_ARGUMENTS) {
  const int g = get_global_id(2) * 2;
  const int batch = get_global_id(1);
  const int most = PANEL_ELEMENTS / max(1, min(depth, PANEL_DEPTH));
  const int n_first = get_global_id(0) * most;
  const int n_last = min(n_first + most, columns);
  real left[2 * VECTOR_WIDTH * PANEL_ELEMENTS] __attribute__((aligned(64)));
  real right[2 * VECTOR_WIDTH * PANEL_ELEMENTS] __attribute__((aligned(64)));
  for (int k_first = 0; k_first < depth; k_first += PANEL_DEPTH) {
    const int part = min(PANEL_DEPTH, depth - k_first);
    for (int n = n_first; n < n_last; n++)
      for (int k = 0; k < part; k++) {
        const size_t at = ((size_t)batch * b_batch + (size_t)n * b_column +
                           (size_t)(k_first + k) * b_depth) * lane_vectors + g;
        const int to = 2 * ((n - n_first) * part + k);
        STORE(LOAD(at, db), to, right);
        STORE(LOAD(at + 1, db), to + 1, right);
      }
    for (int m_first = 0; m_first < rows; m_first += most) {
      const int m_last = min(m_first + most, rows);
      for (int m = m_first; m < m_last; m++)
        for (int k = 0; k < part; k++) {
          const size_t element =
              (size_t)batch * a_batch + (size_t)m * a_row + (size_t)(k_first + k) * a_depth;
          const size_t at = element * lane_vectors + g;
          const realv still = use_table ? (realv)(a[element]) : (realv)(0);
          const int to = 2 * ((m - m_first) * part + k);
          STORE(LOAD(at, da) + still, to, left);
          STORE(LOAD(at + 1, da) + still, to + 1, left);
        }
      for (int m = m_first; m < m_last; m += BLOCK_ROWS)
        for (int n = n_first; n < n_last; n += BLOCK_COLUMNS)
          product_lanes_block(
              part, use_table || k_first > 0, m_last - m, n_last - n,
              left + 2 * VECTOR_WIDTH * part * (m - m_first),
              right + 2 * VECTOR_WIDTH * part * (n - n_first), columns, lane_vectors,
              out + (((size_t)(batch * rows + m) * columns + n) * lane_vectors + g) * VECTOR_WIDTH);
    }
  }
}
#endif

// One element of a factor moves, at depth k and free position f of the lane (the row of A, the
// column of B); what moves of C is that row or column: out [batches * samples, lanes].
// table(b, s, k) is the other factor.
#define PRODUCT_SINGLE_ARGUMENTS                                                                  \
  int lane_vectors, int batches, int samples, int depth, int table_batch, int table_sample,       \
      int table_depth, int own_free, int own_depth, global const int *depth_at,                   \
      global const int *free_at, global const real *move, global const real *table,               \
      global const real *own, global real *out

// Launch: [lane workers, workers over batches and samples].
kernel void product_single_difference(PRODUCT_SINGLE_ARGUMENTS) {
  FOR_LANES(g) {
    const intv k = LANE_INDEX(g, depth_at);
    const realv d = LOAD(g, move);
    FOR_SHARE(e, batches * samples) {
      const int offset = e / samples * table_batch + e % samples * table_sample;
      STORE(d * gather(table, offset, table_depth, k), (size_t)e * lane_vectors + g, out);
    }
  }
}

// The moved element stands in `move`; the whole sums are formed again, the factor's other
// elements coming from own.
kernel void product_single_value(PRODUCT_SINGLE_ARGUMENTS) {
  FOR_LANES(g) {
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
}

ALWAYS_INLINE void product_depth_sums(const int rows, int left, bool is_first, const intv *position,
                                      int here, int width, global const real *const *row,
                                      size_t table_depth, size_t from, size_t stride,
                                      global const real *in, size_t at, size_t out_stride,
                                      global real *out) {
  RowSums sum;
  clear_rows(rows, sum);
  for (int k = 0; k < width; k++) {
    const realv first = LOAD(from, in);
    const realv second = LOAD(from + 1, in);
    ADD_ROW_TERMS(sum, rows, first, second, row[i][(size_t)k * table_depth])
    from += stride;
  }
  store_rows_at_position(rows, sum, left, is_first, position, here, at, out_stride, out);
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
    if (!ANY_INT((block[0] == (intv)(c)) | (block[1] == (intv)(c))))
      continue;
    global const real *row[ROWS_MOST];
    for (int i = 0; i < ROWS_MOST; i++)
      row[i] = table + (size_t)b * table_batch + (size_t)(first + min(i, left - 1)) * table_out +
               (size_t)c * width * table_depth;
    for (int s = first_sample; s < last_sample; s++) {
      const size_t from = ((size_t)b * in_batch + (size_t)s * in_sample) * lane_vectors + g;
      const size_t at = ((size_t)b * out_batch + (size_t)s * out_sample + (size_t)first * out_out) *
                            lane_vectors + g;
#define PRODUCT_DEPTH_SUMS(rows)                                                                  \
  product_depth_sums(rows, left, c == range.first, block, c, width, row, table_depth, from,       \
                     (size_t)in_depth * lane_vectors, in, at, (size_t)out_out * lane_vectors, out)
      if (is_large)
        PRODUCT_DEPTH_SUMS(ROWS_MOST);
      else
        PRODUCT_DEPTH_SUMS(ROWS_LEAST);
    }
  }
}

// One element of a factor moves and all of the other one, whose product with the factor at theta
// is in out already: adds (table + in)(b, s, k) d (a difference) or in(b, s, k) (move - own) (a
// value) at the lane's free position. out(b, s, f) stands at b out_batch + s out_sample + f out_free.
// Launch: [lane workers, workers over batches and samples].
kernel void product_add_single(int lane_vectors, int batches, int samples, int is_value,
                               int table_batch, int table_sample, int table_depth, int in_batch,
                               int own_free, int own_depth, int out_batch, int out_sample,
                               int out_free, global const int *depth_at,
                               global const int *free_at, global const real *move,
                               global const real *table, global const real *own,
                               global const real *in, global real *out) {
  FOR_LANES(g) {
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
}
