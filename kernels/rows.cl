// The rows of a product go in blocks, of each of which a work-item holds two lane vectors in registers:
// of ROWS_MOST, which need the fewest loads, and the last ones of ROWS_LEAST where these fit better. Rows
// beyond the last are computed from what the last reads, and not stored. Functions of blocks take the
// number of rows as a constant, so that loops over them are unrolled.
// The host counts blocks in Primitives/RowBlocks.swift. CPU twin: none.

#define ROWS_MOST 6
#define ROWS_LEAST 4

// A work-item takes one block, or some, for so many samples or positions one after the other: the more,
// the less often it copies weights to where they are read in order. But work-items that run side by side
// are to be many.
#if VECTOR_WIDTH == 1
#define ROW_SAMPLES 16
#else
#define ROW_SAMPLES 64
#endif

// How many blocks have ROWS_MOST rows.
ALWAYS_INLINE int large_row_blocks(int rows) {
  const int over = rows % ROWS_MOST;
  return max(0, (rows + 1) / ROWS_MOST - (over == 1 || over == 2));
}

ALWAYS_INLINE int row_blocks(int rows) {
  const int large = large_row_blocks(rows);
  return large + max(0, (rows - large * ROWS_MOST + ROWS_LEAST - 1) / ROWS_LEAST);
}

ALWAYS_INLINE bool is_large_row_block(int block, int rows) {
  return block < large_row_blocks(rows);
}

ALWAYS_INLINE int row_block_start(int block, int rows) {
  const int large = large_row_blocks(rows);
  return min(block, large) * ROWS_MOST + max(block - large, 0) * ROWS_LEAST;
}

// Two lane vectors of each row.
typedef realv RowSums[ROWS_MOST][2];

// Adds the products of two lane vectors with the weights of a block of rows i.
#define ADD_ROW_TERMS(sum, rows, left, right, weight)                                             \
  _Pragma("unroll") for (int i = 0; i < rows; i++) {                                              \
    const realv factor = (realv)(weight);                                                         \
    sum[i][0] = fma(factor, left, sum[i][0]);                                                     \
    sum[i][1] = fma(factor, right, sum[i][1]);                                                    \
  }

ALWAYS_INLINE void clear_rows(const int rows, RowSums sum) {
#pragma unroll
  for (int i = 0; i < rows; i++)
    sum[i][0] = sum[i][1] = (realv)(0);
}

// Reads rows that stand so far apart from lane vector `at` on, of which so many are left.
ALWAYS_INLINE void load_rows(const int rows, RowSums sum, int left, size_t at, size_t stride,
                             global const real *out) {
#pragma unroll
  for (int i = 0; i < rows; i++) {
    if (i < left) {
      sum[i][0] = LOAD(at + i * stride, out);
      sum[i][1] = LOAD(at + i * stride + 1, out);
    }
  }
}

ALWAYS_INLINE void store_rows(const int rows, RowSums sum, int left, size_t at, size_t stride,
                              global real *out) {
#pragma unroll
  for (int i = 0; i < rows; i++) {
    if (i < left) {
      STORE(sum[i][0], at + i * stride, out);
      STORE(sum[i][1], at + i * stride + 1, out);
    }
  }
}

// Of rows, those lanes whose position it is.
ALWAYS_INLINE void store_rows_at_position(const int rows, RowSums sum, int left, bool is_first,
                                          const intv *position, int here, size_t at, size_t stride,
                                          global real *out) {
#pragma unroll
  for (int i = 0; i < rows; i++) {
    if (i < left) {
      STORE_AT_POSITION(sum[i][0], is_first, position[0], here, at + i * stride, out);
      STORE_AT_POSITION(sum[i][1], is_first, position[1], here, at + i * stride + 1, out);
    }
  }
}
