import Kernels

/// The seam between the check and whatever evaluates lanes: what is left of it knows nothing of
/// OpenCL, what is right of it nothing of file formats.
package protocol Backend: Sendable {
  /// For reports: the device, its platform and driver.
  var name: String { get }
  /// Whether lanes can be computed in f64.
  var supportsDouble: Bool { get }
  /// Whether lanes of exact differences take the moments of a baseline that has some.
  var takesMoments: Bool { get }
  /// What happened in `build` that a report must say.
  var notes: [String] { get }
  /// The OpenCL device, and what its self-test found; nil where there is none.
  var tested: TestedDevice? { get }
  /// Where its time went; nil where nobody asked.
  var profile: LaneProfile? { get }

  /// Builds what lanes of so many components through a graph need of the device, whatever θ is: set-up
  /// that is done once.
  func build(_ graph: Graph, mode: LaneMode, precision: Precision, components: Int) throws

  /// Gets everything ready that lanes in a mode and precision need of a baseline. An element nearer
  /// to a kink than rounding at `unitRoundoff` could have moved it counts as tied.
  func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator

  /// Compiles a cost that the user wrote in OpenCL C, whose lanes give J. Throws an `InputError` where
  /// there is nothing to compile it with, `CostBuildError` where it does not compile.
  func prepare(
    _ source: CostSource, at parameters: ParameterVector, precision: Precision
  ) throws -> any LaneEvaluator
}

extension Backend {
  package var takesMoments: Bool { false }
  package var notes: [String] { [] }
  package var tested: TestedDevice? { nil }
  package var profile: LaneProfile? { nil }

  package func prepare(
    _ source: CostSource, at parameters: ParameterVector, precision: Precision
  ) throws -> any LaneEvaluator {
    throw InputError(
      "a cost in OpenCL C needs an OpenCL device, and \(name) is none", file: source.file,
      remedy:
        "gpucheck devices lists what there is; PoCL makes a device of a CPU, or make the cost a "
        + "--library")
  }
}

/// What a device says of itself, and what its self-test found.
package struct TestedDevice: Sendable {
  package var description: DeviceDescription
  package var selfTests: [SelfTestResult]
}

/// Evaluates lanes against one baseline. `evaluate` may be called from one thread at a time, or from as many
/// as `batchesAtOnce` says.
package protocol LaneEvaluator: Sendable {
  var mode: LaneMode { get }
  var precision: Precision { get }
  /// How many lanes of a segment are best given at once.
  func wantedLanes(segment: Int) -> Int
  /// How many lanes take no longer than one.
  var laneUnit: Int { get }
  /// How many batches like this one keep all of it busy, taken at the same time.
  func batchesAtOnce(_ batch: LaneBatch) -> Int
  /// Whether so many as are wanted of a segment take some tenth of a second at most: who asks need not
  /// find out with fewer.
  func isPaced(segment: Int) -> Bool
  /// Up to how many lanes of a segment and of others like it are best given together; 0 where each batch
  /// goes by itself.
  func lanesTogether(segment: Int) -> Int
  /// ΔJ or J of every lane. Throws where a device fails.
  func evaluate(_ batch: LaneBatch) throws -> LaneResults
  /// The same of some batches, one after the other or together.
  func evaluate(_ batches: [LaneBatch]) throws -> [LaneResults]
  /// The elements of J's terms in every lane, which `evaluate` sums. Throws where a device fails, and
  /// an `InputError` where there are none to be had.
  func evaluateTerms(_ batch: LaneBatch) throws -> TermResults
  /// What happened that a report must say.
  var notes: [String] { get }
}

extension LaneEvaluator {
  package var laneUnit: Int { 1 }
  package func batchesAtOnce(_ batch: LaneBatch) -> Int { 1 }
  package func isPaced(segment: Int) -> Bool { false }
  package func lanesTogether(segment: Int) -> Int { 0 }
  package var notes: [String] { [] }

  package func evaluate(_ batches: [LaneBatch]) throws -> [LaneResults] {
    try batches.map { try evaluate($0) }
  }

  package func evaluateTerms(_ batch: LaneBatch) throws -> TermResults {
    throw InputError("this evaluator gives the cost as a whole, not its terms")
  }
}

extension Precision {
  /// A number as this precision holds it.
  package func rounded(_ value: Double) -> Double {
    switch self {
    case .f32: Double(Float(value))
    case .f64: value
    }
  }
}
