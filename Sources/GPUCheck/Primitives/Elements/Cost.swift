import RealModule

/// (x − y)²; the square of x where y is 0. Twin of kernels/cost.cl.
package enum SquareRule: ElementRule {
  package static let kernel = ElementKernel(rule: "square", files: ["cost.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x - y, y, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    d * (2 * c[0] + d)
  }

  @inline(__always)
  package static func difference<T: LaneReal>(_ d: LaneVector<T>, _ c: SIMD4<T>, _ a: SIMD4<T>)
    -> LaneVector<T>?
  { d * (2 * c[0] + d) }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    (x - c[1]) * (x - c[1])
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: 2 * (x - y), terms: 2 * (x - y).magnitude)
  }
}

/// x·y, y constant: a dropout mask. Twin of kernels/cost.cl.
package enum MultiplyRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "multiply", files: ["cost.cl"], coefficients: 1)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [y, 0, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    d * c[0]
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    x * c[0]
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: y, terms: y.magnitude)
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double { 0 }
}

/// Huber of r = x − y: r²/2 within δ, δ(|r| − δ/2) beyond. The step is cut at −δ and +δ, each part
/// exact on its own piece. Attribute: δ. Twin of kernels/cost.cl.
package enum HuberRule: ElementRule {
  package static let kernel = ElementKernel(rule: "huber", files: ["cost.cl"], coefficients: 2)

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x - y, y, 0, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let r = c[0]
    let (low, high) = (-a[0] - r, a[0] - r)
    let from = T.minimum(T.maximum(0, low), high)
    let to = T.minimum(T.maximum(d, low), high)
    let above = T.maximum(d, high) - T.maximum(0, high)
    let below = T.minimum(d, low) - T.minimum(0, low)
    return (to - from) * (r + (from + to) / 2) + a[0] * (above - below)
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let r = (x - c[1]).magnitude
    return r <= a[0] ? r * r / 2 : a[0] * (r - a[0] / 2)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let slope = max(-a[0], min(a[0], x - y))
    return Slope(value: slope, terms: slope.magnitude)
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    (x - y).magnitude <= a[0] ? 1 : 0
  }
}

/// −y·log p − (1 − y)·log(1 − p). Twin of kernels/cost.cl.
package enum BinaryCrossEntropyRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "binary_cross_entropy", files: ["cost.cl"], coefficients: 3)

  package static func coefficients(
    _ p: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [y > 0 ? 1 / p : 0, y < 1 ? 1 / (1 - p) : 0, y, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    -c[2] * T.log(onePlus: d * c[0]) - (1 - c[2]) * T.log(onePlus: -d * c[1])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ p: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let yes = c[2] > 0 ? -c[2] * T.log(p) : 0
    let no = c[2] < 1 ? -(1 - c[2]) * T.log(onePlus: -p) : 0
    return yes + no
  }

  package static func slope(_ p: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let yes = y > 0 ? y / p : 0
    let no = y < 1 ? (1 - y) / (1 - p) : 0
    return Slope(value: no - yes, terms: Double.sqrt(yes * yes + no * no))
  }

  package static func curvature(_ p: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    (y > 0 ? y / (p * p) : 0) + (y < 1 ? (1 - y) / ((1 - p) * (1 - p)) : 0)
  }
}
