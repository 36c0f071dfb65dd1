// A chain: one component of a layer moves, and the lanes go on through the layers after it to the
// cost, all in one kernel. Samples do not meet on the way, so a work-item takes its lanes through
// one sample after the other and holds no more than two layers of one sample, in memory of its own.
//
// A layer is z[s, o] = sum over k of W[o, k] x[s, k] + b[o] and then RULE, an element-by-element
// function; in a difference b vanishes. Needs cross_entropy.cl, the rules' own files, and
//
// CHAIN_WIDTH       the widest layer
// CHAIN_DEEP        defined where there are more than two layers
// RULE, COEFFICIENTS, KINKS  the hidden layers' function, as for element.cl; none where not defined
// SERIES            defined where the function has a Taylor series for small steps as well
// LAST_RULE, LAST_COEFFICIENTS, LAST_KINKS  that of the last layer, whose elements are then summed;
//                   where not defined the cost is the softmax cross-entropy of the last layer
//
// tables holds for each layer
// its weights, but those of the first layer, which no lane meets: those of CHAIN_ROWS outputs together,
// [blocks, in, CHAIN_ROWS]; the outputs that are left over make one more block, of CHAIN_FEW rows where
// that is enough. Missing rows are 0.
// its elements: what the function of each needs, [samples, out, HIDDEN_TERMS]: coefficients, series;
// its units: the same for lanes of neighbouring units, [blocks of VECTOR_WIDTH units, samples,
// HIDDEN_TERMS, VECTOR_WIDTH].
// layer [layers, CHAIN_COLUMNS]: outs; ins; where its weights, its elements (-1 without a function) and
// its units begin. Every layer but the last has at most CHAIN_WIDTH outs.
// CPU twin: Engine/CPU/ChainLanes.swift. Host: Engine/LaneChain.swift, ChainTerms.swift, LaneOrder.swift.

#define CHAIN_ROWS 6
#define CHAIN_FEW 4
#define CHAIN_COLUMNS 5

#ifndef LAST_RULE
CROSS_ENTROPY_STEP(chain_cross_entropy, private)
#endif

typedef struct {
  int samples;
  int tie_policy;
  global const int *layer;
  global const real *tables;
  real a[3];
  real b[3];
} Chain;

#define LAYER_OUTS(chain, l) (chain)->layer[CHAIN_COLUMNS * (l)]
#define LAYER_INS(chain, l) (chain)->layer[CHAIN_COLUMNS * (l) + 1]
#define LAYER_WEIGHTS(chain, l) (chain)->layer[CHAIN_COLUMNS * (l) + 2]
#define LAYER_ELEMENTS(chain, l) (chain)->layer[CHAIN_COLUMNS * (l) + 3]
#define LAYER_UNITS(chain, l) (chain)->layer[CHAIN_COLUMNS * (l) + 4]

// Where the packed weights of an output begin, and how far those of successive inputs are apart.
static inline int packed_row(int o, int outs, int ins, int *stride) {
  const int whole = outs / CHAIN_ROWS * CHAIN_ROWS;
  *stride = o < whole || outs - whole > CHAIN_FEW ? CHAIN_ROWS : CHAIN_FEW;
  const int block = o / CHAIN_ROWS * CHAIN_ROWS;
  return block * ins + o - block;
}

// The units of both vectors, one a lane. Where those of a vector are a block, the same in both, their
// tables are read as they stand.
typedef struct {
  intv unit[2];
  bool is_block;
  // Where the tables of each lane's unit begin.
  intv at[2];
} Units;

#ifdef KINKS
#if KINKS
#define APPLY_RULE(d, c, kinks) RULE(d, c, chain->a, chain->tie_policy, kinks)
#else
#define APPLY_RULE(d, c, kinks) RULE(d, c, chain->a)
#endif
#endif

#ifdef SERIES
#define HIDDEN_TERMS (COEFFICIENTS + SERIES_TERMS)
#elif defined(KINKS)
#define HIDDEN_TERMS COEFFICIENTS
#else
#define HIDDEN_TERMS 0
#endif

// The larger of a size and that of d; sizes are not kept where no series asks for them.
#ifdef SERIES
#define LARGEST(most, d) (fabs(d) > (most) ? fabs(d) : (most))
#else
#define LARGEST(most, d) (most)
#endif

#ifdef KINKS
#ifdef SERIES
// The rule, for steps of every size.
NEVER_INLINE realv far_rule(const Chain *chain, realv d, const realv *c, intv *kinks) {
  return APPLY_RULE(d, c, kinks);
}
#endif

// The function of an element from its coefficients and, after them, its series; careful: with steps
// of every size.
ALWAYS_INLINE realv hidden_of(const Chain *chain, realv d, const realv *c, bool careful,
                              intv *kinks) {
#ifdef SERIES
  const realv near = sum_series(d, c + COEFFICIENTS);
  if (!careful || ALL_SMALL(d))
    return near;
  return SELECT(far_rule(chain, d, c, kinks), near, IS_SMALL(d));
#else
  return APPLY_RULE(d, c, kinks);
#endif
}

// The function of element (s, o) of a layer, the same in all lanes.
ALWAYS_INLINE realv hidden_step(const Chain *chain, int l, int s, int o, realv d, bool careful,
                                intv *kinks) {
  if (LAYER_ELEMENTS(chain, l) < 0)
    return d;
  global const real *const table = chain->tables + LAYER_ELEMENTS(chain, l) +
                                   ((size_t)s * LAYER_OUTS(chain, l) + o) * HIDDEN_TERMS;
  realv c[HIDDEN_TERMS];
#pragma unroll
  for (int k = 0; k < HIDDEN_TERMS; k++)
    c[k] = (realv)(table[k]);
  return hidden_of(chain, d, c, careful, kinks);
}

// The same of the unit of each lane, in place.
ALWAYS_INLINE void hidden_unit_steps(const Chain *chain, int l, int s, const Units *units, realv *d,
                                     intv *kinks) {
  if (LAYER_ELEMENTS(chain, l) < 0)
    return;
  const int at = s * HIDDEN_TERMS * VECTOR_WIDTH;
  realv c0[HIDDEN_TERMS];
  realv c1[HIDDEN_TERMS];
  if (units->is_block) {
    global const real *const row = chain->tables + FIRST_LANE(units->at[0]) + at;
#pragma unroll
    for (int k = 0; k < HIDDEN_TERMS; k++)
      c0[k] = c1[k] = LOAD(k, row);
  } else {
#pragma unroll
    for (int k = 0; k < HIDDEN_TERMS; k++) {
      c0[k] = gather(chain->tables, at + k * VECTOR_WIDTH, 1, units->at[0]);
      c1[k] = gather(chain->tables, at + k * VECTOR_WIDTH, 1, units->at[1]);
    }
  }
  d[0] = hidden_of(chain, d[0], c0, true, kinks);
  d[1] = hidden_of(chain, d[1], c1, true, kinks + 1);
}
#else
#define hidden_step(chain, l, s, o, d, careful, kinks) (d)
#define hidden_unit_steps(chain, l, s, units, d, kinks)
#endif

#ifdef LAST_RULE
#if LAST_KINKS
#define APPLY_LAST_RULE(d, c, kinks) LAST_RULE(d, c, chain->b, chain->tie_policy, kinks)
#else
#define APPLY_LAST_RULE(d, c, kinks) LAST_RULE(d, c, chain->b)
#endif
#endif

#ifdef CHAIN_DEEP
// A layer's outputs of one sample, from `in` [ins, 2 vectors] to `out` [outs, 2 vectors]; most: the
// largest step that met a series.
#define CHAIN_BLOCK(ROWS, FIRST)                                                                  \
  {                                                                                               \
    realv sum[ROWS][2];                                                                           \
    _Pragma("unroll") for (int i = 0; i < ROWS; i++) sum[i][0] = sum[i][1] = (realv)(0);          \
    for (int k = 0; k < ins; k++, w += ROWS) {                                                    \
      const realv left = LOAD(2 * k, in);                                                         \
      const realv right = LOAD(2 * k + 1, in);                                                    \
      _Pragma("unroll") for (int i = 0; i < ROWS; i++) {                                          \
        sum[i][0] = fma((realv)(w[i]), left, sum[i][0]);                                          \
        sum[i][1] = fma((realv)(w[i]), right, sum[i][1]);                                         \
      }                                                                                           \
    }                                                                                             \
    _Pragma("unroll") for (int i = 0; i < ROWS; i++) {                                            \
      const int o = FIRST + i;                                                                    \
      if (o < outs) {                                                                             \
        largest = LARGEST(LARGEST(largest, sum[i][0]), sum[i][1]);                                \
        STORE(hidden_step(chain, l, s, o, sum[i][0], careful, kinks), 2 * o, out);                \
        STORE(hidden_step(chain, l, s, o, sum[i][1], careful, kinks + 1), 2 * o + 1, out);        \
      }                                                                                           \
    }                                                                                             \
  }

static inline void chain_layer(const Chain *chain, int l, int s, const real *in, real *out,
                               bool careful, realv *most, intv *kinks) {
  const int outs = LAYER_OUTS(chain, l);
  const int ins = LAYER_INS(chain, l);
  global const real *w = chain->tables + LAYER_WEIGHTS(chain, l);
  realv largest = (realv)(0);
  int first = 0;
  for (; outs - first > CHAIN_FEW; first += CHAIN_ROWS)
    CHAIN_BLOCK(CHAIN_ROWS, first)
  if (first < outs)
    CHAIN_BLOCK(CHAIN_FEW, first)
  if (LAYER_ELEMENTS(chain, l) >= 0)
    *most = LARGEST(*most, largest);
}
#endif

// Adds what the last layer's steps make of the cost in one sample.
#ifdef LAST_RULE
static inline void add_cost(const Chain *chain, int s, int outs, const real *z, realv *high,
                            realv *low, intv *kinks, global const real *c0,
                            global const real *c1, global const real *c2,
                            global const real *c3) {
  global const real *const table[4] = {c0, c1, c2, c3};
  for (int o = 0; o < outs; o++) {
    realv c[LAST_COEFFICIENTS];
#pragma unroll
    for (int k = 0; k < LAST_COEFFICIENTS; k++)
      c[k] = (realv)(table[k][s * outs + o]);
#pragma unroll
    for (int v = 0; v < 2; v++)
      add_compensated(high + v, low + v, APPLY_LAST_RULE(LOAD(2 * o + v, z), c, kinks + v));
  }
}
#else
static inline void add_cost(const Chain *chain, int s, int outs, const real *z, realv *high,
                            realv *low, intv *kinks, global const real *p, global const real *q,
                            global const real *label, global const real *mass) {
  const int y = (int)label[s];
  const realv shift[2] = {LOAD(2 * y, z), LOAD(2 * y + 1, z)};
  CrossEntropy sums[2] = {{(realv)(0), (realv)(0), (realv)(0)}, {(realv)(0), (realv)(0), (realv)(0)}};
  for (int o = 0; o < outs; o++) {
    add_class(sums, LOAD(2 * o, z) - shift[0], p[s * outs + o], q[s * outs + o]);
    add_class(sums + 1, LOAD(2 * o + 1, z) - shift[1], p[s * outs + o], q[s * outs + o]);
  }
#pragma unroll
  for (int v = 0; v < 2; v++) {
    const maskv is_small = has_small_steps(sums[v]);
    realv step = small_cross_entropy(sums[v], mass[s]);
    if (ANY(!is_small))
      step = SELECT(chain_cross_entropy(z + v * VECTOR_WIDTH, 2, outs, y, mass[s], p + s * outs,
                                        sums[v].linear),
                    step, is_small);
    add_compensated(high + v, low + v, step);
  }
}
#endif

// Takes the moved units of layer `entry` on to the cost, in sample s. Unless careful it may find a step
// too large for a series: then it returns false, and has done nothing that counts.
static inline bool go_on(const Chain *chain, int layers, int entry, int s, const Units *units,
                         const realv *moved, const real *column, const realv *reach, real *first,
                         real *second, bool careful, realv *high, realv *low, intv *kinks,
                         global const real *c0, global const real *c1, global const real *c2,
                         global const real *c3) {
  real *here = first;
  realv most = (realv)(0);
  if (entry + 1 == layers) {
    const int outs = LAYER_OUTS(chain, entry);
    for (int o = 0; o < outs; o++) {
#pragma unroll
      for (int v = 0; v < 2; v++)
        STORE(INT_TO_MASK(units->unit[v] == (intv)(o)) ? moved[v] : (realv)(0), 2 * o + v, here);
    }
  } else {
    const int next = entry + 1;
    const int outs = LAYER_OUTS(chain, next);
    if (LAYER_ELEMENTS(chain, next) >= 0)
      most = LARGEST(fabs(reach[0] * moved[0]), reach[1] * moved[1]);
#ifdef SERIES
    if (!careful && !ALL_SMALL(most))
      return false;
#endif
    for (int o = 0; o < outs; o++) {
      const realv left = LOAD(2 * o, column) * moved[0];
      const realv right = LOAD(2 * o + 1, column) * moved[1];
      STORE(hidden_step(chain, next, s, o, left, careful, kinks), 2 * o, here);
      STORE(hidden_step(chain, next, s, o, right, careful, kinks + 1), 2 * o + 1, here);
    }
#ifdef CHAIN_DEEP
    real *there = second;
    for (int l = entry + 2; l < layers; l++) {
      chain_layer(chain, l, s, here, there, careful, &most, kinks);
      real *const swapped = here;
      here = there;
      there = swapped;
    }
#endif
  }
#ifdef SERIES
  if (!careful && !ALL_SMALL(most))
    return false;
#endif
  add_cost(chain, s, LAYER_OUTS(chain, layers - 1), here, high, low, kinks, c0, c1, c2, c3);
  return true;
}

// A component of layer `entry` moves: W[unit, input] (x [samples, ins] is what the layer reads) or,
// where x is null, b[unit]. out [2, lanes] is the cost term's sum, high and low; or, where parts is not
// null, parts [samples, lanes] are the sums of each sample by itself, and out is not written.
// Launch: [lane vectors / 2].
kernel void chain_difference(int lane_vectors, int samples, int layers, int entry, int tie_policy,
                             real a0, real a1, real a2, real b0, real b1, real b2,
                             global const int *layer, global const int *input_at,
                             global const int *unit_at, global const real *move,
                             global const real *x, global const real *tables,
                             global const real *c0, global const real *c1, global const real *c2,
                             global const real *c3, global real *out,
                             global real *parts, volatile global uint *flags) {
  const int g = get_global_id(0) * 2;
  const Chain held = {samples, tie_policy, layer, tables, {a0, a1, a2}, {b0, b1, b2}};
  const Chain *const chain = &held;
  const int entry_ins = LAYER_INS(chain, entry);
  const int entry_outs = LAYER_OUTS(chain, entry);
  real column[2 * CHAIN_WIDTH * VECTOR_WIDTH];
  real first[2 * CHAIN_WIDTH * VECTOR_WIDTH];
  real second[2 * CHAIN_WIDTH * VECTOR_WIDTH];
  realv reach[2] = {(realv)(0), (realv)(0)};
  bool has_column = entry + 1 == layers;
  realv step[2];
  realv high[2];
  realv low[2];
  intv input[2];
  intv kinks[2];
  Units units;
#pragma unroll
  for (int v = 0; v < 2; v++) {
    step[v] = LOAD(g + v, move);
    units.unit[v] = LANE_INDEX(g + v, unit_at);
    input[v] = x == 0 ? (intv)(0) : LANE_INDEX(g + v, input_at);
    high[v] = low[v] = (realv)(0);
    kinks[v] = (intv)(0);
  }
#pragma unroll
  for (int v = 0; v < 2; v++) {
    const intv block = units.unit[v] / VECTOR_WIDTH;
    units.at[v] = LAYER_UNITS(chain, entry) + block * (samples * HIDDEN_TERMS * VECTOR_WIDTH) +
                  units.unit[v] % VECTOR_WIDTH;
  }
  const int common = FIRST_LANE(input[0]);
  const intv block = (intv)(FIRST_LANE(units.unit[0]) / VECTOR_WIDTH * VECTOR_WIDTH) + LANE_NUMBERS;
  units.is_block = !ANY_INT((units.unit[0] != block) | (units.unit[1] != block) |
                            (input[0] != (intv)(common)) | (input[1] != (intv)(common)));
  for (int s = 0; s < samples; s++) {
    if (parts != 0) {
#pragma unroll
      for (int v = 0; v < 2; v++) {
        high[v] = low[v] = (realv)(0);
        STORE(high[v], s * lane_vectors + g + v, parts);
      }
    }
    realv moved[2];
    if (units.is_block) {
      const real factor = x == 0 ? (real)(1) : x[s * entry_ins + common];
      // Nothing moves in a sample whose input is 0.
      if (factor == 0)
        continue;
      moved[0] = step[0] * factor;
      moved[1] = step[1] * factor;
    } else {
#pragma unroll
      for (int v = 0; v < 2; v++)
        moved[v] = x == 0 ? step[v] : step[v] * gather(x, s * entry_ins, 1, input[v]);
    }
    hidden_unit_steps(chain, entry, s, &units, moved, kinks);
    // Nor where the unit is off.
    if (!ANY((moved[0] != (realv)(0)) | (moved[1] != (realv)(0))))
      continue;
    // The weights by which the moved unit acts on the next layer, gathered once for all samples.
    if (!has_column) {
      const int next_outs = LAYER_OUTS(chain, entry + 1);
      for (int o = 0; o < next_outs; o++) {
        int stride;
        const int at = packed_row(o, next_outs, LAYER_INS(chain, entry + 1), &stride);
#pragma unroll
        for (int v = 0; v < 2; v++) {
          const realv w =
              gather(tables, LAYER_WEIGHTS(chain, entry + 1) + at, stride, units.unit[v]);
          STORE(w, 2 * o + v, column);
          reach[v] = LARGEST(reach[v], w);
        }
      }
      has_column = true;
    }
    if (!go_on(chain, layers, entry, s, &units, moved, column, reach, first, second, false, high, low,
               kinks, c0, c1, c2, c3))
      go_on(chain, layers, entry, s, &units, moved, column, reach, first, second, true, high, low,
            kinks, c0, c1, c2, c3);
    if (parts != 0) {
#pragma unroll
      for (int v = 0; v < 2; v++)
        STORE(high[v] + low[v], s * lane_vectors + g + v, parts);
    }
  }
#pragma unroll
  for (int v = 0; v < 2; v++) {
    if (parts == 0) {
      STORE(high[v], g + v, out);
      STORE(low[v], lane_vectors + g + v, out);
    }
    report_kinks(kinks[v], g + v, flags);
  }
}
