/// A family of element functions: the difference rule, exact for every size of step, and what the
/// error bars need. x is the element at θ, y the constant second operand (0 where there is none),
/// a the function's attributes.
package protocol ElementRule: Sendable {
  /// The family's kernel functions, `NAME_difference` and `NAME_value`, and the files they are in.
  static var kernel: ElementKernel { get }

  /// The coefficients of the rule, from the baseline in double.
  static func coefficients(_ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double)
    -> SIMD4<Double>

  /// f(x + d) − f(x), without cancellation.
  static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T

  /// The difference of eight lanes, each as it would be alone; nil where they are to go one by one: where
  /// one meets a kink, and of functions that have no better way.
  static func difference<T: LaneReal>(_ d: LaneVector<T>, _ c: SIMD4<T>, _ a: SIMD4<T>)
    -> LaneVector<T>?

  /// f(x) with the coefficients of the baseline (of which it uses y).
  static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T

  /// f′(x) and the size of the terms it is usually formed from, whose rounding it inherits.
  static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope

  /// f″(x), for how an error of x reaches f′.
  static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double

  /// The terms c₁ to c₅ of f(x + d) − f(x) = Σ cₙ·dⁿ, whose rest is below half a unit in the last place
  /// for small steps (kernels/small.cl), and then zeros; nil for functions of which that is not known.
  static func series(_ x: Double) -> SIMD8<Double>?

  /// By its coefficients: the slope about x of a function that is straight on both sides of a kink, and how
  /// far x may move up to the kink, not at all where it is tied; nil for other functions.
  static func piece(_ c: SIMD4<Double>, _ a: SIMD4<Double>) -> (slope: Double, gap: Double)?
}

/// A derivative and the size of the terms that were summed to form it.
package struct Slope: Sendable {
  package var value: Double
  package var terms: Double
}

extension ElementRule {
  /// From the slope, by a central difference: good for every smooth function.
  package static func curvature(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Double {
    let h = 1e-5
    return (slope(x + h, y, a).value - slope(x - h, y, a).value) / (2 * h)
  }

  @inline(__always)
  package static func difference<T: LaneReal>(_ d: LaneVector<T>, _ c: SIMD4<T>, _ a: SIMD4<T>)
    -> LaneVector<T>?
  { nil }

  package static func series(_ x: Double) -> SIMD8<Double>? { nil }
  package static func piece(_ c: SIMD4<Double>, _ a: SIMD4<Double>) -> (slope: Double, gap: Double)?
  {
    nil
  }
}

/// Where an element family's kernel text is.
package struct ElementKernel: Sendable {
  /// The prefix of the two rule functions.
  package var rule: String
  /// The .cl files with the rules, in order.
  package var files: [String]
  /// How many coefficients the rule reads.
  package var coefficients: Int
  /// Whether the rules report kinks.
  package var kinks = false

  /// The rule function's name in OpenCL C.
  package func function(_ mode: LaneMode) -> String { "\(rule)_\(mode.rawValue)" }
}
