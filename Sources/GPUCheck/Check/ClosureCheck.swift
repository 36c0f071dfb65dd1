import Foundation
import Kernels

extension Checker {
  /// Checks the gradient of any cost, given as a closure over θ, on the CPU's cores: for people whose
  /// network is their own code. The costs are subtracted as the textbook does it, in double; the step
  /// follows from the cost's own noise, which is measured, and a component that seems wrong is tried
  /// again with a smaller step, in case a kink was in its way.
  ///
  /// - Parameters:
  ///   - parameters: θ.
  ///   - gradient: dθ, with the same layout.
  ///   - cost: J(θ); called from several threads at once.
  /// - Throws: `InputError` where the layouts differ, θ or the cost at θ is not finite, the cost is
  ///   another value when asked again, or options ask for what a closure cannot give (another
  ///   precision, another evaluator, a journal).
  public static func check(
    parameters: ParameterVector, gradient: ParameterVector, options: CheckOptions = CheckOptions(),
    progress: (@Sendable (CheckProgress) -> Void)? = nil,
    cost: @escaping @Sendable ([Double]) -> Double
  ) throws -> CheckReport {
    guard options.precision != .f32, options.evaluator != .direct else {
      throw InputError(
        "a closure is evaluated in f64, by the textbook", remedy: "leave precision and evaluator")
    }
    let evaluator = ClosureEvaluator(
      layout: parameters.layout, theta: parameters.values, cost: cost)
    return try check(
      UserCost(evaluators: [evaluator], name: "closure, " + CPUBackend().name),
      parameters: parameters, gradient: gradient, options: options, progress: progress)
  }
}

/// A closure over θ as an evaluator of lanes.
private struct ClosureEvaluator: LaneEvaluator {
  let layout: ParameterLayout
  let theta: [Double]
  let cost: @Sendable ([Double]) -> Double

  var mode: LaneMode { .value }
  var precision: Precision { .f64 }

  func wantedLanes(segment: Int) -> Int { 16 * HostCores.count }

  func evaluate(_ batch: LaneBatch) -> LaneResults {
    let offset = layout.segments[batch.segment].offset
    return costs(of: batch) { lane in
      var moved = theta
      let (component, move) = batch.lane(lane)
      moved[offset + Int(component)] = move
      return cost(moved)
    }
  }
}
