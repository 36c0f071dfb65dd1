import RealModule

/// tanh(x) = 2σ(2x) − 1, and of a small step tanh(x + d) − tanh(x) = (1 − y²)·t / (1 + y·t) with y = tanh(x),
/// t = tanh(d). Twin of kernels/tanh.cl.
package enum TanhRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "tanh", files: ["small.cl", "sigmoid.cl", "tanh.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let (s, t) = SigmoidRule.both(2 * x)
    return [Double.tanh(x), 4 * s * t, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let (y, p) = (c[0], c[1])
    if d.magnitude <= T.smallStep {
      let square = d * d
      let t = d + d * square * (square * T(2.0 / 15) - T(1.0 / 3))
      return p * t / (1 + y * t)
    }
    let large = (1 + y.magnitude) / 2
    let small = p / (4 * large)
    return y < 0
      ? 2 * SigmoidRule.step(2 * d, small, large) : 2 * SigmoidRule.step(2 * d, large, small)
  }

  /// Small steps.
  @inline(__always)
  package static func difference<T: LaneReal>(_ d: LaneVector<T>, _ c: SIMD4<T>, _ a: SIMD4<T>)
    -> LaneVector<T>?
  {
    guard d.areSurelyBelow(T.smallStep) else { return nil }
    let square = d * d
    let t = d + d * square * (square * T(2.0 / 15) - T(1.0 / 3))
    return c[1] * t / (1 + c[0] * t)
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.tanh(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    // Usually formed as 1 − a², which carries twice the rounding of a².
    let (s, t) = SigmoidRule.both(2 * x)
    return Slope(value: 4 * s * t, terms: 2 * (s - t) * (s - t))
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    let (s, t) = SigmoidRule.both(2 * x)
    return -8 * (s - t) * s * t
  }

  package static func series(_ x: Double) -> SIMD8<Double>? {
    SigmoidRule.series(2 * x).map { [4, 8, 16, 32, 64, 0, 0, 0] * $0 }
  }
}
