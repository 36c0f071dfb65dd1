import RealModule

/// eˣ. Twin of kernels/analytic.cl.
package enum ExpRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "exp", files: ["small.cl", "analytic.cl"], coefficients: 1)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [Double.exp(x), 0, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    c[0] * T.expMinusOne(d)
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.exp(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: Double.exp(x), terms: Double.exp(x))
  }
}

/// log x. Twin of kernels/analytic.cl.
package enum LogRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "log", files: ["small.cl", "analytic.cl"], coefficients: 1)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x, 0, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.log(onePlus: d / c[0])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.log(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: 1 / x, terms: 1 / x)
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    -1 / (x * x)
  }
}

/// √x: d/(√x + √(x + d)). Twin of kernels/analytic.cl.
package enum SquareRootRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "square_root", files: ["small.cl", "analytic.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x, x.squareRoot(), 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    d == 0 ? 0 : d / (c[1] + (c[0] + d).squareRoot())
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    x.squareRoot()
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: 0.5 / x.squareRoot(), terms: 0.5 / x.squareRoot())
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    -0.25 / (x * x.squareRoot())
  }
}

/// 1/x: −d/(x·(x + d)). Twin of kernels/analytic.cl.
package enum ReciprocalRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "reciprocal", files: ["small.cl", "analytic.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x, 1 / x, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    -d * c[1] / (c[0] + d)
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    1 / x
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: -1 / (x * x), terms: 1 / (x * x))
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    2 / (x * x * x)
  }
}

/// erf(x) = 2Φ(√2·x) − 1. Twin of kernels/gelu.cl.
package enum ErfRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "erf", files: ["small.cl", "sigmoid.cl", "gelu.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let scaled = x * 2.0.squareRoot()
    return [scaled, GELURule.density(scaled), 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    2 * GELURule.step(d * T(2).squareRoot(), c[0], c[1])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.erf(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let slope = 2 / Double.pi.squareRoot() * Double.exp(-x * x)
    return Slope(value: slope, terms: slope * (1 + x * x))
  }
}

/// sin x: 2 sin(d/2)·cos(x + d/2), the second factor by the addition theorem. Twin of
/// kernels/analytic.cl.
package enum SineRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "sine", files: ["small.cl", "analytic.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [Double.sin(x), Double.cos(x), 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let half = T.sin(d / 2)
    return 2 * half * (c[1] * T.cos(d / 2) - c[0] * half)
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.sin(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: Double.cos(x), terms: Double.cos(x))
  }
}

/// cos x: −2 sin(d/2)·sin(x + d/2). Twin of kernels/analytic.cl.
package enum CosineRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "cosine", files: ["small.cl", "analytic.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [Double.sin(x), Double.cos(x), 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let half = T.sin(d / 2)
    return -2 * half * (c[0] * T.cos(d / 2) + c[1] * half)
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    T.cos(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: -Double.sin(x), terms: Double.sin(x))
  }
}
