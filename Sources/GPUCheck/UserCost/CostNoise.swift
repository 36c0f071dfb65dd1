import Kernels
import RealModule

/// How much of a cost is noise, and the step that suits it.
package struct CostNoise: Sendable, Equatable {
  /// The standard error of one cost.
  package let deviation: Double
  /// The step that makes truncation and noise together least.
  package let step: Double
  /// The median size of a component of the gradient, not at θ but some way off: where θ is a minimum
  /// it tells what a zero is to be held to.
  package let slope: Double

  /// Components that are asked.
  static let components = 12

  /// Measures both on some components of θ, a few dozen costs in all.
  ///
  /// The noise is the median of what `ofDifferences` finds in each component, and no less than the
  /// rounding of J itself, u·|J|/√3, nor than `known`. With σ the noise and M the median size of the
  /// derivative that truncation begins with, measured by differences with a step of
  /// (σ/|J|)^{1/5}·max(1, |θ_i|), the step is
  ///
  ///     (3σ / √2·|J‴|)^{1/3}    central: least of |J‴|ε²/6 + σ/(√2·ε)
  ///     (8^{1/2}·σ / |J″|)^{1/2}    one-sided: least of |J″|ε/2 + √2·σ/ε (Moré and Wild 2012,
  ///                              Estimating derivatives of noisy simulations, section 3)
  ///
  /// between u^{2/3}, or what θ and u allow, and 1/10.
  ///
  /// - Parameter known: the standard error of one cost as repeating it tells; 0 where it is always the
  ///   same.
  package init(
    _ source: Perturbation, components: [Int], scheme: Scheme, known: Double,
    advance: (Int) throws -> Void
  ) throws {
    let u = source.precision.unitRoundoff
    var found: [Double] = []
    var scale = source.cost.magnitude
    for i in components {
      let (noise, largest) = try Self.noise(at: i, source)
      if largest.isFinite { scale = max(scale, largest) }
      if let noise { found.append(noise) }
      try advance(1)
    }
    let rounding = u * scale * unitVariance.squareRoot()
    let deviation = max(found.median ?? 0, rounding, known)
    self.deviation = deviation
    let size = components.reduce(0) { max($0, source.theta[$1].magnitude) }
    let least = max(Double.pow(u, 2.0 / 3), 64 * u * size)
    let wide = min(0.1, scale > 0 ? Double.pow(deviation / scale, 0.2) : 0.1)
    let (derivative, slope) = try Self.derivatives(
      source, components, scheme, step: max(wide, least), noise: deviation, advance: advance)
    self.slope = slope
    let best =
      scheme == .central
      ? Double.pow(3 * deviation / (2.0.squareRoot() * derivative), 1.0 / 3)
      : (8.0.squareRoot() * deviation / derivative).squareRoot()
    step = Self.shortened(max(least, best.isFinite ? min(best, 0.1) : wide))
  }

  /// The next larger number of two digits: nothing is known more exactly of a step.
  private static func shortened(_ step: Double) -> Double {
    let unit = Double.pow(10, Double.log10(step).rounded(.down) - 1)
    let digits = (step / unit).rounded(.up)
    // Through text, which gives the double nearest to the decimal number.
    return Double("\(Int(digits))e\(Int(Double.log10(unit).rounded()))") ?? step
  }

  // MARK: Noise

  /// Steps of a row of costs, beside θ itself.
  private static let row = 8

  /// The noise along one component, and the largest change of J that was met.
  private static func noise(
    at component: Int, _ source: Perturbation
  ) throws -> (noise: Double?, largest: Double) {
    let u = source.precision.unitRoundoff
    let size = source.theta[component].magnitude
    var spacing = max(1, size) * Double.pow(u, 0.45)
    var largest = 0.0
    for _ in 0..<3 {
      let steps = (1...row).map { Double($0) * spacing }
      let changes = try source.changes(of: [component], .same(steps))[0].map(\.value)
      guard changes.allSatisfy(\.isFinite) else { return (nil, largest) }
      largest = changes.reduce(largest) { max($0, $1.magnitude) }
      switch ofDifferences([0] + changes) {
      case .noise(let deviation): return (deviation, largest)
      case .tooClose: spacing *= 100
      case .tooWide: spacing = max(spacing / 100, 8 * u * size)
      }
    }
    return (nil, largest)
  }

  /// What a row of costs at equal distances tells.
  package enum Finding: Sendable, Equatable {
    /// The standard deviation of the noise.
    case noise(Double)
    /// The costs hardly differ.
    case tooClose
    /// They differ by more than noise.
    case tooWide
  }

  /// The noise of a row of costs, from its table of differences: the k-th differences of a smooth
  /// function vanish as the distance to the power k, those of noise have a variance of (2k)!/(k!)²
  /// times its own. The first of three levels in a row that agree is taken, where its differences
  /// change their sign (Moré and Wild 2011, Estimating computational noise, SIAM J. Sci. Comput. 33).
  package static func ofDifferences(_ costs: [Double]) -> Finding {
    var differences = costs
    var factor = 1.0
    var levels: [(deviation: Double, changesSign: Bool)] = []
    for k in 1..<max(costs.count, 1) {
      differences = zip(differences.dropFirst(), differences).map { $0 - $1 }
      if k == 1, 2 * differences.count(where: { $0 == 0 }) >= differences.count { return .tooClose }
      factor *= Double(k) / Double(2 * (2 * k - 1))
      let square = differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)
      levels.append(
        (
          (factor * square).squareRoot(),
          differences.contains { $0 < 0 } && differences.contains { $0 > 0 }
        ))
    }
    for k in levels.indices.dropLast(2) where levels[k].changesSign {
      let three = levels[k...k + 2].map(\.deviation)
      if let least = three.min(), let most = three.max(), most <= 4 * least {
        return .noise(levels[k].deviation)
      }
    }
    return .tooWide
  }

  // MARK: Derivatives

  /// The median size of the third derivative (central) or the second, over components that move J;
  /// where noise hides it, what the noise would let it be. The median slope beside it.
  private static func derivatives(
    _ source: Perturbation, _ components: [Int], _ scheme: Scheme, step: Double, noise: Double,
    advance: (Int) throws -> Void
  ) throws -> (size: Double, slope: Double) {
    var sizes: [Double] = []
    var slopes: [Double] = []
    for i in components {
      let h = step * max(1, source.theta[i].magnitude)
      let changes = try source.changes(of: [i], .same([2 * h, h, -h, -2 * h]))[0].map(\.value)
      try advance(1)
      guard changes.contains(where: { $0 != 0 }) else { continue }
      let (found, error) =
        scheme == .central
        ? (
          (changes[0] - changes[3] - 2 * (changes[1] - changes[2])) / (2 * h * h * h),
          noise * 10.0.squareRoot() / (2 * h * h * h)
        ) : ((changes[1] + changes[2]) / (h * h), noise * 6.0.squareRoot() / (h * h))
      guard found.isFinite else { continue }
      sizes.append(max(found.magnitude, error))
      slopes.append(max(changes[0].magnitude, changes[3].magnitude) / (2 * h))
    }
    return (sizes.median ?? 0, slopes.median ?? 0)
  }
}

extension [Double] {
  /// The middle one, the larger of two; nil of none.
  fileprivate var median: Double? { isEmpty ? nil : sorted()[count / 2] }
}
