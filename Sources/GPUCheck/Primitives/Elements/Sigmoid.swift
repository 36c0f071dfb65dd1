import RealModule

/// σ(x) = 1/(1 + e⁻ˣ). Twin of kernels/sigmoid.cl.
package enum SigmoidRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "sigmoid", files: ["small.cl", "sigmoid.cl"], coefficients: 2)

  /// σ(x) with full relative accuracy on both sides; σ(−x) is 1 − σ(x) without cancellation.
  @inline(__always)
  package static func of<T: LaneReal>(_ x: T) -> T { 1 / (1 + T.exp(-x)) }

  /// σ(x) and σ(−x), both with full relative accuracy.
  @inline(__always)
  package static func both(_ x: Double) -> (s: Double, t: Double) {
    let e = Double.exp(-x.magnitude)
    let (large, small) = (1 / (1 + e), e / (1 + e))
    return x < 0 ? (small, large) : (large, small)
  }

  /// σ(x + d) − σ(x) from s = σ(x) and t = σ(−x): s·t·expm1(d) / (1 + s·expm1(d)); beyond small
  /// steps with the signs so chosen that every term is positive and nothing overflows.
  @inline(__always)
  package static func step<T: LaneReal>(_ d: T, _ s: T, _ t: T) -> T {
    if d.magnitude <= T.smallStep {
      let e = SmallStep.expMinusOne(d)
      return s * t * e / (1 + s * e)
    }
    let a = -d.magnitude
    let (q, r) = d >= 0 ? (s, t) : (t, s)
    let size = s * t * -T.expMinusOne(a) / (q + r * T.exp(a))
    return d >= 0 ? size : -size
  }

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let (s, t) = both(x)
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
    // Usually formed as s·(1 − s), whose second factor carries the rounding of s.
    let (s, t) = both(x)
    return Slope(value: s * t, terms: s)
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    let (s, t) = both(x)
    return s * t * (t - s)
  }

  /// From σ′ = σ − σ²: (n + 1)·c_{n+1} = c_n·(t − s) − Σ_{0<i<n} c_i·c_{n−i}, c₁ = s·t.
  package static func series(_ x: Double) -> SIMD8<Double>? {
    let (s, t) = both(x)
    let (c1, d) = (s * t, t - s)
    let c2 = c1 * d / 2
    let c3 = (c2 * d - c1 * c1) / 3
    let c4 = (c3 * d - 2 * c1 * c2) / 4
    let c5 = (c4 * d - (2 * c1 * c3 + c2 * c2)) / 5
    return [c1, c2, c3, c4, c5, 0, 0, 0]
  }
}
