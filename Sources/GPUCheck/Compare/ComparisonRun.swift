import Kernels

/// A device of a comparison.
public struct ComparedDevice: Sendable {
  /// Its name, platform and driver.
  public var name: String
  /// What it says of itself and what its self-test found; nil for the host's CPU.
  package var tested: TestedDevice?
}

/// One evaluation of dθ_approx: a device, a precision and an evaluator.
public struct ComparisonRun: Sendable {
  /// Its place among the comparison's devices.
  public var device: Int
  public var evaluator: Evaluator
  package var precision: Precision
  /// J(θ) as the device computes it at this precision.
  public var cost: Double
  /// dθ_approx, `[compared]`.
  public var numeric: [Double]
  /// How far rounding may have moved each of them, `[compared]`.
  public var bars: [Double]
  /// Which kinks the lanes of each met, `[compared]`; where costs are subtracted none is seen.
  package var flags: [LaneFlags]
  /// Spent evaluating.
  public var seconds: Double
  /// The distance that errors as large as the bars alone would make.
  public var noiseFloor = 0.0
  /// Whether the bars are narrow enough to tell anything.
  public var isDecidable = true
  /// What this run says of a gradient: of dθ where it was given, by a whole check; else of its own
  /// dθ_approx, held to the reference's.
  public var verdict = Verdict.right
  public var passed = true
  /// The distance to dθ, where it was given.
  public var distanceToGradient: Double?

  /// Whether lanes tell of kinks.
  public var seesKinks: Bool { evaluator == .difference }

  /// Components that stand on a kink.
  public var tied: Int { flags.filter { $0.contains(.tied) }.count }

  /// Components whose step crossed one, and that do not stand on one.
  public var crossed: Int { flags.filter { $0.contains(.crossed) && !$0.contains(.tied) }.count }
}
