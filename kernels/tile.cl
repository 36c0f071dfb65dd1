// Template: products in tiles, for devices whose work-items run side by side; the same sums in the same
// order as product_table and convolution_input, whose arguments it takes.
//
// TILE_OF_CONVOLUTION  x's pixels are what moves (convolution.cl) rather than rows (product.cl)
// TILE_NAME            the kernel's name
// TILE_ACROSS          work-items of a group side by side, each with OWN_LANES columns, TILE_ACROSS apart
// TILE_DOWN            and one below the other, each with OWN_OUTS neighbouring outputs
//
// A column is a lane of a sample (of a convolution: of a sample's position), so that few lanes fill a tile
// too. A work-group brings TILE_DEPTH terms of both factors to local memory while it multiplies those
// before, and holds its outputs in registers.
// Launch: [column tiles * batches * TILE_ACROSS, out tiles * TILE_DOWN] (of a convolution: groups in the place
// of batches), in groups of [TILE_ACROSS, TILE_DOWN]. Host: Primitives/Tile.swift.

#if VECTOR_WIDTH == 1

#define TILE_DEPTH 8
#define OWN_OUTS 8
#if TILE_DOWN == 2
#define OWN_LANES 2
#elif defined(REAL_IS_DOUBLE)
#define OWN_LANES 4
#else
#define OWN_LANES 8
#endif
#define TILE_LANES (TILE_ACROSS * OWN_LANES)
#define TILE_OUTS (TILE_DOWN * OWN_OUTS)
#define TILE_ITEMS (TILE_ACROSS * TILE_DOWN)

// A work-item brings the terms of one column that lie TILE_ROWS apart, and one term of outputs that lie
// TILE_COLUMNS apart.
#define TILE_ROWS (TILE_ITEMS / TILE_LANES)
#define TILE_COLUMNS (TILE_ITEMS / TILE_DEPTH)

// Weights are read 16 bytes at a time; the place that is left keeps their rows in different banks.
#ifdef REAL_IS_DOUBLE
#define TILE_VECTOR double2
#define TILE_VECTOR_REALS 2
#else
#define TILE_VECTOR float4
#define TILE_VECTOR_REALS 4
#endif
#define TILE_ROW (TILE_OUTS + TILE_VECTOR_REALS)

kernel __attribute__((reqd_work_group_size(TILE_ACROSS, TILE_DOWN, 1)))
#ifdef TILE_OF_CONVOLUTION
void TILE_NAME(CONVOLUTION_INPUT_ARGUMENTS) {
  const int depth = channels / groups * taps;
  const int outs = filters / groups;
  const int parts = positions;
#else
void TILE_NAME(PRODUCT_TABLE_ARGUMENTS) {
  const int parts = 1;
#endif
  local real factor[2][TILE_DEPTH * TILE_ROW] __attribute__((aligned(16)));
  local real moving[2][TILE_DEPTH * TILE_LANES] __attribute__((aligned(16)));
  const int across = get_local_id(0);
  const int down = get_local_id(1);
  const int item = down * TILE_ACROSS + across;
  const int columns = samples * parts * lane_vectors;
  const int tiles = (columns + TILE_LANES - 1) / TILE_LANES;
  const int b = get_group_id(0) / tiles;
  const int first_column = get_group_id(0) % tiles * TILE_LANES;
  const int first = get_group_id(1) * TILE_OUTS;

  // What this work-item brings. Columns and outputs beyond the last repeat it; terms beyond it are 0.
  const int column = min(first_column + item % TILE_LANES, columns - 1);
  const int row = item / TILE_LANES;
  const int term = item % TILE_DEPTH;
  const int sample = column / lane_vectors / parts;
#ifdef TILE_OF_CONVOLUTION
  const size_t table_out = depth;
  const size_t table_depth = 1;
  global const real *const weights = w + (size_t)b * outs * depth;
  global const int *const pixels_read = pixel + column / lane_vectors % parts;
  const size_t channel = (size_t)pixels * lane_vectors;
  global const real *from =
      in + (size_t)(sample * groups + b) * (channels / groups) * channel + column % lane_vectors;
  int tap = row;
  for (; tap >= taps; tap -= taps)
    from += channel;
#else
  global const real *const weights = table + (size_t)b * table_batch;
  const size_t step = (size_t)in_depth * lane_vectors;
  global const real *from = in +
                            ((size_t)b * in_batch + (size_t)sample * in_sample) * lane_vectors +
                            column % lane_vectors + row * step;
#endif
  int from_term = row;
  size_t weight_at[TILE_OUTS / TILE_COLUMNS];
#pragma unroll
  for (int n = 0; n < TILE_OUTS / TILE_COLUMNS; n++)
    weight_at[n] =
        (size_t)min(first + item / TILE_DEPTH + n * TILE_COLUMNS, outs - 1) * table_out;

  real sum[OWN_OUTS][OWN_LANES];
#pragma unroll
  for (int i = 0; i < OWN_OUTS; i++) {
#pragma unroll
    for (int j = 0; j < OWN_LANES; j++)
      sum[i][j] = R(0.0);
  }
  real next_moving[TILE_DEPTH / TILE_ROWS];
  real next_factor[TILE_OUTS / TILE_COLUMNS];
  int now = 1;
  for (int begin = -TILE_DEPTH; begin < depth; begin += TILE_DEPTH) {
    const int next = begin + TILE_DEPTH;
    if (next < depth) {
#pragma unroll
      for (int n = 0; n < TILE_DEPTH / TILE_ROWS; n++) {
        next_moving[n] = R(0.0);
        if (from_term < depth) {
#ifdef TILE_OF_CONVOLUTION
          // The padding is 0.
          const int source = pixels_read[tap * positions];
          if (source >= 0)
            next_moving[n] = from[(size_t)source * lane_vectors];
#else
          next_moving[n] = *from;
#endif
        }
        from_term += TILE_ROWS;
#ifdef TILE_OF_CONVOLUTION
        for (tap += TILE_ROWS; tap >= taps; tap -= taps)
          from += channel;
#else
        from += TILE_ROWS * step;
#endif
      }
      const size_t at = (size_t)min(next + term, depth - 1) * table_depth;
#pragma unroll
      for (int n = 0; n < TILE_OUTS / TILE_COLUMNS; n++)
        next_factor[n] = weights[weight_at[n] + at];
    }
    if (begin >= 0) {
      local const real *const own_moving = moving[now] + across;
      local const real *const own_factor = factor[now] + down * OWN_OUTS;
#pragma unroll
      for (int k = 0; k < TILE_DEPTH; k++) {
        real own[OWN_LANES];
        TILE_VECTOR weight[OWN_OUTS / TILE_VECTOR_REALS];
#pragma unroll
        for (int j = 0; j < OWN_LANES; j++)
          own[j] = own_moving[k * TILE_LANES + j * TILE_ACROSS];
#pragma unroll
        for (int i = 0; i < OWN_OUTS / TILE_VECTOR_REALS; i++)
          weight[i] = ((local const TILE_VECTOR *)(own_factor + k * TILE_ROW))[i];
#pragma unroll
        for (int i = 0; i < OWN_OUTS; i++) {
#pragma unroll
          for (int j = 0; j < OWN_LANES; j++)
            sum[i][j] = fma(((const real *)weight)[i], own[j], sum[i][j]);
        }
      }
    }
    // The other half: nobody reads it before the barrier, nor since the last one.
    now = 1 - now;
    if (next < depth) {
#pragma unroll
      for (int n = 0; n < TILE_DEPTH / TILE_ROWS; n++)
        moving[now][(row + n * TILE_ROWS) * TILE_LANES + item % TILE_LANES] = next_moving[n];
#pragma unroll
      for (int n = 0; n < TILE_OUTS / TILE_COLUMNS; n++)
        factor[now][term * TILE_ROW + item / TILE_DEPTH + n * TILE_COLUMNS] = next_factor[n];
      barrier(CLK_LOCAL_MEM_FENCE);
    }
  }

  const int own_first = first + down * OWN_OUTS;
  int own_column = first_column + across;
  int place = own_column / lane_vectors;
  int lane = own_column % lane_vectors;
#ifdef TILE_OF_CONVOLUTION
  const size_t stride = (size_t)positions * lane_vectors;
#else
  const size_t stride = (size_t)out_out * lane_vectors;
#endif
#pragma unroll
  for (int j = 0; j < OWN_LANES; j++) {
    if (own_column < columns) {
#ifdef TILE_OF_CONVOLUTION
      const size_t result =
          (size_t)(place / positions * groups + b) * outs * positions + place % positions;
#else
      const size_t result = (size_t)b * out_batch + (size_t)place * out_sample;
#endif
      global real *to = out + result * lane_vectors + own_first * stride + lane;
#pragma unroll
      for (int i = 0; i < OWN_OUTS; i++) {
        if (own_first + i < outs) {
#ifdef TILE_OF_CONVOLUTION
          *to = sum[i][j];
#else
          *to = bias != 0 ? sum[i][j] + bias[own_first + i] : sum[i][j];
#endif
        }
        to += stride;
      }
    }
    own_column += TILE_ACROSS;
    for (lane += TILE_ACROSS; lane >= lane_vectors; lane -= lane_vectors)
      place++;
  }
}

#undef TILE_DEPTH
#undef OWN_OUTS
#undef OWN_LANES
#undef TILE_LANES
#undef TILE_OUTS
#undef TILE_ITEMS
#undef TILE_ROWS
#undef TILE_COLUMNS
#undef TILE_VECTOR
#undef TILE_VECTOR_REALS
#undef TILE_ROW

#endif
