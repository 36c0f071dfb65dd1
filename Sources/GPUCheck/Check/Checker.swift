import Foundation
import Kernels

/// Checks gradients on one device, or on several that share the work.
public final class Checker: Sendable {
  /// Where lanes run, for reports.
  public var deviceName: String { devices.backends.map(\.name).joined(separator: " + ") }
  /// What there is to say of how the devices were chosen.
  public var notes: [String] { devices.notes }
  /// How long opening the devices and testing them took.
  public let setupSeconds: Double
  /// Whether a device did not come back from a call. The program must then end without waiting for
  /// its drivers.
  public var hasHungDevice: Bool { devices.watchdogs.contains { $0.hasLeftDevice } }

  let devices: OpenedDevices
  let mayFallBack: Bool
  let memoryLimit: Int?
  private let kernelFolder: String?

  /// Opens devices.
  ///
  /// - Throws: `InputError` where a selector names no device, or one that fails its self-test.
  public init(_ options: DeviceOptions = DeviceOptions()) throws {
    let start = ContinuousClock.now
    devices = try OpenedDevices(options)
    mayFallBack = options.mayFallBack && options.kernelFolder == nil
    memoryLimit = options.memoryLimit
    kernelFolder = options.kernelFolder
    setupSeconds = (ContinuousClock.now - start).seconds
  }

  /// Opens one device: `auto`, `cpu`, `gpu`, `gpu:1`, `PLATFORM:DEVICE`, or part of a name.
  public convenience init(device selector: String) throws {
    try self.init(DeviceOptions([selector]))
  }

  /// A checker on backends that are open already.
  package init(_ backends: any Backend..., mayFallBack: Bool = false) {
    devices = OpenedDevices(backends)
    self.mayFallBack = mayFallBack
    memoryLimit = nil
    kernelFolder = nil
    setupSeconds = 0
  }

  /// Checks a gradient.
  ///
  /// - Parameter progress: Told from time to time how far the check is.
  /// - Throws: `InputError` where the problem cannot be checked as asked; errors of the devices where
  ///   no other may take over.
  public func check(
    _ problem: Problem, _ options: CheckOptions = CheckOptions(),
    progress: (@Sendable (CheckProgress) -> Void)? = nil
  ) throws -> CheckReport {
    if let directions = options.directions {
      return try check(problem, options, directions: directions, progress: progress)
    }
    let precision = try precision(options)
    if let epsilon = options.epsilon {
      try StepSize.check(epsilon, options.evaluator, precision)
    }
    let units = try options.isPerUnit ? unitGraph(of: problem, options) : nil
    let checked = min(options.sample ?? .max, problem.graph.layout.count)
    try HostMemory.require(problem.graph, checked: checked, limit: memoryLimit)
    let opening = ContinuousClock.now
    var crew = DeviceCrew(devices.backends, mayFallBack: mayFallBack)
    if options.evaluator != .textbook {
      _ = try crew.keep {
        try $0.build(
          problem.graph, mode: options.evaluator.mode, precision: precision,
          components: units == nil ? checked : 0)
        if let units {
          try $0.build(units.graph, mode: .difference, precision: precision, components: 0)
        }
      }
    }
    let start = ContinuousClock.now
    let (baseline, clock) = try begin(problem)
    let journal = try journal(problem, options, precision)
    let progress = StageProgress(start: start, report: progress, clock: clock)
    var run = try run(problem, options, baseline, precision, &crew, journal, progress)
    run.units = try units.map { try unitSource($0, of: problem, precision, &crew) }
    var report = try run.complete()
    report.profile = clock.map { profile($0) }
    let pool = run.perturbation.pool
    report.device = options.evaluator == .textbook ? "textbook, " + CPUBackend().name : deviceName
    report.devices = pool.shares.map {
      CheckReport.DeviceShare(name: $0.name, lanes: $0.lanes, seconds: $0.seconds)
    }
    report.isPerUnit = options.isPerUnit
    report.add(run.units)
    report.recalled = journal?.recalled ?? 0
    if let penalty = Penalty.finding(in: report, of: problem) { report.findings.append(penalty) }
    report.warnings =
      problem.warnings + crew.notes + (run.units?.lanes.notes ?? []) + pool.notes
      + [journal?.note].compactMap(\.self)
      + report.warnings
    report.seconds.setup = setupSeconds + (start - opening).seconds
    report.seconds.total += report.seconds.setup
    return report
  }

  /// The baseline of a check, and the clock of its phases where a device keeps a profile. Throws an
  /// `InputError` where the cost at θ is no number.
  func begin(_ problem: Problem) throws -> (baseline: Baseline, clock: PhaseClock?) {
    let clock = devices.backends.contains { $0.profile != nil } ? PhaseClock() : nil
    clock?.enter("baseline")
    let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
    guard baseline.cost.isFinite else {
      throw InputError(
        "the cost at θ is \(baseline.cost), expected a finite number",
        remedy: "look for log(0), overflow or extreme values in the batch and the parameters")
    }
    return (baseline, clock)
  }

  /// What the devices and the clock say of where the time went.
  func profile(_ clock: PhaseClock) -> CheckReport.Profile {
    CheckReport.Profile(
      kernels: devices.backends.flatMap { $0.profile?.rows ?? [] }, phases: clock.phases)
  }

  /// A check of a graph, ready to go.
  private func run(
    _ problem: Problem, _ options: CheckOptions, _ baseline: Baseline, _ precision: Precision,
    _ crew: inout DeviceCrew, _ journal: JournalFile?, _ progress: StageProgress
  ) throws -> CheckRun {
    let tieRoundoff = problem.tieRoundoff
    progress.clock?.enter("rounding errors")
    let components = problem.graph.layout.sample(options.sample, seed: options.seed)
    let scales = ErrorScales(baseline, at: components, of: problem.gradient.elementType)
    let mode = options.evaluator.mode
    let takesMoments =
      mode == .difference && !options.isPerUnit && crew.backends.contains(where: \.takesMoments)
    let shared =
      takesMoments
      ? try baseline.formingMoments(for: components.count, tieRoundoff: tieRoundoff, progress)
      : baseline
    progress.clock?.enter("tables and buffers")
    let judge = TextbookEvaluator(baseline)
    let textbook = LanePool(judge, name: "textbook")
    let pool =
      options.evaluator == .textbook
      ? LanePool(judge, name: "textbook", journal: journal?.section(0))
      : try crew.pool(mode, precision, journal: journal?.section(0)) {
        try $0.prepare(shared, mode: mode, precision: precision, tieRoundoff: tieRoundoff)
      } audit: { twin in
        LaneAudit(
          twin: twin,
          moments: takesMoments ? try MomentTwin(shared, precision) : nil,
          layout: problem.graph.layout, scales: scales.lanes, cost: baseline.cost,
          costDeviation: baseline.costVariance.squareRoot(), seed: options.seed)
      }
    let isExact = options.evaluator == .difference && precision == .f64
    let close =
      isExact
      ? pool
      : LanePool(
        try CPUBackend().prepare(
          baseline, mode: .difference, precision: .f64, tieRoundoff: tieRoundoff),
        name: CPUBackend().name,
        journal: journal?.section(1))
    let perturbation = { (pool: LanePool) in
      Perturbation(
        pool: pool, layout: problem.graph.layout, theta: problem.parameters.values,
        cost: baseline.cost, oneSided: options.scheme != .central)
    }
    return CheckRun(
      layout: problem.graph.layout, cost: baseline.cost,
      costDeviation: Precision.f64.unitRoundoff * baseline.costVariance.squareRoot(),
      options: options,
      epsilon: options.epsilon
        ?? StepSize.automatic(options.evaluator, options.scheme, precision),
      gradient: problem.gradient, perturbation: perturbation(pool),
      close: perturbation(close), textbook: perturbation(textbook),
      scales: scales,
      estimates: Estimates(components, scheme: options.scheme),
      progress: progress,
      pace: options.budget.map {
        PaceWatch(
          budget: $0,
          { CheckWork(problem.graph, options, precision, takesMoments: takesMoments) },
          problem.graph.layout,
          hasDirections: options.evaluator == .difference)
      })
  }

  /// The journal that the options ask for, opened for this check.
  private func journal(
    _ problem: Problem, _ options: CheckOptions, _ precision: Precision
  ) throws -> JournalFile? {
    guard let path = options.journal else { return nil }
    return try JournalFile(
      path,
      JournalIdentity(
        problem, options, precision, devices: devices.backends.map(\.name),
        kernels: try KernelText(folder: kernelFolder).hash()))
  }

  /// The precision of the lanes. Throws where a device has not what is asked for.
  func precision(_ options: CheckOptions) throws -> Precision {
    if options.evaluator == .textbook {
      guard options.precision != .f32 else {
        throw InputError(
          "the textbook evaluator works in f64", remedy: "use --evaluator direct for f32")
      }
      return .f64
    }
    switch options.precision {
    case .auto: return devices.backends.allSatisfy(\.supportsDouble) ? .f64 : .f32
    case .f32: return .f32
    case .f64:
      if let lacking = devices.backends.first(where: { !$0.supportsDouble }) {
        throw InputError(
          "\(lacking.name) has no double", remedy: "use --precision f32, or --device cpu")
      }
      return .f64
    }
  }
}
