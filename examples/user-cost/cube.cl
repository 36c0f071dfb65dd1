// f(θ) = θ³
real cost(lane_t lane) {
  const real t = theta(0);
  return t * t * t;
}
