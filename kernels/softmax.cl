// Softmax over the last axis, softmax cross-entropy and the multi-class hinge: one row of classes
// a sample, all moving. in [rows * classes, lanes].
// Each kernel has one signature in both modes, difference and value.
// Launch: [lane workers, workers over the rows]. Needs small.cl, cross_entropy.cl and piecewise.cl.
// CPU twins: Primitives/Softmax.swift, SoftmaxCrossEntropy.swift, MulticlassHinge.swift.

// p [rows, classes], top [rows]: the class with the largest p. Softmax does not change when all
// logits move alike, so steps are taken relative to that class:
// p_c (e_c - E) / (1 + E), e_c = expm1(d_c - d_top), E = sum of p_c e_c.
kernel void softmax_difference(int lane_vectors, int rows, int classes, global const real *p,
                               global const real *top, global const real *in,
                               global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const realv shift = LOAD((row + (int)top[r]) * lane_vectors + g, in);
      realv total = (realv)(0);
      for (int c = 0; c < classes; c++) {
        const realv e = expm1_of(LOAD((row + c) * lane_vectors + g, in) - shift);
        total += p[row + c] * e;
        STORE(e, (row + c) * lane_vectors + g, out);
      }
      const realv scale = (realv)(1) / ((realv)(1) + total);
      for (int c = 0; c < classes; c++) {
        const realv e = LOAD((row + c) * lane_vectors + g, out);
        STORE(p[row + c] * (e - total) * scale, (row + c) * lane_vectors + g, out);
      }
    }
  }
}

static inline realv row_maximum(int lane_vectors, int row, int classes, int g, global const real *in) {
  realv most = LOAD(row * lane_vectors + g, in);
  for (int c = 1; c < classes; c++)
    most = fmax(most, LOAD((row + c) * lane_vectors + g, in));
  return most;
}

kernel void softmax_value(int lane_vectors, int rows, int classes, global const real *p,
                          global const real *top, global const real *in, global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const realv most = row_maximum(lane_vectors, row, classes, g, in);
      realv total = (realv)(0);
      for (int c = 0; c < classes; c++)
        total += exp(LOAD((row + c) * lane_vectors + g, in) - most);
      for (int c = 0; c < classes; c++) {
        const int at = (row + c) * lane_vectors + g;
        STORE(exp(LOAD(at, in) - most) / total, at, out);
      }
    }
  }
}

// p [rows, classes], top [rows] as for softmax. d_c - d_top - log1p(sum over k of p_k expm1(d_k -
// d_top)); where that cancels or overflows, the logarithm of a sum of positive terms.
kernel void log_softmax_difference(int lane_vectors, int rows, int classes, global const real *p,
                                   global const real *top, global const real *in,
                                   global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const realv shift = LOAD((row + (int)top[r]) * lane_vectors + g, in);
      realv total = (realv)(0);
      for (int c = 0; c < classes; c++)
        total += p[row + c] * expm1_of(LOAD((row + c) * lane_vectors + g, in) - shift);
      realv logarithm = log1p(fmax(total, (realv)(-0.5f)));
      const maskv rough = (total < (realv)(-0.5f)) | !(total <= (realv)(REAL_MAX));
      if (ANY(rough)) {
        const realv most = row_maximum(lane_vectors, row, classes, g, in);
        realv sum = (realv)(0);
        for (int c = 0; c < classes; c++)
          sum += p[row + c] * exp(LOAD((row + c) * lane_vectors + g, in) - most);
        logarithm = SELECT(logarithm, most - shift + log(sum), rough);
      }
      for (int c = 0; c < classes; c++) {
        const int at = (row + c) * lane_vectors + g;
        STORE(LOAD(at, in) - shift - logarithm, at, out);
      }
    }
  }
}

kernel void log_softmax_value(int lane_vectors, int rows, int classes, global const real *p,
                              global const real *top, global const real *in, global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const realv most = row_maximum(lane_vectors, row, classes, g, in);
      realv total = (realv)(0);
      for (int c = 0; c < classes; c++)
        total += exp(LOAD((row + c) * lane_vectors + g, in) - most);
      const realv logarithm = log(total);
      for (int c = 0; c < classes; c++) {
        const int at = (row + c) * lane_vectors + g;
        STORE(LOAD(at, in) - most - logarithm, at, out);
      }
    }
  }
}

// The softmax cross-entropy of cross_entropy.cl.
CROSS_ENTROPY_STEP(cross_entropy_step, global)

// in [rows * classes, lanes], out [rows, lanes].
kernel void cross_entropy_difference(int lane_vectors, int rows, int classes,
                                     global const real *p, global const real *q,
                                     global const real *label, global const real *mass,
                                     global const real *in, global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const int y = (int)label[r];
      global const real *const z = in + (size_t)(row * lane_vectors + g) * VECTOR_WIDTH;
      const realv shift = LOAD(y * lane_vectors, z);
      CrossEntropy sums = {(realv)(0), (realv)(0), (realv)(0)};
      for (int c = 0; c < classes; c++)
        add_class(&sums, LOAD(c * lane_vectors, z) - shift, p[row + c], q[row + c]);
      const maskv is_small = has_small_steps(sums);
      realv step = small_cross_entropy(sums, mass[r]);
      if (ANY(!is_small))
        step = SELECT(cross_entropy_step(z, lane_vectors, classes, y, mass[r], p + row, sums.linear),
                      step, is_small);
      STORE(step, r * lane_vectors + g, out);
    }
  }
}

kernel void cross_entropy_value(int lane_vectors, int rows, int classes, global const real *p,
                                global const real *q, global const real *label,
                                global const real *mass, global const real *in,
                                global real *out) {
  FOR_LANES(g) {
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const int y = (int)label[r];
      const realv own = LOAD((row + y) * lane_vectors + g, in);
      realv total = (realv)(0);
      realv linear = (realv)(0);
      for (int c = 0; c < classes; c++) {
        if (c == y)
          continue;
        const realv z = LOAD((row + c) * lane_vectors + g, in) - own;
        total += exp(z);
        linear += q[row + c] * z;
      }
      realv logarithm = log1p(total);
      if (ANY(total > (realv)(REAL_MAX))) {
        const realv most = row_maximum(lane_vectors, row, classes, g, in);
        realv sum = (realv)(0);
        for (int c = 0; c < classes; c++)
          sum += exp(LOAD((row + c) * lane_vectors + g, in) - most);
        logarithm = total > (realv)(REAL_MAX) ? most - own + log(sum) : logarithm;
      }
      STORE(mass[r] * logarithm - linear, r * lane_vectors + g, out);
    }
  }
}

// m [rows, classes]: the margins z_c - z_y + margin at theta, with their tie tolerances; needs
// piecewise.cl. out [rows, lanes].
kernel void multiclass_hinge_difference(int lane_vectors, int rows, int classes, int tie_policy,
                                        real margin, global const real *m,
                                        global const real *tolerance, global const real *label,
                                        global const real *in, global real *out,
                                        volatile global uint *flags) {
  FOR_LANES(g) {
    const real a[3] = {0, 1, 0};
    intv kinks = (intv)(0);
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const int y = (int)label[r];
      const realv shift = LOAD((row + y) * lane_vectors + g, in);
      realv total = (realv)(0);
      for (int c = 0; c < classes; c++) {
        if (c == y)
          continue;
        const realv coefficient[3] = {(realv)(m[row + c]), (realv)(1), (realv)(tolerance[row + c])};
        const realv d = LOAD((row + c) * lane_vectors + g, in) - shift;
        total += straight_difference(d, coefficient, a, tie_policy, &kinks);
      }
      STORE(total, r * lane_vectors + g, out);
    }
    report_kinks(kinks, g, flags);
  }
}

kernel void multiclass_hinge_value(int lane_vectors, int rows, int classes, int tie_policy,
                                   real margin, global const real *m,
                                   global const real *tolerance, global const real *label,
                                   global const real *in, global real *out,
                                   volatile global uint *flags) {
  FOR_LANES(g) {
    const real a[3] = {0, 1, margin};
    intv kinks = (intv)(0);
    FOR_SHARE(r, rows) {
      const int row = r * classes;
      const int y = (int)label[r];
      const realv own = LOAD((row + y) * lane_vectors + g, in);
      realv total = (realv)(0);
      for (int c = 0; c < classes; c++) {
        if (c == y)
          continue;
        const realv coefficient[3] = {(realv)(m[row + c]), (realv)(1), (realv)(tolerance[row + c])};
        total += straight_value(LOAD((row + c) * lane_vectors + g, in) - own, coefficient, a,
                                tie_policy, &kinks);
      }
      STORE(total, r * lane_vectors + g, out);
    }
    report_kinks(kinks, g, flags);
  }
}
