// Each element of the output is made of some elements of the input: seen as
// [outer, columns, inner] the input gives [outer, rows, inner], row r being made of the columns
// source[start[r]] to source[start[r + 1] - 1]. Where one position of an outer or inner axis moves,
// that axis has one element here. Lane arrays are [elements, lanes].
// CPU twin: Primitives/GatherLanes.swift.

// GATHER_INPUT(k): the input's element of term k of output element e.
#define GATHER_ROW(e)                                                                             \
  const int row = e / inner % rows;                                                               \
  const int first = e / inner / rows * columns * inner + e % inner;
#define GATHER_INPUT(k) (first + source[k] * inner)

// GATHER_BASE: a table at the element of the whole input that a stored one stands for.
#define GATHER_BASE(table, at) sliced(table, at, axis_length, slice_inner, index, common)

// Sums with constant weights (null: all 1); fill where a row is empty: 0 in differences. Compensated
// in float: these sums are the statistics of normalisation layers. Neighbouring lane vectors are summed at
// the same time, since terms lie far apart.
#define SUM_VECTORS 8

ALWAYS_INLINE void gather_sum_vectors(const int vectors, int lane_vectors, int inner, real fill,
                                      int begin, int end, global const int *source,
                                      global const real *weight, global const real *in,
                                      global real *out) {
  realv sum[SUM_VECTORS];
  realv carry[SUM_VECTORS];
#pragma unroll
  for (int v = 0; v < vectors; v++) {
    sum[v] = begin == end ? (realv)(fill) : (realv)(0);
    carry[v] = (realv)(0);
  }
  for (int k = begin; k < end; k++) {
    const size_t at = (size_t)source[k] * inner * lane_vectors;
    const realv factor = weight != 0 ? (realv)(weight[k]) : (realv)(1);
#pragma unroll
    for (int v = 0; v < vectors; v++) {
      const realv x = factor * LOAD(at + v, in);
#ifdef REAL_IS_DOUBLE
      sum[v] += x;
#else
      add_compensated(sum + v, carry + v, x);
#endif
    }
  }
#pragma unroll
  for (int v = 0; v < vectors; v++)
    STORE(sum[v] + carry[v], v, out);
}

// Launch: [lane workers, workers over the elements of the output].
kernel void gather_sum(int lane_vectors, int elements, int rows, int columns, int inner, real fill,
                       global const int *start, global const int *source,
                       global const real *weight, global const real *in, global real *out) {
  FOR_SHARE(e, elements) {
    GATHER_ROW(e)
    int g = FIRST_LANES;
    const int last = LAST_LANES;
#define GATHER_SUM(vectors)                                                                       \
  gather_sum_vectors(vectors, lane_vectors, inner, fill, start[row], start[row + 1], source,      \
                     weight, in + ((size_t)first * lane_vectors + g) * VECTOR_WIDTH,              \
                     out + ((size_t)e * lane_vectors + g) * VECTOR_WIDTH)
    for (; g + SUM_VECTORS <= last; g += SUM_VECTORS)
      GATHER_SUM(SUM_VECTORS);
    for (; g < last; g++)
      GATHER_SUM(1);
  }
}

// One element of the input moves, and in the output what stands at its inner position:
// out [outer * rows, lanes]. A value (x is the input at theta) is the row's whole sum.
// Launch: [lane workers, workers over outer and rows].
kernel void gather_single(int lane_vectors, int elements, int rows, int columns, int inner,
                          real fill, int is_value, global const int *outer_at,
                          global const int *column_at, global const int *inner_at,
                          global const int *start, global const int *source,
                          global const real *weight, global const real *x,
                          global const real *move, global real *out) {
  FOR_LANES(g) {
    const intv own_outer = LANE_INDEX(g, outer_at);
    const intv own_column = LANE_INDEX(g, column_at);
    const intv own_inner = LANE_INDEX(g, inner_at);
    const realv moved = LOAD(g, move);
    FOR_SHARE(e, elements) {
      const int row = e % rows;
      const int outer = e / rows;
      realv sum = is_value && start[row] == start[row + 1] ? (realv)(fill) : (realv)(0);
      for (int k = start[row]; k < start[row + 1]; k++) {
        const intv is_own = (own_outer == (intv)(outer)) & (own_column == (intv)(source[k]));
        realv still = (realv)(0);
        if (is_value)
          still = gather(x, (outer * columns + source[k]) * inner, 1, own_inner);
        const realv factor = weight == 0 ? (realv)(1) : (realv)(weight[k]);
        sum += factor * (INT_TO_MASK(is_own) ? moved : still);
      }
      STORE(sum, (size_t)e * lane_vectors + g, out);
    }
  }
}

// One element moves and goes to one place or (present [lanes] = 0) nowhere: in and out [lanes].
// Nowhere, a difference is 0 and a value is that of the output's first element. Launch: [lane workers, 1].
kernel void gather_move(int lane_vectors, int is_value, global const int *present,
                        global const real *first_value, global const real *move,
                        global real *out) {
  const realv nowhere = is_value ? (realv)(first_value[0]) : (realv)(0);
  FOR_LANES(g) {
    STORE(INT_TO_MASK(LANE_INDEX(g, present) != (intv)(0)) ? LOAD(g, move) : nowhere, g, out);
  }
}

#define GATHER_ARGUMENTS                                                                          \
  int lane_vectors, int elements, int rows, int columns, int inner, int axis_length,              \
      int slice_inner, int out_inner, int tie_policy, global const int *position,                 \
      global const int *start, global const int *source, global const real *c0,                   \
      global const real *c1, global const real *c2, global const real *in, global real *out,      \
      volatile global uint *flags

// Maxima. c0: x, c1: how close to the largest is a tie, both by input; c2: y. max of gap_k + d_k;
// where the largest at theta is tied, the policy may name one of the tied terms.
// Launch: [lane workers, workers over the elements of the output].
kernel void gather_maximum_difference(GATHER_ARGUMENTS) {
  FOR_LANES(g) {
    const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
    const int common = common_position(index);
    intv kinks = (intv)(0);
    FOR_SHARE(e, elements) {
      GATHER_ROW(e)
      const realv top = sliced(c2, e, axis_length, out_inner, index, common);
      realv most = (realv)(-REAL_INFINITY);
      realv own = (realv)(0);
      realv last = (realv)(0);
      intv found = (intv)(0);
      intv tied = (intv)(0);
      for (int k = start[row]; k < start[row + 1]; k++) {
        const int at = GATHER_INPUT(k);
        const realv gap = GATHER_BASE(c0, at) - top;
        const realv tolerance = GATHER_BASE(c1, at);
        const realv d = LOAD((size_t)at * lane_vectors + g, in);
        const intv near = MASK_TO_INT(gap >= -tolerance);
        most = fmax(most, gap + d);
        tied |= near & found & MASK_TO_INT(d != own);
        own = INT_TO_MASK((near & ~found) != (intv)(0)) ? d : own;
        last = INT_TO_MASK(near != (intv)(0)) ? d : last;
        found |= near;
      }
      kinks |= (tied & KINK_TIED) | (~tied & MASK_TO_INT(most > own) & KINK_CROSSED);
      const realv chosen = tie_policy < 0 ? own : last;
      STORE(tie_policy != 0 && ANY(INT_TO_MASK(tied != (intv)(0)))
                ? (INT_TO_MASK(tied != (intv)(0)) ? chosen : most)
                : most,
            (size_t)e * lane_vectors + g, out);
    }
    report_kinks(kinks, g, flags);
  }
}

kernel void gather_maximum_value(GATHER_ARGUMENTS) {
  FOR_LANES(g) {
    const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
    const int common = common_position(index);
    intv kinks = (intv)(0);
    FOR_SHARE(e, elements) {
      GATHER_ROW(e)
      const realv top = sliced(c2, e, axis_length, out_inner, index, common);
      realv most = (realv)(-REAL_INFINITY);
      realv own = (realv)(-REAL_INFINITY);
      for (int k = start[row]; k < start[row + 1]; k++) {
        const int at = GATHER_INPUT(k);
        const realv x = LOAD((size_t)at * lane_vectors + g, in);
        most = fmax(most, x);
        own = GATHER_BASE(c0, at) >= top - GATHER_BASE(c1, at) ? fmax(own, x) : own;
      }
      kinks |= MASK_TO_INT(most > own) & KINK_CROSSED;
      STORE(most, (size_t)e * lane_vectors + g, out);
    }
    report_kinks(kinks, g, flags);
  }
}

// Products. c0: x. The difference of the product of the terms so far is carried along:
// D <- D (x + d) + P d, P <- P x.
kernel void gather_product_difference(GATHER_ARGUMENTS) {
  FOR_LANES(g) {
    const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
    const int common = common_position(index);
    FOR_SHARE(e, elements) {
      GATHER_ROW(e)
      realv product = (realv)(1);
      realv change = (realv)(0);
      for (int k = start[row]; k < start[row + 1]; k++) {
        const int at = GATHER_INPUT(k);
        const realv x = GATHER_BASE(c0, at);
        const realv d = LOAD((size_t)at * lane_vectors + g, in);
        change = change * (x + d) + product * d;
        product *= x;
      }
      STORE(change, (size_t)e * lane_vectors + g, out);
    }
  }
}

kernel void gather_product_value(GATHER_ARGUMENTS) {
  FOR_LANES(g) {
    FOR_SHARE(e, elements) {
      GATHER_ROW(e)
      realv product = (realv)(1);
      for (int k = start[row]; k < start[row + 1]; k++)
        product *= LOAD((size_t)GATHER_INPUT(k) * lane_vectors + g, in);
      STORE(product, (size_t)e * lane_vectors + g, out);
    }
  }
}

// log-sum-exp. c0: p = exp(x - y) by input. Relative to the step of the largest p; where that
// cancels or overflows, the logarithm of a sum of positive terms relative to the largest step.
kernel void gather_logSumExp_difference(GATHER_ARGUMENTS) {
  FOR_LANES(g) {
    const intv index = axis_length == 0 ? (intv)(0) : LANE_INDEX(g, position);
    const int common = common_position(index);
    FOR_SHARE(e, elements) {
      GATHER_ROW(e)
      realv top = (realv)(-1);
      realv shift = (realv)(0);
      realv most = (realv)(-REAL_INFINITY);
      for (int k = start[row]; k < start[row + 1]; k++) {
        const int at = GATHER_INPUT(k);
        const realv p = GATHER_BASE(c0, at);
        const realv d = LOAD((size_t)at * lane_vectors + g, in);
        shift = p > top ? d : shift;
        top = fmax(top, p);
        most = fmax(most, d);
      }
      realv total = (realv)(0);
      for (int k = start[row]; k < start[row + 1]; k++) {
        const int at = GATHER_INPUT(k);
        total += GATHER_BASE(c0, at) * expm1(LOAD((size_t)at * lane_vectors + g, in) - shift);
      }
      realv change = shift + log1p(fmax(total, (realv)(-0.5f)));
      const maskv rough = (total < (realv)(-0.5f)) | !(total <= (realv)(REAL_MAX));
      if (ANY(rough)) {
        realv sum = (realv)(0);
        for (int k = start[row]; k < start[row + 1]; k++) {
          const int at = GATHER_INPUT(k);
          sum += GATHER_BASE(c0, at) * exp(LOAD((size_t)at * lane_vectors + g, in) - most);
        }
        change = SELECT(change, most + log(sum), rough);
      }
      STORE(change, (size_t)e * lane_vectors + g, out);
    }
  }
}

kernel void gather_logSumExp_value(GATHER_ARGUMENTS) {
  FOR_LANES(g) {
    FOR_SHARE(e, elements) {
      GATHER_ROW(e)
      realv most = (realv)(-REAL_INFINITY);
      for (int k = start[row]; k < start[row + 1]; k++)
        most = fmax(most, LOAD((size_t)GATHER_INPUT(k) * lane_vectors + g, in));
      realv sum = (realv)(0);
      for (int k = start[row]; k < start[row + 1]; k++)
        sum += exp(LOAD((size_t)GATHER_INPUT(k) * lane_vectors + g, in) - most);
      STORE(most + log(sum), (size_t)e * lane_vectors + g, out);
    }
  }
}

// One input of a concatenation: its blocks of width elements go to blocks of total elements, from
// offset on. in is null where the input does not move: then 0, or its value at theta from base.
// Launch: [lane workers, workers over the input's elements].
kernel void concatenate_part(int lane_vectors, int elements, int width, int total, int offset,
                             global const real *base, global const real *in, global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(e, elements) {
      realv x = (realv)(0);
      if (in != 0)
        x = LOAD((size_t)e * lane_vectors + g, in);
      else if (base != 0)
        x = (realv)(base[e]);
      STORE(x, ((size_t)(e / width) * total + offset + e % width) * lane_vectors + g, out);
    }
  }
}
