import RealModule

/// Functions that are constant but for jumps: the sign, the integers around x, x ≠ 0. Between the
/// jumps next to x nothing changes; a step over one is a branch that changed. Attribute: which.
/// Twin of kernels/step.cl.
package enum StepRule: ElementRule {
  /// What a member of the family is told by its attribute.
  package enum Kind: Double, Sendable {
    case sign = 0
    case floor = 1
    case ceiling = 2
    case round = 3
    case isNonZero = 4
  }

  package static let kernel = ElementKernel(
    rule: "step", files: ["step.cl"], coefficients: 4, kinks: true)

  @inline(__always)
  private static func of<T: LaneReal>(_ x: T, _ kind: T) -> T {
    if kind == 0 { return x > 0 ? 1 : x < 0 ? -1 : x }
    if kind == 1 { return x.rounded(.down) }
    if kind == 2 { return x.rounded(.up) }
    if kind == 3 { return x.rounded(.toNearestOrEven) }
    return x != 0 ? 1 : 0
  }

  /// x, f(x), and how far x may move down and up before f jumps.
  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let own = of(x, a[0])
    switch Kind(rawValue: a[0]) {
    case .floor: return [x, own, own - x, own + 1 - x]
    case .ceiling: return [x, own, own - 1 - x, own - x]
    case .round: return [x, own, own - 0.5 - x, own + 0.5 - x]
    case .sign, .isNonZero, nil:
      return [x, own, x > 0 ? -x : x < 0 ? -.infinity : 0, x < 0 ? -x : x > 0 ? .infinity : 0]
    }
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    if d == 0 || (d > c[2] && d < c[3]) { return 0 }
    let change = of(c[0] + d, a[0]) - c[1]
    if change != 0 { kinks.flags |= LaneFlags.crossed.rawValue }
    return change
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let own = of(x, a[0])
    if own != c[1] { kinks.flags |= LaneFlags.crossed.rawValue }
    return own
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    Slope(value: 0, terms: 0)
  }

  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double { 0 }
}
