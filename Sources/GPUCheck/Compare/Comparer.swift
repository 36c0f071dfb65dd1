import Foundation
import Kernels

/// Holds devices, precisions and evaluators against each other on one network: how their arithmetic
/// differs, and whether that matters.
public final class Comparer: Sendable {
  /// What there is to say of how the devices were chosen.
  public var notes: [String] { devices.notes }

  let devices: OpenedDevices
  private let memoryLimit: Int?

  /// Opens every device that is named. None stands in for another.
  ///
  /// - Throws: `InputError` where a selector names no device, or one that fails its self-test.
  public init(_ options: DeviceOptions) throws {
    devices = try OpenedDevices(options)
    memoryLimit = options.memoryLimit
  }

  /// A comparer of backends that are open already.
  package init(_ backends: [any Backend]) {
    devices = OpenedDevices(backends)
    memoryLimit = nil
  }

  /// Compares dθ_approx of every device, precision and evaluator.
  ///
  /// - Parameters:
  ///   - gradient: dθ, to be checked by every run; nil to hold the runs against each other only.
  ///   - progress: Told from time to time how far it is.
  /// - Throws: `InputError` where there are fewer than two runs, a device has not what is asked for,
  ///   or one fails.
  public func compare(
    _ graph: Graph, at parameters: ParameterVector, gradient: ParameterVector? = nil,
    _ options: CompareOptions = CompareOptions(),
    progress report: (@Sendable (CheckProgress) -> Void)? = nil
  ) throws -> Comparison {
    let start = ContinuousClock.now
    let kinds = try kinds(options)
    let components = graph.layout.sample(options.sample, seed: options.seed)
    try HostMemory.require(
      graph, checked: components.count.multiplied(by: kinds.count) ?? .max, limit: memoryLimit)
    let baseline = Baseline(graph: graph, parameters: parameters)
    guard baseline.cost.isFinite else {
      throw InputError(
        "the cost at θ is \(baseline.cost), expected a finite number",
        remedy: "look for log(0), overflow or extreme values in the batch and the parameters")
    }
    let progress = StageProgress(start: start, report: report)
    let takesMoments =
      options.evaluators.contains(.difference) && devices.backends.contains(where: \.takesMoments)
    let tieRoundoff = max(
      gradient?.elementType.unitRoundoff ?? 0, Precision.f64.unitRoundoff)
    let evaluation = RunEvaluation(
      baseline: takesMoments
        ? try baseline.formingMoments(
          for: components.count, tieRoundoff: tieRoundoff, progress)
        : baseline,
      scales: ErrorScales(baseline, at: components), components: components,
      scheme: options.scheme, epsilon: epsilon(of: kinds, options), seed: options.seed,
      tieRoundoff: tieRoundoff)
    var runs: [ComparisonRun] = []
    for (number, kind) in kinds.enumerated() {
      var stage = progress.stage(
        "run \(number + 1) of \(kinds.count)", total: components.count)
      runs.append(try run(kind, evaluation, known: runs) { try stage.advance($0) })
    }
    let reference = reference(runs)
    var comparison = Comparison(
      cost: baseline.cost, layout: graph.layout, components: components, scheme: options.scheme,
      epsilon: evaluation.epsilon,
      devices: devices.backends.map { ComparedDevice(name: $0.name, tested: $0.tested) },
      runs: runs, reference: reference, pairs: pairs(runs, evaluation, top: options.top),
      textbook: try askTextbook(runs, evaluation, progress, top: options.top),
      hasGradient: gradient != nil, uncommonKinks: uncommonKinks(runs, components),
      top: options.top)
    comparison.weighBars(evaluation.scales)
    if let gradient {
      let problem = Problem(graph: graph, parameters: parameters, gradient: gradient)
      try check(problem, &comparison, options, report)
    } else {
      comparison.judgeByReference()
    }
    comparison.seconds = (ContinuousClock.now - start).seconds
    return comparison
  }

  // MARK: Runs

  /// One run to make.
  private struct Kind {
    var device: Int
    var precision: Precision
    var evaluator: Evaluator
  }

  private func kinds(_ options: CompareOptions) throws -> [Kind] {
    let kinds = try devices.backends.enumerated().flatMap { device, backend in
      let all: [Precision] = backend.supportsDouble ? [.f64, .f32] : [.f32]
      let wanted = all.filter { precision in
        options.precisions.contains { $0 == .auto || $0.rawValue == precision.rawValue }
      }
      guard !wanted.isEmpty else {
        throw InputError("\(backend.name) has no double", remedy: "add --precision f32")
      }
      return wanted.flatMap { precision in
        options.evaluators.map { Kind(device: device, precision: precision, evaluator: $0) }
      }
    }
    guard kinds.count > 1 else {
      throw InputError(
        "there is \(TextFormat.count(kinds.count, "run")), expected at least 2 to compare",
        remedy: "name another --device, or allow both precisions")
    }
    return kinds
  }

  /// One step for all runs, so that nothing but arithmetic tells them apart: the largest that any of
  /// them would take. Where there are float32 runs it is a float32 number, which all hold exactly.
  private func epsilon(of kinds: [Kind], _ options: CompareOptions) -> Double {
    let automatic = kinds.map {
      StepSize.automatic($0.evaluator, options.scheme, $0.precision)
    }
    let wanted = options.epsilon ?? automatic.max() ?? 0
    let single = Precision.f32.rounded(wanted)
    // One that is too small for float32 is refused there, in the words of a check.
    return kinds.contains { $0.precision == .f32 } && single != 0 ? single : wanted
  }

  private func run(
    _ kind: Kind, _ evaluation: RunEvaluation, known: [ComparisonRun],
    advance: (Int) throws -> Void
  ) throws -> ComparisonRun {
    let backend = devices.backends[kind.device]
    return try naming(backend) {
      let perturbation = try evaluation.perturbation(
        backend, kind.evaluator.mode, kind.precision)
      let start = ContinuousClock.now
      let result = try evaluation.evaluate(
        perturbation, at: Array(evaluation.components.indices), advance: advance)
      let seconds = (ContinuousClock.now - start).seconds
      let twin = known.first { $0.device == kind.device && $0.precision == kind.precision }
      return ComparisonRun(
        device: kind.device, evaluator: kind.evaluator, precision: kind.precision,
        cost: try twin?.cost ?? evaluation.cost(backend, kind.precision),
        numeric: result.numeric, bars: result.bars, flags: result.flags, seconds: seconds)
    }
  }

  /// Says which device it was that failed.
  func naming<Result>(_ backend: any Backend, _ work: () throws -> Result) throws -> Result {
    do {
      return try work()
    } catch let error as OpenCLError {
      throw InputError(
        "\(backend.name) failed (\(errorLine(error)))", remedy: "leave it out of the comparison")
    }
  }

  /// The CPU without OpenCL in f64, else the first f64 run, else the first; exact differences before
  /// subtracted costs.
  private func reference(_ runs: [ComparisonRun]) -> Int {
    let double = runs.indices.filter { runs[$0].precision == .f64 }
    let host = double.filter { devices.backends[runs[$0].device] is CPUBackend }
    let best = !host.isEmpty ? host : !double.isEmpty ? double : Array(runs.indices)
    return best.first { runs[$0].evaluator == .difference } ?? best.first ?? 0
  }

  // MARK: Differences

  private func side(_ runs: [ComparisonRun], _ run: Int) -> PairSide {
    PairSide(
      run: run, precision: runs[run].precision, values: runs[run].numeric, bars: runs[run].bars)
  }

  private func pairs(
    _ runs: [ComparisonRun], _ evaluation: RunEvaluation, top: Int
  ) -> [PairDifference] {
    runs.indices.flatMap { first in
      runs.indices.filter { $0 > first }.map { second in
        PairDifference(
          side(runs, first), side(runs, second), of: evaluation.components,
          in: evaluation.baseline.graph.layout, top: top)
      }
    }
  }

  /// Holds every run against the textbook: on all components where they are few, else on a sample
  /// drawn from every tensor by its size.
  private func askTextbook(
    _ runs: [ComparisonRun], _ evaluation: RunEvaluation, _ progress: StageProgress, top: Int
  ) throws -> [PairDifference] {
    let layout = evaluation.baseline.graph.layout
    let positions = textbookPositions(evaluation)
    var stage = progress.stage("textbook", total: positions.count)
    let textbook = evaluation.perturbation(
      TextbookEvaluator(evaluation.baseline), name: "textbook")
    let noise =
      Precision.f64.unitRoundoff * evaluation.baseline.costVariance.squareRoot()
    let result = try evaluation.evaluate(textbook, at: positions, noise: noise) {
      try stage.advance($0)
    }
    let judge = PairSide(
      run: nil, precision: .f64, values: result.numeric, bars: result.bars)
    let components = positions.map { evaluation.components[$0] }
    return runs.indices.map { run in
      PairDifference(side(runs, run).at(positions), judge, of: components, in: layout, top: top)
    }
  }

  /// Up to so many components are all given to the textbook, which takes two whole forward passes
  /// for each.
  private static let textbookLimit = 1024

  private func textbookPositions(_ evaluation: RunEvaluation) -> [Int] {
    let all = evaluation.components.indices
    guard all.count > Self.textbookLimit else { return Array(all) }
    let parameters = evaluation.baseline.graph.layout.count
    let wanted = max(64, min(512, 50_000_000 / parameters))
    var random = SplitMix64(seed: evaluation.seed ^ 0x7465_7874_626f_6f6b)
    return evaluation.baseline.graph.layout.positions(of: evaluation.components).flatMap { part in
      let share = (Double(wanted) * Double(part.range.count) / Double(all.count)).rounded()
      return draw(max(Int(share), 4), of: part.range, using: &random)
    }
  }

  private func uncommonKinks(_ runs: [ComparisonRun], _ components: [Int]) -> [Int] {
    let seeing = runs.filter(\.seesKinks)
    return components.indices.filter { i in Set(seeing.map { $0.flags[i].rawValue }).count > 1 }
      .map { components[$0] }
  }
}
