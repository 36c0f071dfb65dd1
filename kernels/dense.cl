// Dense layers: z[s, o] = b[o] + sum over k of W[o, k] x[s, k].
//
// W is addressed by two strides, W[o * out_stride + k * in_stride], so both layouts are served.
// x [samples, in] and b [out] are baseline tables; W, too. Lane arrays are [elements, lanes].
// Where all inputs move the layer is a matrix product (product.cl).
// CPU twin: Primitives/Dense.swift.

// Each kernel has one signature in both modes, difference and value; a difference ignores what it does
// not need (the bias vanishes in it). b may be a null buffer where has_bias is 0.

// --- One component of W moves: only unit o of the lane does. move [lanes], out [samples, lanes].
// input and output [lanes] are the input and the unit that the lane's weight belongs to.
// Launch: [lane workers, workers over the samples].

#define DENSE_WEIGHT_ARGUMENTS                                                                   \
  int lane_vectors, int samples, int in_features, int out_stride, int in_stride,                 \
      int has_bias, global const int *input, global const int *output,                     \
      global const real *move, global const real *x,                                            \
      global const real *w, global const real *b, global real *out

kernel void dense_weight_difference(DENSE_WEIGHT_ARGUMENTS) {
  FOR_LANES(g) {
    const intv k = LANE_INDEX(g, input);
    const realv d = LOAD(g, move);
    FOR_SHARE(s, samples)
      STORE(d * gather(x, s * in_features, 1, k), s * lane_vectors + g, out);
  }
}

// The moved weight stands in `move`; the unit's whole sum is formed again.
kernel void dense_weight_value(DENSE_WEIGHT_ARGUMENTS) {
  FOR_LANES(g) {
    const intv moved = LANE_INDEX(g, input);
    const intv unit = LANE_INDEX(g, output);
    const realv value = LOAD(g, move);
    FOR_SHARE(s, samples) {
      realv sum = (realv)(0);
      for (int k = 0; k < in_features; k++) {
        const realv here = gather(w, k * in_stride, out_stride, unit);
        sum += (INT_TO_MASK(moved == (intv)(k)) ? value : here) * x[s * in_features + k];
      }
      if (has_bias)
        sum += gather(b, 0, 1, unit);
      STORE(sum, s * lane_vectors + g, out);
    }
  }
}

// --- One component of b moves. As above; components are units.

#define DENSE_BIAS_ARGUMENTS                                                                     \
  int lane_vectors, int samples, int in_features, int out_stride, int in_stride,                 \
      global const int *output, global const real *move, global const real *x,                \
      global const real *w, global real *out

kernel void dense_bias_difference(DENSE_BIAS_ARGUMENTS) {
  FOR_LANES(g) {
    const realv d = LOAD(g, move);
    FOR_SHARE(s, samples)
      STORE(d, s * lane_vectors + g, out);
  }
}

kernel void dense_bias_value(DENSE_BIAS_ARGUMENTS) {
  FOR_LANES(g) {
    const intv unit = LANE_INDEX(g, output);
    const realv value = LOAD(g, move);
    FOR_SHARE(s, samples) {
      realv sum = (realv)(0);
      for (int k = 0; k < in_features; k++)
        sum += gather(w, k * in_stride, out_stride, unit) * x[s * in_features + k];
      STORE(sum + value, s * lane_vectors + g, out);
    }
  }
}

// --- One input unit of the layer moves: in [samples, lanes], out [samples * outs, lanes].
// input [lanes] is the unit that moves.
// Launch: [lane workers, workers over the outputs].

#define DENSE_SLICE_ARGUMENTS                                                                    \
  int lane_vectors, int samples, int in_features, int outs, int out_stride, int in_stride,       \
      int has_bias, global const int *input,                                                     \
      global const real *in, global const real *x, global const real *w, global const real *b,   \
      global real *out

kernel void dense_slice_difference(DENSE_SLICE_ARGUMENTS) {
  FOR_LANES(g) {
    const intv unit = LANE_INDEX(g, input);
    FOR_SHARE(o, outs) {
      const realv weight = gather(w, o * out_stride, in_stride, unit);
      for (int s = 0; s < samples; s++)
        STORE(weight * LOAD(s * lane_vectors + g, in), (s * outs + o) * lane_vectors + g, out);
    }
  }
}

kernel void dense_slice_value(DENSE_SLICE_ARGUMENTS) {
  FOR_LANES(g) {
    const intv unit = LANE_INDEX(g, input);
    FOR_SHARE(o, outs) {
      for (int s = 0; s < samples; s++) {
        const realv moved = LOAD(s * lane_vectors + g, in);
        realv sum = (realv)(0);
        for (int k = 0; k < in_features; k++) {
          const realv here = (realv)(x[s * in_features + k]);
          sum += w[o * out_stride + k * in_stride] *
                 (INT_TO_MASK(unit == (intv)(k)) ? moved : here);
        }
        STORE(has_bias ? sum + b[o] : sum, (s * outs + o) * lane_vectors + g, out);
      }
    }
  }
}
