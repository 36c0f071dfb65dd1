import Foundation
import Kernels

/// J(θ), asked again and again of everyone who evaluates it, between perturbations.
struct RepeatedCost {
  /// Their mean.
  let value: Double
  /// The standard deviation of one; 0 where all are the same bits.
  let deviation: Double

  /// How often each evaluator is asked, and how often all together where the cost may be random.
  private static let each = 3
  private static let all = 48

  /// Throws an `InputError` where J(θ) is not finite or never comes back and, unless the cost is to be
  /// averaged, where it is not the same every time.
  init(_ cost: UserCost, at parameters: ParameterVector, average: Int) throws {
    let mayDiffer = average > 1
    let times = mayDiffer ? max(Self.each, Self.all / max(cost.evaluators.count, 1)) : Self.each
    let values = try Self.ask(cost.evaluators, at: parameters, times: times, cost.losses)
    guard let first = values.first else { throw InputError("nobody evaluates the cost") }
    if let bad = values.first(where: { !$0.isFinite }) {
      throw InputError(
        "the cost at θ is \(bad), expected a finite number",
        remedy: "look for log(0), overflow or extreme values")
    }
    let mean = values.reduce(0) { $0 + ($1 - first) } / Double(values.count) + first
    guard let other = values.first(where: { $0 != first }) else {
      (value, deviation) = (first, 0)
      return
    }
    guard mayDiffer else {
      throw InputError(
        "the cost at θ was \(first) and, when asked again, \(other): they are "
          + "\(TextFormat.rough((first - other).magnitude)) apart",
        remedy: "make it the same every time (seed what is random, leave nothing behind), or give "
          + "--average N")
    }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    (value, deviation) = (mean, (squares / Double(values.count - 1)).squareRoot())
  }

  /// Asks all at the same time. A perturbation goes between, whose traces would show.
  private static func ask(
    _ evaluators: [any LaneEvaluator], at parameters: ParameterVector, times: Int,
    _ losses: LossLog?
  ) throws -> [Double] {
    let segments = parameters.layout.segments
    guard let segment = segments.firstIndex(where: { $0.count > 0 }) else {
      throw InputError("θ has no components", remedy: "give one parameter at least")
    }
    let theta = parameters.values[segments[segment].offset]
    let isMoved = (0...times).map { $0 == times - 1 }
    let results = concurrently(evaluators) { evaluator -> LaneResults in
      try evaluator.evaluate(
        LaneBatch(
          segment: segment, components: isMoved.map { _ in 0 },
          moves: isMoved.map {
            evaluator.precision.rounded($0 ? theta + 1e-3 * max(1, theta.magnitude) : theta)
          }))
    }
    return try results.flatMap { result in
      let found = try result.get()
      return try zip(isMoved, zip(found.values, found.flags)).compactMap {
        isMoved, lane -> Double? in
        if isMoved { return nil }
        guard !lane.1.contains(.lost) else {
          throw InputError(
            "the cost at θ could not be evaluated: "
              + (losses?.reason(segments[segment].offset) ?? "it did not come back"),
            remedy: "run it at these parameters under a debugger")
        }
        return lane.0
      }
    }
  }

  private static func concurrently<Value: Sendable>(
    _ evaluators: [any LaneEvaluator],
    _ body: @Sendable (any LaneEvaluator) throws -> Value
  ) -> [Result<Value, any Error>] {
    var results = [Result<Value, any Error>?](repeating: nil, count: evaluators.count)
    results.withUnsafeMutableBufferPointer { results in
      // Each evaluator writes a place of its own.
      nonisolated(unsafe) let results = results
      DispatchQueue.concurrentPerform(iterations: evaluators.count) { at in
        results[at] = Result { try body(evaluators[at]) }
      }
    }
    return results.compactMap(\.self)
  }
}

/// An evaluator that asks for every lane several times, and gives the mean.
struct AveragedEvaluator: LaneEvaluator {
  let evaluator: any LaneEvaluator
  let times: Int

  var mode: LaneMode { evaluator.mode }
  var precision: Precision { evaluator.precision }
  var notes: [String] { evaluator.notes }

  func wantedLanes(segment: Int) -> Int { max(1, evaluator.wantedLanes(segment: segment) / times) }

  func evaluate(_ batch: LaneBatch) throws -> LaneResults {
    let lanes = (0..<batch.count).flatMap { [Int](repeating: $0, count: times) }
    let found = try evaluator.evaluate(batch.picking(lanes))
    var means = LaneResults(
      values: [Double](repeating: 0, count: batch.count),
      flags: [LaneFlags](repeating: [], count: batch.count))
    for (at, lane) in lanes.enumerated() {
      means.values[lane] += found.values[at] / Double(times)
      means.flags[lane].formUnion(found.flags[at])
    }
    return means
  }
}
