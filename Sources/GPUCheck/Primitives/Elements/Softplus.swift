import RealModule

/// softplus(x) = log(1 + eˣ). Twin of kernels/softplus.cl.
package enum SoftplusRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "softplus", files: ["small.cl", "softplus.cl"], coefficients: 2)

  @inline(__always)
  package static func of<T: LaneReal>(_ x: T) -> T {
    T.maximum(x, 0) + T.log(onePlus: T.exp(-x.magnitude))
  }

  /// softplus(x + d) − softplus(x) from s = σ(x) and t = σ(−x).
  @inline(__always)
  package static func step<T: LaneReal>(_ d: T, _ s: T, _ t: T) -> T {
    if d > 80 { return d + T.log(s + t * T.exp(-d)) }
    let u = s * T.expMinusOne(d)
    return u > -0.5 ? T.log(onePlus: u) : T.log(t + s * T.exp(d))
  }

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let (s, t) = SigmoidRule.both(x)
    return [s, t, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    step(d, c[0], c[1])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    of(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: SigmoidRule.of(x), terms: SigmoidRule.of(x))
  }
}

/// y·softplus(−x) + (1 − y)·softplus(x), the binary cross-entropy of a logit: no two terms cancel
/// where y is 0 or 1. Twin of kernels/softplus.cl.
package enum LogisticCostRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "logistic_cost", files: ["small.cl", "softplus.cl"], coefficients: 3)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let (s, t) = SigmoidRule.both(x)
    return [s, t, y, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    c[2] * SoftplusRule.step(-d, c[1], c[0]) + (1 - c[2]) * SoftplusRule.step(d, c[0], c[1])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    c[2] * SoftplusRule.of(-x) + (1 - c[2]) * SoftplusRule.of(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let (s, t) = SigmoidRule.both(x)
    return Slope(value: s * (1 - y) - y * t, terms: Double.sqrt(s * s + y * y))
  }
}
