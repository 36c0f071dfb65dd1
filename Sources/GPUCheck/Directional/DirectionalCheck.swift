import Foundation
import Kernels

extension Checker {
  /// Checks every tensor along so many directions. Throws an `InputError` where other options do not
  /// go together with that.
  func check(
    _ problem: Problem, _ options: CheckOptions, directions: Int,
    progress: (@Sendable (CheckProgress) -> Void)?
  ) throws -> CheckReport {
    try options.requireDirectional()
    let precision = try precision(options)
    if let epsilon = options.epsilon {
      try StepSize.check(epsilon, options.evaluator, precision)
    }
    try HostMemory.require(
      problem.graph, checked: problem.graph.layout.count, limit: memoryLimit)
    let start = ContinuousClock.now
    let (baseline, clock) = try begin(problem)
    let progress = StageProgress(start: start, report: progress, clock: clock)
    clock?.enter("rounding errors")
    var run = DirectionalRun(
      problem, options, directions: directions, baseline, precision,
      DeviceCrew(devices.backends, mayFallBack: mayFallBack), progress)
    var report = try run.complete()
    report.profile = clock.map { profile($0) }
    report.device = deviceName
    report.warnings = problem.warnings + run.crew.notes + run.poolNotes + report.warnings
    report.seconds.setup = setupSeconds
    report.seconds.total += setupSeconds
    return report
  }
}

extension CheckOptions {
  /// Throws an `InputError` for what only a check of single components does.
  fileprivate func requireDirectional() throws {
    let refuse = { (found: String, remedy: String) in
      InputError("--directional moves whole tensors, and found " + found, remedy: remedy)
    }
    if sample != nil { throw refuse("--sample", "leave one of them out") }
    if evaluator != .difference {
      throw refuse(
        "--evaluator \(evaluator.rawValue)", "leave it out: only exact differences do that")
    }
    if scheme != .central {
      throw refuse("--scheme \(scheme.rawValue)", "leave it out: its differences are central")
    }
    if journal != nil {
      throw refuse("--journal", "leave it out: a journal keeps components")
    }
  }
}

extension DirectionalRun {
  /// The whole check, and its report; device and set-up are left to the caller.
  mutating func complete() throws -> CheckReport {
    var judged = [[JudgedRay]](repeating: [], count: problem.graph.layout.segments.count)
    var places: [Int: [WrongPlace]] = [:]
    if options.expectedCost?.agrees(with: baseline.cost) ?? true {
      judged = try judgeAll()
      let failing = judged.indices.filter { Standing(judged[$0]) == .wrong }
        .filter { problem.gradient[segment: $0].allSatisfy(\.isFinite) }
        .sorted { Self.excess(judged[$0]) > Self.excess(judged[$1]) }
      // A ratio costs nothing; halving does.
      var searched = 0
      for segment in failing {
        guard searched < Self.mostSearched || DirectionalSearch.ratio(judged[segment]) != nil else {
          continue
        }
        if DirectionalSearch.ratio(judged[segment]) == nil { searched += 1 }
        places[segment] = try search(segment, judged[segment])
      }
    }
    let evaluation = progress.seconds
    var report = report(judged, places, try askTextbook(judged))
    report.seconds.evaluation = evaluation
    report.seconds.total = progress.seconds
    report.devices = shares
    return report
  }
}

/// How a tensor stands after all its rays were measured.
enum Standing {
  case right, wrong
  /// Some slope lies outside its bar, and elements on a kink may be why.
  case undecided

  init(_ rays: [JudgedRay]) {
    let failing = rays.filter { !$0.isWithinBar }
    let (tied, plain) = (
      rays.filter { $0.measurement.slopes != nil }, failing.filter { $0.measurement.slopes == nil }
    )
    if failing.isEmpty {
      self = .right
    } else if !plain.isEmpty || (tied.count > 1 && tied.allSatisfy { !$0.isWithinBar }) {
      self = .wrong
    } else {
      self = .undecided
    }
  }
}
