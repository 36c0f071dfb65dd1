/// The result of a check: what `gpucheck.report/1` writes.
public struct CheckReport: Sendable {
  /// No component outside its bar, and relativeDifference ≤ max(tolerance, noiseFloor).
  public var passed: Bool
  public var verdict: Verdict
  /// ‖dθ_approx − dθ‖₂ / (‖dθ_approx‖₂ + ‖dθ‖₂) over the components that were checked.
  public var relativeDifference: Double
  /// The distance that errors within the bars alone can make.
  public var noiseFloor: Double
  /// J(θ).
  public var cost: Double
  /// Components of θ, and how many of them were checked.
  public var parameters: Int
  public var checked: Int
  public var evaluator: Evaluator
  /// "f32" or "f64".
  public var precision: String
  public var scheme: Scheme
  public var epsilon: Double
  /// Where the lanes ran.
  public var device: String
  /// What each device did of the work, the one that stepped in for others last.
  public var devices: [DeviceShare] = []
  /// The standard error of one cost as measured, where the cost is the user's own code.
  public var costNoise: Double?
  /// Components that could not be evaluated; they count as not checked.
  public var lost: [Lost] = []
  /// Perturbations that a journal knew from an earlier run.
  public var recalled = 0
  public var seconds: Seconds
  /// All of θ's tensors, in order.
  public var tensors: [TensorReport]
  /// The worst components of all tensors, worst first.
  public var worst: [ComponentReport]
  /// How many components lie outside their bars.
  public var wrong: Int
  public var kinks: Kinks
  public var textbookAgreement: TextbookAgreement
  /// What kind of bug it looks like, best first; empty for now.
  public var findings: [Finding]
  /// Lines worth knowing: what was assumed, what went another way than asked.
  public var warnings: [String]
  /// What was found along directions, where tensors were checked along them. Distances, bars and
  /// counts of what is wrong or met a kink are then those of slopes along directions.
  public var directional: DirectionalReport?
  /// Where the time went, where it was asked for.
  public var profile: Profile?
  /// dθ_approx and its error bars, `[parameters]`; NaN where a component was not checked, and empty
  /// where directions were.
  public var numeric: [Double]
  public var uncertainty: [Double]

  /// A device's part of the work.
  public struct DeviceShare: Sendable, Equatable {
    public var name: String
    /// Perturbations evaluated, those included that were evaluated again.
    public var lanes: Int
    /// Spent evaluating them.
    public var seconds: Double
  }

  /// Wall-clock seconds.
  public struct Seconds: Sendable, Equatable {
    /// Reading files.
    public var load = 0.0
    /// Opening the device and building kernels.
    public var setup = 0.0
    /// From the first work for this problem, baseline included, to dθ_approx on the host.
    public var evaluation = 0.0
    public var total = 0.0

    public init() {}
  }

  /// A component that could not be evaluated: the user's own code crashed or hung there.
  public struct Lost: Sendable, Equatable {
    public var tensor: String
    /// Position in the tensor: row, column.
    public var index: [Int]
    public var reason: String
  }

  /// Components whose lanes met a kink.
  public struct Kinks: Sendable, Equatable {
    /// A branch changed between −ε and +ε; these were tried again with a smaller step.
    public var crossed = 0
    /// A branch was undecided at θ; these are accepted between the one-sided slopes.
    public var tied = 0

    public init() {}
  }

  /// The components that the textbook evaluated again.
  public struct TextbookAgreement: Sendable, Equatable {
    public var components: Int
    /// The distance between the two evaluators over these components.
    public var relativeDifference: Double
    public var passed: Bool
  }
}

/// One tensor of θ.
public struct TensorReport: Sendable {
  public var name: String
  public var shape: [Int]
  /// Components checked.
  public var checked: Int
  /// Components outside their bars.
  public var wrong: Int
  public var relativeDifference: Double
  /// No component outside its bar.
  public var passed: Bool
  /// Components whose lanes met a kink.
  public var kinks: Int
  /// The component farthest outside (or nearest to the edge of) its bar; nil if none was checked.
  public var worst: ComponentReport?
}

/// One component of θ.
public struct ComponentReport: Sendable {
  public var tensor: String
  /// Position in the tensor: row, column.
  public var index: [Int]
  /// dθ.
  public var analytic: Double
  /// dθ_approx.
  public var numeric: Double
  /// The error bar: |analytic − numeric| beyond it is wrong.
  public var uncertainty: Double
  public var passed: Bool

  public var difference: Double { analytic - numeric }
}

/// A kind of bug that the differences look like.
public struct Finding: Sendable, Equatable {
  /// A stable name for programs.
  public var kind: String
  /// One sentence for people.
  public var text: String
  /// The tensors it concerns.
  public var tensors: [String]
}
