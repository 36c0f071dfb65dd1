// The softmax cross-entropy of one row of logits: what softmax.cl's kernels and chain.cl share.
// Needs small.cl. CPU twin: Primitives/SoftmaxCrossEntropy.swift.

// q [rows, classes]: target probabilities; label [rows]: their largest class y; mass [rows]: their
// sum S. With d_c = step of z_c less that of z_y, the difference of a row of logits is
// S log1p(sum over c != y of p_c expm1(d_c)) - sum over c != y of q_c d_c.
// z: the steps of the row, one class every `stride` vectors; p, q: the row's.

// How a row is begun: small steps make a small total.
typedef struct {
  realv total;
  realv linear;
  realv size;
} CrossEntropy;

ALWAYS_INLINE void add_class(CrossEntropy *row, realv d, real p, real q) {
  row->total = fma((realv)(p), small_expm1(d), row->total);
  row->linear = fma((realv)(q), d, row->linear);
  row->size = fabs(d) > row->size ? fabs(d) : row->size;
}

ALWAYS_INLINE maskv has_small_steps(CrossEntropy row) {
  return IS_SMALL(row.size) & IS_SMALL(row.total);
}

ALWAYS_INLINE realv small_cross_entropy(CrossEntropy row, real mass) {
  return fma((realv)(mass), small_log1p(row.total), -row.linear);
}

// The same for steps of every size. SPACE: whose memory z is, the device's or a work-item's own.
#define CROSS_ENTROPY_STEP(NAME, SPACE)                                                           \
  NEVER_INLINE realv NAME(SPACE const real *z, int stride, int classes, int y, real mass,        \
                           global const real *p, realv linear) {                                  \
    const realv shift = LOAD(y * stride, z);                                                      \
    realv total = (realv)(0);                                                                     \
    realv most = (realv)(0);                                                                      \
    for (int c = 0; c < classes; c++) {                                                           \
      const realv d = LOAD(c * stride, z) - shift;                                                \
      total += p[c] * expm1(d);                                                                   \
      most = fmax(most, d);                                                                       \
    }                                                                                             \
    realv change = log1p(fmax(total, (realv)(-0.5f)));                                            \
    const maskv rough = (total < (realv)(-0.5f)) | !(total <= (realv)(REAL_MAX));                 \
    /* Where that cancels or overflows: the logarithm of a sum of positive terms, relative to  */ \
    /* the largest. A step of more than 30 alone is no reason: it can start from p = 1e-17.    */ \
    if (ANY(rough)) {                                                                             \
      realv sum = p[y] * exp(-most);                                                              \
      for (int c = 0; c < classes; c++)                                                           \
        if (c != y)                                                                               \
          sum += p[c] * exp(LOAD(c * stride, z) - shift - most);                                  \
      change = SELECT(change, most + log(sum), rough);                                            \
    }                                                                                             \
    return fma((realv)(mass), change, -linear);                                                   \
  }
