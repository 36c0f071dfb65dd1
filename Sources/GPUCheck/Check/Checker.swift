import Foundation
import Kernels

/// Checks gradients on one device.
public final class Checker: Sendable {
  /// Where lanes run, for reports.
  public var deviceName: String { backend.name }
  /// What there is to say of how the device was chosen.
  public let notes: [String]
  /// How long opening the device and testing it took.
  public let setupSeconds: Double

  private let backend: any Backend
  /// Whether the CPU may take over from a device that fails: not from one that was asked for.
  private let mayFallBack: Bool

  /// Opens a device.
  ///
  /// - Parameters:
  ///   - selector: `auto` (GPU, other accelerator, OpenCL CPU, then the CPU without OpenCL), `cpu`,
  ///     `gpu`, `gpu:1`, `PLATFORM:DEVICE`, or part of a name.
  ///   - kernelFolder: A folder of kernels to use in the place of the embedded ones.
  /// - Throws: `InputError` where the selector names no device, or one that fails its self-test.
  public convenience init(device selector: String = "auto", kernelFolder: String? = nil) throws {
    let start = ContinuousClock.now
    let text = KernelText(folder: kernelFolder)
    let (devices, problems) =
      selector.lowercased() == "cpu" ? ([], []) : Devices.all()
    var notes = problems
    let mayFallBack = selector.lowercased() == "auto" && kernelFolder == nil
    let backend: any Backend
    switch try selectDevice(selector, from: devices) {
    case .cpu:
      backend = CPUBackend()
      if !problems.isEmpty { notes.append("running on the CPU without OpenCL") }
    case .opencl(let device):
      do {
        backend = try OpenCLBackend(device, text: text)
      } catch  where mayFallBack {
        notes.append("\(Self.line(error)); running on the CPU without OpenCL")
        backend = CPUBackend()
      }
    }
    self.init(
      backend, mayFallBack: mayFallBack,
      notes: notes.isEmpty ? [] : [notes.joined(separator: "; ")],
      setupSeconds: (ContinuousClock.now - start).seconds)
  }

  package init(
    _ backend: any Backend, mayFallBack: Bool = false, notes: [String] = [],
    setupSeconds: Double = 0
  ) {
    self.backend = backend
    self.mayFallBack = mayFallBack
    self.notes = notes
    self.setupSeconds = setupSeconds
  }

  /// An error in one line.
  private static func line(_ error: any Error) -> String {
    (error as? OpenCLError)?.summary ?? (error as? InputError)?.problem ?? "\(error)"
  }

  /// Checks a gradient.
  ///
  /// - Parameter progress: Told from time to time how far the check is.
  /// - Throws: `InputError` where the problem cannot be checked as asked; errors of the device.
  public func check(
    _ problem: Problem, _ options: CheckOptions = CheckOptions(),
    progress: (@Sendable (CheckProgress) -> Void)? = nil
  ) throws -> CheckReport {
    do {
      return try checkHere(problem, options, progress)
    } catch let error as OpenCLError where mayFallBack {
      let cpu = Checker(CPUBackend(), setupSeconds: setupSeconds)
      var report = try cpu.checkHere(problem, options, progress)
      report.warnings.append(
        "\(deviceName) failed (\(Self.line(error))): the check ran on the CPU without OpenCL")
      return report
    }
  }

  private func checkHere(
    _ problem: Problem, _ options: CheckOptions, _ progress: (@Sendable (CheckProgress) -> Void)?
  ) throws -> CheckReport {
    let precision = try precision(options)
    if let epsilon = options.epsilon {
      try StepSize.check(epsilon, options.evaluator, precision)
    }
    let opening = ContinuousClock.now
    if options.evaluator != .textbook {
      try backend.build(problem.graph, mode: options.evaluator.mode, precision: precision)
    }
    let start = ContinuousClock.now
    let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
    guard baseline.cost.isFinite else {
      throw InputError(
        "the cost at θ is \(baseline.cost), expected a finite number",
        remedy: "look for log(0), overflow or extreme values in the batch and the parameters")
    }
    var run = try run(
      problem, options, baseline, precision, StageProgress(start: start, report: progress))
    var report = try run.complete()
    report.device =
      options.evaluator == .textbook ? "textbook, " + CPUBackend().name : deviceName
    report.warnings = problem.warnings + report.warnings
    report.seconds.setup = setupSeconds + (start - opening).seconds
    report.seconds.total += report.seconds.setup
    return report
  }

  /// A check of a graph, ready to go.
  private func run(
    _ problem: Problem, _ options: CheckOptions, _ baseline: Baseline, _ precision: Precision,
    _ progress: StageProgress
  ) throws -> CheckRun {
    let tieRoundoff = max(
      problem.gradient.elementType.unitRoundoff, Precision.f64.unitRoundoff)
    let prepare = { (backend: any Backend, mode: LaneMode, precision: Precision) in
      try backend.prepare(baseline, mode: mode, precision: precision, tieRoundoff: tieRoundoff)
    }
    let textbook = TextbookEvaluator(baseline)
    let evaluator: any LaneEvaluator =
      options.evaluator == .textbook
      ? textbook : try prepare(backend, options.evaluator.mode, precision)
    let isExact = options.evaluator == .difference && precision == .f64
    let close = isExact ? evaluator : try prepare(CPUBackend(), .difference, .f64)
    let perturbation = { (evaluator: any LaneEvaluator) in
      Perturbation(
        evaluator: evaluator, layout: problem.graph.layout, theta: problem.parameters.values,
        cost: baseline.cost, oneSided: options.scheme != .central)
    }
    return CheckRun(
      layout: problem.graph.layout, cost: baseline.cost,
      costDeviation: Precision.f64.unitRoundoff * baseline.costVariance.squareRoot(),
      options: options,
      epsilon: options.epsilon
        ?? StepSize.automatic(options.evaluator, options.scheme, precision),
      gradient: problem.gradient, perturbation: perturbation(evaluator),
      close: perturbation(close), textbook: perturbation(textbook),
      scales: ErrorScales(baseline),
      estimates: Estimates(
        problem.graph.layout.sample(options.sample, seed: options.seed), scheme: options.scheme),
      progress: progress)
  }

  /// The precision of the lanes. Throws where the device has not what is asked for.
  private func precision(_ options: CheckOptions) throws -> Precision {
    if options.evaluator == .textbook {
      guard options.precision != .f32 else {
        throw InputError(
          "the textbook evaluator works in f64", remedy: "use --evaluator direct for f32")
      }
      return .f64
    }
    switch options.precision {
    case .auto: return backend.supportsDouble ? .f64 : .f32
    case .f32: return .f32
    case .f64:
      guard backend.supportsDouble else {
        throw InputError(
          "\(deviceName) has no double", remedy: "use --precision f32, or --device cpu")
      }
      return .f64
    }
  }
}
