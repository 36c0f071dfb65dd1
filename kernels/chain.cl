// A chain: one component of a layer moves, and the lanes go on through the layers after it to the
// cost, all in one kernel. Samples do not meet on the way, so a work-item takes its lanes through
// one sample after the other and holds no more than two layers of one sample, in memory of its own.
//
// A layer is z[s, o] = sum over k of W[o, k] x[s, k] + b[o] and then RULE, an element-by-element
// function; in a difference b vanishes. Needs softmax.cl, the rules' own files, and
//
// CHAIN_WIDTH       the widest layer
// RULE, COEFFICIENTS, KINKS  the hidden layers' function, as for element.cl; none where not defined
// LAST_RULE, LAST_COEFFICIENTS, LAST_KINKS  that of the last layer, whose elements are then summed;
//                   where not defined the cost is the softmax cross-entropy of the last layer
//
// tables holds for each layer its packed weights and then its coefficients. The weights of
// CHAIN_ROWS outputs stand together, [blocks, in, CHAIN_ROWS]; the outputs that are left over make
// one more block, of CHAIN_FEW rows where that is enough. Missing rows are 0. The coefficients are
// [COEFFICIENTS, samples, out].
// layer [layers, 4]: outs; where its weights begin; where its coefficients begin, -1 for no rule;
// ins. Every layer but the last has at most CHAIN_WIDTH outs.
// CPU twin: none, the CPU's lanes go step by step. Host: Engine/OpenCL/LaneChain.swift.

#define CHAIN_ROWS 6
#define CHAIN_FEW 4

CROSS_ENTROPY_STEP(chain_cross_entropy, private)

typedef struct {
  int samples;
  int tie_policy;
  global const int *layer;
  global const real *tables;
  real a[3];
  real b[3];
} Chain;

#define LAYER_OUTS(chain, l) (chain)->layer[4 * (l)]
#define LAYER_WEIGHTS(chain, l) (chain)->layer[4 * (l) + 1]
#define LAYER_COEFFICIENTS(chain, l) (chain)->layer[4 * (l) + 2]
#define LAYER_INS(chain, l) (chain)->layer[4 * (l) + 3]

// Where the packed weights of an output begin, and how far those of successive inputs are apart.
static inline int packed_row(int o, int outs, int ins, int *stride) {
  const int whole = outs / CHAIN_ROWS * CHAIN_ROWS;
  *stride = o < whole || outs - whole > CHAIN_FEW ? CHAIN_ROWS : CHAIN_FEW;
  const int block = o / CHAIN_ROWS * CHAIN_ROWS;
  return block * ins + o - block;
}

#ifdef KINKS
#if KINKS
#define APPLY_RULE(d, c, kinks) RULE(d, c, chain->a, chain->tie_policy, kinks)
#else
#define APPLY_RULE(d, c, kinks) RULE(d, c, chain->a)
#endif

// The function of element (s, o) of a layer, the same in all lanes.
ALWAYS_INLINE realv hidden_step(const Chain *chain, int l, int s, int o, realv d, intv *kinks) {
  if (LAYER_COEFFICIENTS(chain, l) < 0)
    return d;
  const int outs = LAYER_OUTS(chain, l);
  global const real *const table =
      chain->tables + LAYER_COEFFICIENTS(chain, l) + (size_t)s * outs + o;
  realv c[COEFFICIENTS];
#pragma unroll
  for (int k = 0; k < COEFFICIENTS; k++)
    c[k] = (realv)(table[(size_t)k * chain->samples * outs]);
  return APPLY_RULE(d, c, kinks);
}

// The function of all elements of a layer in one sample, in place.
static inline void apply_hidden(const Chain *chain, int l, int s, real *z, intv *kinks) {
  const int outs = LAYER_OUTS(chain, l);
  for (int o = 0; o < outs; o++) {
    STORE(hidden_step(chain, l, s, o, LOAD(2 * o, z), kinks), 2 * o, z);
    STORE(hidden_step(chain, l, s, o, LOAD(2 * o + 1, z), kinks + 1), 2 * o + 1, z);
  }
}

// The same of the unit of each lane.
ALWAYS_INLINE realv hidden_unit_step(const Chain *chain, int l, int s, intv unit, realv d,
                                     intv *kinks) {
  if (LAYER_COEFFICIENTS(chain, l) < 0)
    return d;
  const int outs = LAYER_OUTS(chain, l);
  realv c[COEFFICIENTS];
#pragma unroll
  for (int k = 0; k < COEFFICIENTS; k++)
    c[k] = gather(chain->tables,
                  LAYER_COEFFICIENTS(chain, l) + (k * chain->samples + s) * outs, 1, unit);
  return APPLY_RULE(d, c, kinks);
}
#else
#define hidden_step(chain, l, s, o, d, kinks) (d)
#define apply_hidden(chain, l, s, z, kinks)
#define hidden_unit_step(chain, l, s, unit, d, kinks) (d)
#endif

#ifdef LAST_RULE
#if LAST_KINKS
#define APPLY_LAST_RULE(d, c, kinks) LAST_RULE(d, c, chain->b, chain->tie_policy, kinks)
#else
#define APPLY_LAST_RULE(d, c, kinks) LAST_RULE(d, c, chain->b)
#endif
#endif

// A layer's outputs of one sample, from `in` [ins, 2 vectors] to `out` [outs, 2 vectors].
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
        STORE(hidden_step(chain, l, s, o, sum[i][0], kinks), 2 * o, out);                         \
        STORE(hidden_step(chain, l, s, o, sum[i][1], kinks + 1), 2 * o + 1, out);                 \
      }                                                                                           \
    }                                                                                             \
  }

static inline void chain_layer(const Chain *chain, int l, int s, const real *in, real *out,
                               intv *kinks) {
  const int outs = LAYER_OUTS(chain, l);
  const int ins = LAYER_INS(chain, l);
  global const real *w = chain->tables + LAYER_WEIGHTS(chain, l);
  int first = 0;
  for (; outs - first > CHAIN_FEW; first += CHAIN_ROWS)
    CHAIN_BLOCK(CHAIN_ROWS, first)
  if (first < outs)
    CHAIN_BLOCK(CHAIN_FEW, first)
}

// What the step of one unit makes of the cost's sum for one sample.
#ifdef LAST_RULE
static inline void add_cost(const Chain *chain, int s, int outs, const real *z, realv *high,
                            realv *low, intv *kinks, global const real *c0, global const real *c1,
                            global const real *c2, global const real *c3) {
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

// A component of layer `entry` moves: W[unit, input] (x [samples, ins] is what the layer reads) or,
// where x is null, b[unit]. out [2, lanes] is the cost term's sum, high and low.
// Launch: [lane vectors / 2].
kernel void chain_difference(int lane_vectors, int samples, int layers, int entry, int tie_policy,
                             real a0, real a1, real a2, real b0, real b1, real b2,
                             global const int *layer, global const int *input_at,
                             global const int *unit_at, global const real *move,
                             global const real *x, global const real *tables,
                             global const real *c0, global const real *c1, global const real *c2,
                             global const real *c3, global real *out,
                             volatile global uint *flags) {
  const int g = get_global_id(0) * 2;
  const Chain held = {samples, tie_policy, layer, tables, {a0, a1, a2}, {b0, b1, b2}};
  const Chain *const chain = &held;
  const int entry_ins = LAYER_INS(chain, entry);
  real column[2 * CHAIN_WIDTH * VECTOR_WIDTH];
  real first[2 * CHAIN_WIDTH * VECTOR_WIDTH];
  real second[2 * CHAIN_WIDTH * VECTOR_WIDTH];
  realv step[2];
  realv high[2];
  realv low[2];
  intv unit[2];
  intv input[2];
  intv kinks[2];
#pragma unroll
  for (int v = 0; v < 2; v++) {
    step[v] = LOAD(g + v, move);
    unit[v] = LANE_INDEX(g + v, unit_at);
    input[v] = x == 0 ? (intv)(0) : LANE_INDEX(g + v, input_at);
    high[v] = low[v] = (realv)(0);
    kinks[v] = (intv)(0);
  }
  // Most lanes of a vector move weights of the same unit.
  const int common = FIRST_LANE(unit[0]);
  const bool is_common = !ANY((unit[0] != (intv)(common)) | (unit[1] != (intv)(common)));
  const bool is_last = entry + 1 == layers;
  const int next = min(entry + 1, layers - 1);
  const int next_outs = LAYER_OUTS(chain, next);
  // The weights by which the moved unit acts on the next layer, gathered once for all samples.
  if (!is_last) {
    for (int o = 0; o < next_outs; o++) {
      int stride;
      const int row = packed_row(o, next_outs, LAYER_INS(chain, next), &stride);
#pragma unroll
      for (int v = 0; v < 2; v++)
        STORE(gather(tables, LAYER_WEIGHTS(chain, next) + row, stride, unit[v]), 2 * o + v, column);
    }
  }
  for (int s = 0; s < samples; s++) {
    realv moved[2];
#pragma unroll
    for (int v = 0; v < 2; v++) {
      moved[v] = x == 0 ? step[v] : step[v] * gather(x, s * entry_ins, 1, input[v]);
      moved[v] = is_common ? hidden_step(chain, entry, s, common, moved[v], kinks + v)
                           : hidden_unit_step(chain, entry, s, unit[v], moved[v], kinks + v);
    }
    // An input of 0, a unit that is off: nothing moves in this sample.
    if (!ANY((moved[0] != (realv)(0)) | (moved[1] != (realv)(0))))
      continue;
    for (int o = 0; o < next_outs; o++) {
#pragma unroll
      for (int v = 0; v < 2; v++) {
        const realv z = is_last ? (INT_TO_MASK(unit[v] == (intv)(o)) ? moved[v] : (realv)(0))
                                : LOAD(2 * o + v, column) * moved[v];
        STORE(z, 2 * o + v, first);
      }
    }
    if (!is_last && LAYER_COEFFICIENTS(chain, next) >= 0)
      apply_hidden(chain, next, s, first, kinks);
    real *here = first;
    real *there = second;
    for (int l = entry + 2; l < layers; l++) {
      chain_layer(chain, l, s, here, there, kinks);
      real *const swapped = here;
      here = there;
      there = swapped;
    }
    add_cost(chain, s, LAYER_OUTS(chain, layers - 1), here, high, low, kinks, c0, c1, c2, c3);
  }
#pragma unroll
  for (int v = 0; v < 2; v++) {
    STORE(high[v], g + v, out);
    STORE(low[v], lane_vectors + g + v, out);
    report_kinks(kinks[v], g + v, flags);
  }
}
