import Foundation
import Kernels

extension Checker {
  /// Checks the gradient of any cost, given as a closure over θ, on the CPU's cores: for people whose
  /// network is their own code. The costs are subtracted as the textbook does it, in double; where
  /// rounding begins is measured, and a component that seems wrong is tried again with a smaller
  /// step, in case a kink was in its way.
  ///
  /// - Parameters:
  ///   - parameters: θ.
  ///   - gradient: dθ, with the same layout.
  ///   - cost: J(θ); called from several threads at once.
  /// - Throws: `InputError` where the layouts differ, θ or the cost at θ is not finite, or options
  ///   ask for what a closure cannot give (another precision, another evaluator).
  public static func check(
    parameters: ParameterVector, gradient: ParameterVector, options: CheckOptions = CheckOptions(),
    progress: (@Sendable (CheckProgress) -> Void)? = nil,
    cost: @escaping @Sendable ([Double]) -> Double
  ) throws -> CheckReport {
    guard parameters.layout == gradient.layout else {
      throw InputError(
        "the gradient's tensors are laid out otherwise than the parameters'",
        remedy: "give both the same ParameterLayout")
    }
    guard options.journal == nil else {
      throw InputError(
        "a closure's results cannot be kept in a journal: nothing tells one closure from another",
        remedy: "leave journal")
    }
    guard options.precision != .f32, options.evaluator != .direct else {
      throw InputError(
        "a closure is evaluated in f64, by the textbook", remedy: "leave precision and evaluator")
    }
    try parameters.requireFinite()
    let start = ContinuousClock.now
    let theta = parameters.values
    let now = cost(theta)
    guard now.isFinite else {
      throw InputError("the cost at θ is \(now), expected a finite number")
    }
    var options = options
    options.evaluator = .textbook
    let source = Perturbation(
      pool: LanePool(ClosureEvaluator(layout: parameters.layout, theta: theta, cost: cost)),
      layout: parameters.layout, theta: theta, cost: now, oneSided: options.scheme != .central)
    var run = CheckRun(
      layout: parameters.layout, cost: now, costDeviation: 0, options: options,
      epsilon: options.epsilon ?? StepSize.automatic(.textbook, options.scheme, .f64),
      gradient: gradient, perturbation: source, close: source, textbook: nil,
      scales: Self.scales(of: gradient),
      estimates: Estimates(
        parameters.layout.sample(options.sample, seed: options.seed), scheme: options.scheme),
      progress: StageProgress(start: start, report: progress))
    var report = try run.complete()
    report.device = "closure, " + CPUBackend().name
    return report
  }

  /// Nothing is known of what a closure sums: rounding of dθ is taken relative to its own size and
  /// to the size of its tensor.
  private static func scales(of gradient: ParameterVector) -> ErrorScales {
    var scales = [Double](repeating: 0, count: gradient.values.count)
    for part in gradient.layout.segments where part.count > 0 {
      var norm = ScaledNorm()
      for i in part.range where gradient.values[i].isFinite { norm.add(gradient.values[i]) }
      let typical = norm.value / Double(part.count).squareRoot()
      for i in part.range where gradient.values[i].isFinite {
        scales[i] = max(gradient.values[i].magnitude, typical)
      }
    }
    return ErrorScales(gradient: scales, lanes: scales)
  }
}

/// A closure over θ as an evaluator of lanes.
private struct ClosureEvaluator: LaneEvaluator {
  let layout: ParameterLayout
  let theta: [Double]
  let cost: @Sendable ([Double]) -> Double

  var mode: LaneMode { .value }
  var precision: Precision { .f64 }

  func wantedLanes(segment: Int) -> Int { 16 * ProcessInfo.processInfo.activeProcessorCount }

  func evaluate(_ batch: LaneBatch) -> LaneResults {
    let offset = layout.segments[batch.segment].offset
    return costs(of: batch) { lane in
      var moved = theta
      moved[offset + Int(batch.components[lane])] = batch.moves[lane]
      return cost(moved)
    }
  }
}
