import RealModule

/// x·σ(x). Twin of kernels/silu.cl.
package enum SiLURule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "silu", files: ["small.cl", "sigmoid.cl", "silu.cl"], coefficients: 3)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let (s, t) = SigmoidRule.both(x)
    return [x, s, t, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    d * c[1] + (c[0] + d) * SigmoidRule.step(d, c[1], c[2])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    x * SigmoidRule.of(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let (s, t) = SigmoidRule.both(x)
    return Slope(value: s * (1 + x * t), terms: s * (1 + x.magnitude))
  }
}
