/// What is known of every checked component so far, as parallel arrays over `components`.
struct Estimates {
  /// Positions in θ, ascending.
  private(set) var components: [Int]
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
    // Arrays of their own: one that is shared at first is copied when it is written.
    numeric = [Double](repeating: .nan, count: components.count)
    truncation = [Double](repeating: 0, count: components.count)
    rounding = [Double](repeating: 0, count: components.count)
    epsilon = [Double](repeating: 0, count: components.count)
    self.scheme = [Scheme](repeating: scheme, count: components.count)
    bend = [Double](repeating: 0, count: components.count)
    flags = [LaneFlags](repeating: [], count: components.count)
  }

  var count: Int { components.count }

  /// Gives away what the first differences write, whose places are empty until they are put back.
  mutating func takeFirst() -> (numeric: [Double], bend: [Double], flags: [LaneFlags]) {
    defer { (numeric, bend, flags) = ([], [], []) }
    return (numeric, bend, flags)
  }

  /// Says of every component with which step it was taken, and what that left of rounding.
  mutating func note(step: Double, rounding error: (_ component: Int) -> Double) {
    for i in epsilon.indices {
      epsilon[i] = step
      rounding[i] = error(components[i])
    }
  }

  /// Puts back what was known of a component.
  mutating func restore(_ i: Int, from other: Estimates) {
    numeric[i] = other.numeric[i]
    truncation[i] = other.truncation[i]
    rounding[i] = other.rounding[i]
    epsilon[i] = other.epsilon[i]
    scheme[i] = other.scheme[i]
  }

  /// Takes away the components whose lanes were lost, and returns them.
  mutating func removeLost() -> [Int] {
    guard flags.contains(where: { $0.contains(.lost) }) else { return [] }
    let kept = flags.indices.filter { !flags[$0].contains(.lost) }
    let lost = flags.indices.filter { flags[$0].contains(.lost) }.map { components[$0] }
    let places = Dictionary(uniqueKeysWithValues: zip(kept, kept.indices))
    slopes = Dictionary(
      uniqueKeysWithValues: slopes.compactMap { entry in places[entry.key].map { ($0, entry.value) }
      })
    components = kept.map { components[$0] }
    numeric = kept.map { numeric[$0] }
    truncation = kept.map { truncation[$0] }
    rounding = kept.map { rounding[$0] }
    epsilon = kept.map { epsilon[$0] }
    scheme = kept.map { scheme[$0] }
    bend = kept.map { bend[$0] }
    flags = kept.map { flags[$0] }
    return lost
  }
}
