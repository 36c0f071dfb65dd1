import Kernels

/// How J is evaluated at θ ± ε.
public enum Evaluator: String, Sendable, CaseIterable {
  /// Exact differences against one baseline: the default.
  case difference
  /// J(θ + ε) and J(θ − ε) themselves, at the lanes' precision, then subtracted.
  case direct
  /// Plain loops in double on the CPU: the judge of the other two.
  case textbook

  /// What its lanes carry.
  package var mode: LaneMode { self == .difference ? .difference : .value }
}

/// The precision lanes are computed in.
public enum PrecisionChoice: String, Sendable, CaseIterable {
  /// f64 where the device has double, else f32.
  case auto
  case f32, f64
}

/// Which differences approximate the derivative.
public enum Scheme: String, Sendable, CaseIterable {
  /// (J(θ + ε) − J(θ − ε)) / 2ε, error O(ε²).
  case central
  /// (J(θ + ε) − J(θ)) / ε, error O(ε).
  case forward
  /// (J(θ) − J(θ − ε)) / ε, error O(ε).
  case backward
}

/// The cost that the user's own code gives, with the digits it was written with.
public struct ExpectedCost: Sendable, Equatable {
  public var value: Double
  /// Half a unit of the last digit written: 0.005 for "2.27"; 0 where that is not known.
  public var halfUnit: Double

  public init(_ value: Double, halfUnit: Double = 0) {
    self.value = value
    self.halfUnit = halfUnit
  }

  /// Reads a decimal number; nil where it is none or not finite.
  public init?(_ text: String) {
    guard let value = Double(text), value.isFinite else { return nil }
    let lower = text.lowercased().split(separator: "e", maxSplits: 1)
    let exponent = lower.count > 1 ? Int(lower[1]) ?? 0 : 0
    let decimals = (lower.first ?? "").split(separator: ".", omittingEmptySubsequences: false)
    let digits = decimals.count > 1 ? decimals[1].count : 0
    self.init(value, halfUnit: 0.5 * ExpectedCost.power(exponent - digits))
  }

  private static func power(_ exponent: Int) -> Double {
    Double("1e\(exponent)") ?? 0
  }

  /// Whether a cost agrees: to 1e-5 relative, or to the digits given where those are fewer.
  public func agrees(with cost: Double) -> Bool {
    (cost - value).magnitude <= max(1e-5 * max(cost.magnitude, value.magnitude), halfUnit)
  }
}

/// What a check is asked to do.
public struct CheckOptions: Sendable {
  public var evaluator = Evaluator.difference
  public var precision = PrecisionChoice.auto
  public var scheme = Scheme.central
  /// Whether the weights of a dense layer are not moved one by one: the cost is evaluated as a function
  /// of each unit's pre-activation and each sample, from which all of them follow.
  public var isPerUnit = false
  /// The step; nil for the rule of `StepSize.automatic`.
  public var epsilon: Double?
  /// How many components to check, drawn evenly from all tensors; nil for all.
  public var sample: Int?
  /// How many directions to check each tensor along in the place of its components; nil for
  /// components.
  public var directions: Int?
  /// The seed of everything that is drawn.
  public var seed: UInt64 = 0
  /// The distance up to which a check may pass.
  public var tolerance = 1e-5
  public var expectedCost: ExpectedCost?
  /// How many of the worst components to list.
  public var top = 10
  /// How often a cost that is the user's own code is asked for each of its values, whose mean is taken:
  /// more than once where it is random. Networks are never asked twice.
  public var average = 1
  /// Seconds that a check may take: one that would take longer, by the pace of its first lanes, ends
  /// with an `InputError` that says what to do instead; nil where any time may be taken.
  public var budget: Double?
  /// A file that results are kept in as they come: the same check goes on from there.
  public var journal: String?

  public init() {}
}

/// How far a check is.
public struct CheckProgress: Sendable {
  /// What is being done: "evaluating", "second step", "kinks", "textbook".
  public var stage: String
  /// Components done in this stage, and in all of it.
  public var done: Int
  public var total: Int
  /// Since the check began.
  public var seconds: Double
}
