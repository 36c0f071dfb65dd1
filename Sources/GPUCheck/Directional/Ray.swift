/// A direction v in one tensor, with what is known of J along it without perturbing anything.
struct Ray: Sendable {
  /// The segment of θ.
  var segment: Int
  var direction: GaussianDirection
  /// The slope that the gradient given says J has: Σ dθ·v.
  var analytic = 0.0
  /// The standard rounding error of that slope in units of u: of dθ, and of lanes.
  var gradientScale = 0.0
  var laneScale = 0.0
  /// The standard error that constants of the model make which were rounded.
  var constants = 0.0

  /// Takes the sums over all components. Errors of components add up as their squares do, since the
  /// signs of v have nothing to do with theirs.
  mutating func project(
    _ v: [Double], gradient: ArraySlice<Double>, scales: ErrorScales, offset: Int
  ) {
    var slope = CompensatedSum<Double>()
    var (stored, lanes, rounded) = (0.0, 0.0, 0.0)
    for (at, v) in v.enumerated() where v != 0 {
      slope.add(gradient[gradient.startIndex + at] * v)
      let (g, l) = (scales.gradient[offset + at] * v, scales.lanes[offset + at] * v)
      stored += g * g
      lanes += l * l
      if let constant = scales.constants?[offset + at] { rounded += constant * constant * v * v }
    }
    analytic = slope.value
    gradientScale = stored.squareRoot()
    laneScale = lanes.squareRoot()
    constants = rounded.squareRoot()
  }
}

/// What lanes say of J along a ray.
struct RayMeasurement: Sendable {
  /// ΔJ⁺ − ΔJ⁻ over both steps.
  var numeric = Double.nan
  /// The standard rounding error of `numeric`.
  var rounding = 0.0
  /// What is left of its truncation error.
  var truncation = 0.0
  var flags: LaneFlags = []
  /// Where some element stands on a kink, the slopes between which dθ·v is accepted.
  var slopes: ClosedRange<Double>?
}

/// A ray that was measured, and how the gradient given stands to it.
struct JudgedRay: Sendable {
  var ray: Ray
  var measurement: RayMeasurement
  /// dθ·v and the measured slope may lie this far apart with nothing wrong.
  var bar: Double

  init(_ ray: Ray, _ measurement: RayMeasurement, gradientRoundoff: Double) {
    self.ray = ray
    self.measurement = measurement
    bar =
      CheckRun.numericWidth * (measurement.rounding + ray.constants)
      + CheckRun.gradientWidth * gradientRoundoff * ray.gradientScale + measurement.truncation
  }

  /// dθ·v less what is accepted.
  var deviation: Double {
    guard let slopes = measurement.slopes else { return ray.analytic - measurement.numeric }
    if ray.analytic.isNaN { return .nan }
    return ray.analytic - min(max(ray.analytic, slopes.lowerBound), slopes.upperBound)
  }

  /// Whether dθ·v lies within its bar. NaN does not.
  var isWithinBar: Bool { deviation.magnitude <= bar }

  /// How wide the slopes lie apart at a kink.
  var kinkWidth: Double {
    measurement.slopes.map { $0.upperBound - $0.lowerBound } ?? 0
  }
}
