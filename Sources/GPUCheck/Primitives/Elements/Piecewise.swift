import RealModule

/// The part of a step d from m that lies right, and the part that lies left of a kink at 0: exact.
@inline(__always)
package func splitAtKink<T: LaneReal>(_ d: T, _ m: T) -> (left: T, right: T) {
  (
    T.minimum(d, -m) - T.minimum(0, -m),
    T.maximum(d, -m) - T.maximum(0, -m)
  )
}

/// Straight on both sides of a kink at m = 0, m = offset + scale·x: ReLU, leaky ReLU, |x|
/// (scale 1), hinge (offset margin, scale −y). Attributes: slope left, slope right, offset, and 1
/// where the scale is −y. Twin of kernels/piecewise.cl.
package enum StraightRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "straight", files: ["small.cl", "piecewise.cl"], coefficients: 3, kinks: true)

  private static func scale(_ y: Double, _ a: SIMD4<Double>) -> Double { a[3] == 0 ? 1 : -y }

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let scale = scale(y, a)
    return [a[2] + scale * x, scale, scale.magnitude * tolerance, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let m = c[0]
    let step = c[1] * d
    guard step != 0 else { return 0 }
    kinks.note(m, m + step, c[2])
    if kinks.tiePolicy != .natural, m.magnitude <= c[2] {
      return step * (kinks.tiePolicy == .low ? a[0] : a[1])
    }
    let (left, right) = splitAtKink(step, m)
    return a[0] * left + a[1] * right
  }

  /// Where none comes to the kink it is a product with the slope there.
  @inline(__always)
  package static func difference<T: LaneReal>(_ d: LaneVector<T>, _ c: SIMD4<T>, _ a: SIMD4<T>)
    -> LaneVector<T>?
  {
    let m = c[0]
    let step = c[1] * d
    guard m.isFinite, m.magnitude > c[2], step.areSurelyBelow(m) else { return nil }
    // No -0, which the sum of both sides never is.
    return (m > 0 ? a[1] : a[0]) * step + LaneVector<T>()
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let moved = a[2] + c[1] * x
    if (moved - c[0]).magnitude > c[2] { kinks.note(c[0], moved, c[2]) }
    return moved > 0 ? a[1] * moved : a[0] * moved
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let scale = scale(y, a)
    let slope = scale * (a[2] + scale * x > 0 ? a[1] : a[0])
    return Slope(value: slope, terms: slope.magnitude)
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double { 0 }

  package static func piece(_ c: SIMD4<Double>, _ a: SIMD4<Double>) -> (slope: Double, gap: Double)?
  {
    let gap = c[0].magnitude <= c[2] ? 0 : c[0].magnitude / c[1].magnitude
    return (c[1] * (c[0] > 0 ? a[1] : a[0]), gap)
  }
}

/// ELU and SELU: A·(eˣ − 1) left of 0, straight on the right; a kink unless A is the slope.
/// Attributes: A, slope right, 1 where there is a kink. Twin of kernels/piecewise.cl.
package enum ExponentialRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "exponential", files: ["small.cl", "piecewise.cl"], coefficients: 3, kinks: true)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x, a[0] * Double.exp(min(x, 0)), tolerance, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let m = c[0]
    if a[2] != 0, d != 0 {
      kinks.note(m, m + d, c[2])
      if kinks.tiePolicy != .natural, m.magnitude <= c[2] {
        return d * (kinks.tiePolicy == .low ? a[0] : a[1])
      }
    }
    let (left, right) = splitAtKink(d, m)
    return c[1] * T.expMinusOne(left) + a[1] * right
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    if a[2] != 0, (x - c[0]).magnitude > c[2] { kinks.note(c[0], x, c[2]) }
    return x > 0 ? a[1] * x : a[0] * T.expMinusOne(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let slope = x > 0 ? a[1] : a[0] * Double.exp(x)
    // Usually formed as f(x) + A on the left.
    return Slope(value: slope, terms: x > 0 ? slope : a[0])
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    x > 0 ? 0 : a[0] * Double.exp(x)
  }
}
