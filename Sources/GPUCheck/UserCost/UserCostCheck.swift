import Foundation
import Kernels

extension Checker {
  /// Checks the gradient of a cost that is somebody's own code. The costs are subtracted as the
  /// textbook does it; the step follows from the cost's own noise, which the bars include.
  ///
  /// - Throws: `InputError` where the layouts differ, θ or J(θ) is not finite, J(θ) is another value
  ///   when asked again, or options ask for what such a cost cannot give.
  package static func check(
    _ cost: UserCost, parameters: ParameterVector, gradient: ParameterVector,
    options: CheckOptions, progress: (@Sendable (CheckProgress) -> Void)? = nil
  ) throws -> CheckReport {
    guard !options.isPerUnit else {
      throw InputError(
        "--per-unit is for dense networks, not for a cost of your own", remedy: "leave it out")
    }
    guard parameters.layout == gradient.layout else {
      throw InputError(
        "the gradient's tensors are laid out otherwise than the parameters'",
        remedy: "give both the same ParameterLayout")
    }
    try parameters.requireFinite()
    let stages = StageProgress(start: .now, report: progress)
    let layout = parameters.layout
    var options = options
    options.evaluator = .textbook
    let now = try RepeatedCost(cost, at: parameters, average: options.average)
    let journal = try journal(cost, parameters, options, gradient.elementType)
    let source = Perturbation(
      pool: pool(cost, average: options.average, journal: journal?.section(0)), layout: layout,
      theta: parameters.values, cost: now.value, oneSided: options.scheme != .central,
      alternative: nil)
    let components = layout.sample(options.sample, seed: options.seed)
    var random = SplitMix64(seed: options.seed ^ 0x6e6f_6973_65)
    let asked = draw(CostNoise.components, of: components.indices, using: &random)
      .map { components[$0] }
    var stage = stages.stage("measuring noise", total: 2 * asked.count)
    let noise = try CostNoise(
      source, components: asked, scheme: options.scheme,
      known: now.deviation / Double(options.average).squareRoot()
    ) { try stage.advance($0) }
    var run = CheckRun(
      layout: layout, cost: now.value, costDeviation: 0, options: options,
      epsilon: options.epsilon ?? noise.step, gradient: gradient, perturbation: source,
      close: source, textbook: nil, scales: scales(of: gradient),
      estimates: Estimates(components, scheme: options.scheme), progress: stages,
      pace: options.budget.map {
        PaceWatch(
          budget: $0, { [options] in CheckWork(equal: layout, options) }, layout,
          hasDirections: false)
      },
      costNoise: noise.deviation,
      nearbySlope: noise.slope)
    var report = try run.complete()
    report.device = cost.name
    for at in report.lost.indices {
      if let reason = cost.losses?.reason(run.lost[at]) { report.lost[at].reason = reason }
    }
    let shares = source.pool.shares
    report.devices = [
      CheckReport.DeviceShare(
        name: cost.name, lanes: shares.reduce(0) { $0 + $1.lanes },
        seconds: shares.reduce(0) { $0 + $1.seconds })
    ]
    report.recalled = journal?.recalled ?? 0
    report.warnings =
      cost.warnings + source.pool.notes + [journal?.note].compactMap(\.self) + report.warnings
    if options.average > 1 {
      report.warnings.append(
        "every cost is the mean of \(options.average); one varies by "
          + "\(TextFormat.rough(now.deviation)) (standard deviation)")
    }
    return report
  }

  private static func pool(
    _ cost: UserCost, average: Int, journal: (any LaneJournal)?
  ) -> LanePool {
    let workers = cost.evaluators.map { evaluator in
      LaneWorker(
        average > 1 ? AveragedEvaluator(evaluator: evaluator, times: average) : evaluator,
        name: cost.name)
    }
    return LanePool(
      workers, mode: .value, precision: cost.evaluators.first?.precision ?? .f64, journal: journal)
  }

  private static func journal(
    _ cost: UserCost, _ parameters: ParameterVector, _ options: CheckOptions, _ stored: ElementType
  ) throws -> JournalFile? {
    guard let path = options.journal else { return nil }
    guard !cost.files.isEmpty else {
      throw InputError(
        "a closure's results cannot be kept in a journal: nothing tells one closure from another",
        remedy: "leave journal")
    }
    return try JournalFile(
      path,
      JournalIdentity(
        cost: hash(of: cost.files), parameters, options, cost.evaluators.first?.precision ?? .f64,
        stored,
        device: cost.name))
  }

  /// A hash of the bytes of files.
  private static func hash(of files: [String]) throws -> UInt64 {
    var hash = StableHash()
    for file in files {
      let data = try InputFile.read(file)
      hash.add(data.count)
      data.withUnsafeBytes { hash.add($0) }
    }
    return hash.value
  }

  /// Nothing is known of what such a cost sums: rounding of dθ is taken relative to its own size and
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
    return ErrorScales(gradient: ComponentValues(scales), lanes: ComponentValues(scales))
  }
}
