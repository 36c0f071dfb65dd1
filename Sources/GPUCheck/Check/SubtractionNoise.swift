import Kernels

/// What is left of the rounding of two costs in their difference quotient.
enum SubtractionNoise {
  /// The standard error of differences with the full step, from how much halving it changed each of
  /// them. In units of one cost's error over ε the full step has a variance of 1/2 (central) or 2,
  /// the change 5/2 or 6. The median is not moved by kinks; what is not finite says nothing.
  static func standardError(ofHalving changes: [Double], _ scheme: Scheme) -> Double {
    let sizes = changes.map(\.magnitude).filter(\.isFinite).sorted()
    guard !sizes.isEmpty else { return 0 }
    return sizes[sizes.count / 2] / 0.6745 / (scheme == .central ? 5 : 3).squareRoot()
  }

  /// The same times the step, from the standard error of one cost: of two in their difference over 2ε
  /// (central) or ε.
  static func standardError(ofCost deviation: Double, _ scheme: Scheme) -> Double {
    deviation * (scheme == .central ? 0.5 : 2).squareRoot()
  }

  /// The same times the step, where nothing but J itself is rounded: it cannot be less.
  static func least(cost: Double, _ precision: Precision) -> Double {
    precision.unitRoundoff * cost.magnitude * (unitVariance / 2).squareRoot()
  }
}
