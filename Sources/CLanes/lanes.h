// The loops for one type with one instruction set: included once for each.
//
// REAL    the type; INTEGER of the same size
// BYTES   the size of a vector
// TARGET  the attribute that allows the instructions
// NAME    gives names an ending
// REST    the sums of the lanes that fill no vector, with a narrower one; none where not defined

typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef INTEGER NAME(mask) __attribute__((vector_size(BYTES)));

#define WIDTH ((ptrdiff_t)(BYTES / sizeof(REAL)))
#define VECTOR(p) (*(NAME(vector) *)(p))
#define CONSTANT_VECTOR(p) (*(const NAME(vector) *)(p))

// So many outputs of so many vectors of lanes in registers. Outputs beyond the last repeat it.
#define BLOCK(OUTS, VECTORS)                                                                      \
  TARGET static void NAME(block_##OUTS##_##VECTORS)(const LaneProducts *p, ptrdiff_t first,       \
                                                    const REAL *weights, const REAL *rows,        \
                                                    REAL *outputs) {                              \
    const REAL *w[OUTS];                                                                          \
    REAL *out[OUTS];                                                                              \
    NAME(vector) sum[OUTS][VECTORS];                                                              \
    UNROLL for (int i = 0; i < OUTS; i++) {                                                       \
      const ptrdiff_t o = first + i < p->outs ? first + i : p->outs - 1;                          \
      w[i] = weights + o * p->out_stride;                                                         \
      out[i] = outputs + o * p->output_stride;                                                    \
      UNROLL for (int v = 0; v < VECTORS; v++)                                                    \
        sum[i][v] = p->adds ? VECTOR(out[i] + v * WIDTH) : (NAME(vector)){0};                     \
    }                                                                                             \
    for (ptrdiff_t k = 0; k < p->depth; k++) {                                                    \
      const REAL *const row = rows + ROW_AT(p, k);                                                \
      const ptrdiff_t at = WEIGHT_AT(p, k);                                                       \
      NAME(vector) r[VECTORS];                                                                    \
      UNROLL for (int v = 0; v < VECTORS; v++) r[v] = CONSTANT_VECTOR(row + v * WIDTH);           \
      UNROLL for (int i = 0; i < OUTS; i++) {                                                     \
        const REAL weight = w[i][at];                                                             \
        UNROLL for (int v = 0; v < VECTORS; v++) sum[i][v] += weight * r[v];                      \
      }                                                                                           \
    }                                                                                             \
    UNROLL for (int i = 0; i < OUTS; i++) {                                                       \
      UNROLL for (int v = 0; v < VECTORS; v++) VECTOR(out[i] + v * WIDTH) = sum[i][v];            \
    }                                                                                             \
  }

BLOCK(6, 2)
BLOCK(2, 2)
BLOCK(6, 1)
BLOCK(2, 1)

TARGET static void NAME(products)(const LaneProducts *p, const REAL *weights, const REAL *rows,
                                  REAL *outputs) {
  ptrdiff_t lane = 0;
#define BLOCKS(VECTORS)                                                                           \
  for (; lane + VECTORS * WIDTH <= p->lanes; lane += VECTORS * WIDTH) {                           \
    ptrdiff_t o = 0;                                                                              \
    for (; o + 4 <= p->outs; o += 6)                                                              \
      NAME(block_6_##VECTORS)(p, o, weights, rows + lane, outputs + lane);                        \
    for (; o < p->outs; o += 2)                                                                   \
      NAME(block_2_##VECTORS)(p, o, weights, rows + lane, outputs + lane);                        \
  }
  BLOCKS(2)
  BLOCKS(1)
#undef BLOCKS
#ifdef REST
  LaneProducts rest = *p;
  rest.lanes -= lane;
  if (rest.lanes > 0)
    REST(&rest, weights, rows + lane, outputs + lane);
#else
  for (; lane < p->lanes; lane++) {
    for (ptrdiff_t o = 0; o < p->outs; o++) {
      REAL *const out = outputs + o * p->output_stride + lane;
      REAL sum = p->adds ? *out : 0;
      for (ptrdiff_t k = 0; k < p->depth; k++)
        sum += weights[o * p->out_stride + WEIGHT_AT(p, k)] * rows[ROW_AT(p, k) + lane];
      *out = sum;
    }
  }
#endif
}

__attribute__((unused)) TARGET static ptrdiff_t NAME(series)(ptrdiff_t elements, REAL limit,
                                                             const REAL *c, ptrdiff_t stride,
                                                             REAL *d) {
  for (ptrdiff_t e = 0; e < elements; e++, c += stride, d += LANE_SERIES_LANES) {
    NAME(vector) x[LANE_SERIES_LANES / WIDTH];
    NAME(mask) is_small = (VECTOR(d) <= limit);
    UNROLL for (int v = 0; v < LANE_SERIES_LANES / WIDTH; v++) {
      x[v] = VECTOR(d + v * WIDTH);
      is_small &= (x[v] <= limit) & (x[v] >= -limit);
    }
    if (!__builtin_reduce_and(is_small))
      return e;
    UNROLL for (int v = 0; v < LANE_SERIES_LANES / WIDTH; v++) {
      NAME(vector) sum = c[4] * x[v] + c[3];
      sum = sum * x[v] + c[2];
      sum = sum * x[v] + c[1];
      sum = sum * x[v] + c[0];
      VECTOR(d + v * WIDTH) = sum * x[v];
    }
  }
  return elements;
}

__attribute__((unused)) TARGET static void NAME(moments)(ptrdiff_t samples, const REAL *x,
                                                         ptrdiff_t x_stride, const REAL *moments,
                                                         ptrdiff_t first, ptrdiff_t end, REAL step,
                                                         REAL *out) {
  for (ptrdiff_t lane = first / WIDTH * WIDTH; lane < end; lane += WIDTH) {
    NAME(vector) odd = {0}, odd_low = {0}, even = {0};
    NAME(mask) is_served = (odd == even);
    for (ptrdiff_t s = 0; s < samples; s++) {
      const REAL d = step * x[s * x_stride];
      if (d == 0)
        continue;
      const REAL square = d * d;
      const REAL *const c = moments + s * (LANE_SERIES_TERMS + 1) * LANE_SERIES_LANES + lane;
#define TERM(n) CONSTANT_VECTOR(c + (n) * LANE_SERIES_LANES)
      is_served &= (TERM(LANE_SERIES_TERMS) >= (d < 0 ? -d : d));
      even += (TERM(3) * square + TERM(1)) * square;
      NAME(vector) term = TERM(4) * square + TERM(2);
      term = term * square + TERM(0);
#undef TERM
      term = term * d;
      // Knuth's sum of two, with what rounding took away.
      const NAME(vector) sum = odd + term;
      const NAME(vector) second = sum - odd;
      const NAME(vector) first = sum - second;
      const NAME(vector) lost = term - second;
      odd_low += (odd - first) + lost;
      odd = sum;
    }
    // All bits set are a NaN.
    VECTOR(out + lane) = (NAME(vector))((NAME(mask))odd | ~is_served);
    VECTOR(out + LANE_SERIES_LANES + lane) = odd_low;
    VECTOR(out + 2 * LANE_SERIES_LANES + lane) = even;
  }
}

#undef BLOCK
#undef WIDTH
#undef VECTOR
#undef CONSTANT_VECTOR
#undef REAL
#undef INTEGER
#undef BYTES
#undef TARGET
#undef NAME
#undef REST
