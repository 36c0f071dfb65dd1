// The loops of unit_series.c with one instruction set: included once for each.
//
// BYTES   the size of a vector
// TARGET  the attribute that allows the instructions
// NAME    gives names an ending

typedef double NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(double)), may_alias));
typedef long long NAME(mask) __attribute__((vector_size(BYTES)));

#define WIDTH ((ptrdiff_t)(BYTES / sizeof(double)))
#define VECTOR(p) (*(NAME(vector) *)(p))
#define CONSTANT_VECTOR(p) (*(const NAME(vector) *)(p))
#define INLINE TARGET __attribute__((always_inline)) static inline

INLINE NAME(vector) NAME(choose)(NAME(mask) first, NAME(vector) a, NAME(vector) b) {
  return (NAME(vector))((first & (NAME(mask))a) | (~first & (NAME(mask))b));
}

INLINE NAME(vector) NAME(size)(NAME(vector) x) { return NAME(choose)(x < 0, -x, x); }

// No smaller than |x|; what is no number stays.
INLINE NAME(vector) NAME(larger)(NAME(vector) largest, NAME(vector) x) {
  const NAME(vector) size = NAME(size)(x);
  return NAME(choose)(~(size <= largest) & (largest == largest), size, largest);
}

INLINE void NAME(note)(NAME(vector) *largest, const NAME(vector) *d) {
  UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) largest[n] = NAME(larger)(largest[n], d[n]);
}

// Lowers a limit to the step with which a series of this slope meets a kink so far away.
INLINE void NAME(limit)(double *limits, NAME(vector) gap, NAME(vector) slope) {
  const NAME(vector) limit = CONSTANT_VECTOR(limits);
  const NAME(vector) size = NAME(size)(slope);
  VECTOR(limits) = NAME(choose)(size * limit > gap, gap / size, limit);
}

// d becomes the sum of a(n) d^n (Faà di Bruno), up to the last term that is kept.
INLINE void NAME(apply)(const NAME(vector) *a, NAME(vector) *d) {
  const NAME(vector) d1 = d[0], d2 = d[1], d3 = d[2], d4 = d[3];
  const NAME(vector) square = d1 * d1, cube = square * d1;
  // The terms of d^2 to d^5 that are not the first.
  const NAME(vector) second = 2 * d1 * d2, third = 2 * d1 * d3 + d2 * d2;
  const NAME(vector) fourth = 2 * (d1 * d4 + d2 * d3), fifth = 3 * (square * d3 + d1 * d2 * d2);
  UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) d[n] = a[0] * d[n];
  d[1] += a[1] * square;
  d[2] += a[1] * second + a[2] * cube;
  d[3] += a[1] * third + a[2] * 3 * square * d2 + a[3] * square * square;
  d[4] += a[1] * fourth + a[2] * fifth + a[3] * 4 * cube * d2 + a[4] * square * cube;
}

// The series of a step that is so many times the unit's, and the same of a function.
INLINE void NAME(begin)(NAME(vector) *d, NAME(vector) weight) {
  d[0] = weight;
  UNROLL for (int n = 1; n < LANE_SERIES_TERMS; n++) d[n] = (NAME(vector)){0};
}

INLINE void NAME(powers)(const NAME(vector) *a, NAME(vector) *d) {
  const NAME(vector) weight = d[0];
  NAME(vector) power = weight;
  UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) {
    d[n] = a[n] * power;
    power *= weight;
  }
}

INLINE void NAME(load)(NAME(vector) *d, const double *series, ptrdiff_t stride) {
  UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) d[n] = CONSTANT_VECTOR(series + n * stride);
}

INLINE void NAME(store)(const NAME(vector) *d, double *series, ptrdiff_t stride) {
  UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) VECTOR(series + n * stride) = d[n];
}

// Of one output a function's terms, spread over the lanes.
INLINE void NAME(spread)(NAME(vector) *a, const UnitFunction *function, ptrdiff_t o) {
  UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++)
    a[n] = (n < function->terms ? function->term[n][o] : 0) - (NAME(vector)){0};
}

TARGET static void NAME(unit_layer)(ptrdiff_t units, ptrdiff_t outs, const double *weights,
                                    const UnitFunction *function, double *limits, double *largest,
                                    double *series) {
  NAME(vector) most[LANE_SERIES_TERMS];
  NAME(load)(most, largest, LANE_SERIES_LANES);
  for (ptrdiff_t o = 0; o < outs; o++, series += LANE_SERIES_TERMS * units) {
    NAME(vector) a[LANE_SERIES_TERMS];
    NAME(spread)(a, function, o);
    for (ptrdiff_t u = 0; u < units; u += WIDTH) {
      NAME(vector) d[LANE_SERIES_TERMS];
      if (weights)
        NAME(begin)(d, CONSTANT_VECTOR(weights + o * units + u));
      else
        NAME(load)(d, series + u, units);
      if (function->terms > 0) {
        NAME(note)(most, d);
        if (function->gap)
          NAME(limit)(limits + u, function->gap[o] - (NAME(vector)){0}, d[0]);
        if (weights)
          NAME(powers)(a, d);
        else
          NAME(apply)(a, d);
      }
      NAME(store)(d, series + u, units);
    }
  }
  NAME(store)(most, largest, LANE_SERIES_LANES);
}

// exp(d) - 1 =: e, from e' = d' (1 + e).
INLINE void NAME(exp_minus_one)(NAME(vector) *d) {
  const NAME(vector) d1 = d[0], d2 = d[1], d3 = d[2], d4 = d[3];
  d[1] += d1 * d1 / 2;
  d[2] += (d1 * d[1] + 2 * d2 * d1) / 3;
  d[3] += (d1 * d[2] + 2 * d2 * d[1] + 3 * d3 * d1) / 4;
  d[4] += (d1 * d[3] + 2 * d2 * d[2] + 3 * d3 * d[1] + 4 * d4 * d1) / 5;
}

// log(1 + d) =: l, from l' (1 + d) = d'.
INLINE void NAME(log_one_plus)(NAME(vector) *d) {
  const NAME(vector) d1 = d[0], d2 = d[1], d3 = d[2], d4 = d[3];
  d[1] -= d1 * d1 / 2;
  d[2] -= (d1 * d2 + 2 * d[1] * d1) / 3;
  d[3] -= (d1 * d3 + 2 * d[1] * d2 + 3 * d[2] * d1) / 4;
  d[4] -= (d1 * d4 + 2 * d[1] * d3 + 3 * d[2] * d2 + 4 * d[3] * d1) / 5;
}

TARGET static void NAME(unit_costs)(ptrdiff_t units, const CrossEntropySample *sample,
                                    const UnitFunction *own, double *limits, double *largest,
                                    const double *series, double *costs) {
  const ptrdiff_t size = LANE_SERIES_TERMS * units;
  NAME(vector) most[LANE_SERIES_TERMS];
  NAME(load)(most, largest, LANE_SERIES_LANES);
  for (ptrdiff_t u = 0; u < units; u += WIDTH) {
    NAME(vector) shift[LANE_SERIES_TERMS], total[LANE_SERIES_TERMS] = {{0}};
    NAME(vector) linear[LANE_SERIES_TERMS] = {{0}};
    NAME(load)(shift, series + sample->target * size + u, units);
    for (ptrdiff_t c = 0; c < sample->classes; c++) {
      if (c == sample->target)
        continue;
      NAME(vector) d[LANE_SERIES_TERMS];
      NAME(load)(d, series + c * size + u, units);
      UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) {
        d[n] -= shift[n];
        linear[n] += sample->q[c] * d[n];
      }
      NAME(note)(most, d);
      NAME(exp_minus_one)(d);
      UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) total[n] += sample->p[c] * d[n];
    }
    NAME(note)(most, total);
    NAME(log_one_plus)(total);
    UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) total[n] = sample->mass * total[n] - linear[n];
    if (own->terms > 0) {
      NAME(vector) f[LANE_SERIES_TERMS];
      UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++)
        f[n] = n < own->terms ? CONSTANT_VECTOR(own->term[n] + u) : (NAME(vector)){0};
      NAME(note)(most, f);
      // What lies behind the unit moves by so much for each step of it.
      const NAME(vector) reached = CONSTANT_VECTOR(limits + u) / NAME(size)(f[0]);
      VECTOR(limits + u) = reached;
      if (own->gap) {
        const NAME(vector) gap = CONSTANT_VECTOR(own->gap + u);
        VECTOR(limits + u) = NAME(choose)(gap < reached, gap, reached);
      }
      NAME(apply)(total, f);
      UNROLL for (int n = 0; n < LANE_SERIES_TERMS; n++) total[n] = f[n];
    }
    NAME(note)(most, total);
    NAME(store)(total, costs + u, units);
  }
  NAME(store)(most, largest, LANE_SERIES_LANES);
}

#undef WIDTH
#undef VECTOR
#undef CONSTANT_VECTOR
#undef CHOOSE_VECTOR
#undef INLINE
#undef BYTES
#undef TARGET
#undef NAME
