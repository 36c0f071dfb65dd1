// The network of examples/digits: 64 - 32 (tanh) - 10, softmax cross-entropy averaged over the batch,
// and a little L2 on the weights.
real cost(lane_t lane, global const real *x, global const int *y) {
  real sum = 0;
  for (int sample = 0; sample < x_shape0; sample++) {
    real hidden[W1_shape0];
    for (int unit = 0; unit < W1_shape0; unit++) {
      real z = theta(b1_offset + unit);
      for (int i = 0; i < x_shape1; i++) {
        z += theta(W1_offset + unit * W1_shape1 + i) * x[sample * x_shape1 + i];
      }
      hidden[unit] = tanh(z);
    }
    real logits[W2_shape0];
    real largest = -INFINITY;
    for (int digit = 0; digit < W2_shape0; digit++) {
      real z = theta(b2_offset + digit);
      for (int unit = 0; unit < W1_shape0; unit++) {
        z += theta(W2_offset + digit * W2_shape1 + unit) * hidden[unit];
      }
      logits[digit] = z;
      largest = fmax(largest, z);
    }
    real total = 0;
    for (int digit = 0; digit < W2_shape0; digit++) total += exp(logits[digit] - largest);
    sum += log(total) + largest - logits[y[sample]];
  }
  real squares = 0;
  for (int i = 0; i < W1_count; i++) squares += theta(W1_offset + i) * theta(W1_offset + i);
  for (int i = 0; i < W2_count; i++) squares += theta(W2_offset + i) * theta(W2_offset + i);
  return sum / x_shape0 + R(0.5e-7) * squares;
}
