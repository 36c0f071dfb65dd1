import Kernels

/// What a comparison found: what `gpucheck.compare/1` writes.
public struct Comparison: Sendable {
  /// J(θ) in double on the host.
  public var cost: Double
  /// θ's tensors.
  public var layout: ParameterLayout
  /// The components that were compared: positions in θ, ascending.
  public var components: [Int]
  public var scheme: Scheme
  /// The step of all runs.
  public var epsilon: Double
  /// In the order in which they were named.
  public var devices: [ComparedDevice]
  public var runs: [ComparisonRun]
  /// The run that the others are shown against.
  public var reference: Int
  /// Every two runs.
  public var pairs: [PairDifference]
  /// Every run against the textbook, in the order of the runs.
  public var textbook: [PairDifference]
  /// Whether dθ was given, so that verdicts are those of whole checks.
  public var hasGradient: Bool
  /// The components that crossed or stand on a kink in some runs but not in all.
  public var uncommonKinks: [Int]
  /// How many of the worst components reports list.
  public var top: Int
  /// Lines worth knowing.
  public var warnings: [String] = []
  public var seconds = 0.0

  /// How it ended.
  public enum Outcome: String, Sendable, CaseIterable {
    /// All runs and the textbook agree within their bars, and no verdict differs.
    case agree
    /// Some do not.
    case differ
    /// They would agree whatever they computed: bars are too wide to tell.
    case undecidable
  }

  /// A difference is one, however wide other bars are.
  public var outcome: Outcome {
    if outside > 0 || verdictsDiffer { return .differ }
    let isDecided = runs.allSatisfy { $0.isDecidable && $0.verdict != .undecidable }
    return isDecided ? .agree : .undecidable
  }

  /// Components outside their bars, over all pairs and the textbook.
  public var outside: Int { (pairs + textbook).reduce(0) { $0 + $1.outside } }

  /// Whether one run passes what another fails. Those that cannot tell do not count.
  public var verdictsDiffer: Bool {
    Set(runs.filter { $0.verdict != .undecidable }.map(\.passed)).count > 1
  }

  /// The components farthest outside the bars of any two, worst first.
  public var worst: [(pair: PairDifference, component: ComponentDifference)] {
    let all = (pairs + textbook).flatMap { pair in pair.worst.map { (pair: pair, component: $0) } }
    return Array(all.sorted { $0.component.excess > $1.component.excess }.prefix(top))
  }

  /// Two runs held against each other, in either order; nil for a run and itself.
  public func pair(_ a: Int, _ b: Int) -> PairDifference? {
    pairs.first { $0.first == min(a, b) && $0.second == max(a, b) }
  }
}
