// selftest.cl: what a device must do right before it is trusted with a check.
//
// Purpose: the functions that the difference rules lean on, and a compensated sum.
// CPU twin: SelfTest.swift, which holds the arguments, the host's values and the limits.

// x, y, z: [count]; out: [10, count], one row a function in the order of SelfTest.functions.
// Launch: [count / VECTOR_WIDTH]; count is a multiple of 16.
kernel void selftest_functions(global const real *x, global const real *y, global const real *z,
                               global real *out, const int count) {
  const size_t i = get_global_id(0);
  const size_t row = count / VECTOR_WIDTH;
  const realv a = LOAD(i, x);
  const realv b = LOAD(i, y);
  const realv c = LOAD(i, z);
  STORE(exp(a), i + 0 * row, out);
  STORE(expm1(a), i + 1 * row, out);
  STORE(log(a), i + 2 * row, out);
  STORE(log1p(a), i + 3 * row, out);
  STORE(tanh(a), i + 4 * row, out);
  STORE(erf(a), i + 5 * row, out);
  STORE(sqrt(a), i + 6 * row, out);
  STORE((realv)(R(1.0)) / sqrt(a), i + 7 * row, out);
  STORE(a / b, i + 8 * row, out);
  STORE(fma(a, b, c), i + 9 * row, out);
}

// terms: [count, VECTOR_WIDTH]; out: [2, VECTOR_WIDTH], the sum of each column as sum and carry.
// Launch: [1].
kernel void selftest_sum(global const real *terms, global real *out, const int count) {
  realv sum = (realv)(R(0.0));
  realv carry = (realv)(R(0.0));
  for (int i = 0; i < count; i++) {
    add_compensated(&sum, &carry, LOAD(i, terms));
  }
  STORE(sum, 0, out);
  STORE(carry, 1, out);
}
