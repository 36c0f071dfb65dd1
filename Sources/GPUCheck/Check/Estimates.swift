/// What is known of every checked component so far, as parallel arrays over `components`.
struct Estimates {
  /// Positions in θ, ascending.
  let components: [Int]
  /// dθ_approx.
  var numeric: [Double]
  /// What is left of the truncation error of `numeric`.
  var truncation: [Double]
  /// The standard rounding error of `numeric`.
  var rounding: [Double]
  /// The step whose difference `numeric` is, and which difference.
  var epsilon: [Double]
  var scheme: [Scheme]
  /// |ΔJ⁺ + ΔJ⁻| / ε, the size of the second difference (central scheme).
  var bend: [Double]
  /// Lanes met a kink at the first step.
  var flags: [LaneFlags]
  /// At a tie, the slopes between which dθ is accepted; elsewhere `numeric` alone.
  var slopes: [Int: ClosedRange<Double>] = [:]

  init(_ components: [Int], scheme: Scheme) {
    self.components = components
    numeric = [Double](repeating: .nan, count: components.count)
    truncation = [Double](repeating: 0, count: components.count)
    rounding = truncation
    epsilon = truncation
    self.scheme = [Scheme](repeating: scheme, count: components.count)
    bend = truncation
    flags = [LaneFlags](repeating: [], count: components.count)
  }

  var count: Int { components.count }
}
