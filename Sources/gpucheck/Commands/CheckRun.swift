import ArgumentParser
import Foundation
import GPUCheck
import Kernels

extension CheckCommand {
  func run() throws {
    let progress = ProgressLine(quiet: result.quiet)
    Interrupt.handle { progress.clear() }
    let passed: Bool
    let verdict: Verdict
    let hasHungDevice: Bool
    do {
      defer { progress.clear() }
      try checkOutputs()
      let began = ContinuousClock.now
      let check = try load(progress)
      try checkNames(in: check.layout)
      let loading = began.duration(to: .now)
      progress.show("opening the device")
      let opened = try check.open()
      let isShownAtOnce = result.format == .text && !result.quiet
      if isShownAtOnce {
        progress.clear()
        opened.notes.forEach { Terminal.tell("note: \($0)") }
        tell(opened.plan())
      }
      var report = try opened.run { progress.show($0) }
      report.seconds.load = loading.seconds
      report.seconds.total = began.duration(to: .now).seconds
      progress.clear()
      if let saveNumeric {
        try NumericFile.write(report, layout: check.layout, to: saveNumeric)
      }
      try write(report, notes: opened.notes, alreadyTold: isShownAtOnce)
      (passed, verdict) = (report.passed, report.verdict)
      hasHungDevice = opened.hasHungDevice()
    }
    let status =
      passed
      ? .success : verdict == .undecidable ? Failure.Status.undecidable : Failure.Status.failed
    // A driver that hangs would keep the program from ending.
    if hasHungDevice { _exit(status.rawValue) }
    if !passed { throw status }
  }

  /// Says what a check is about to do, where somebody watches or will have to wait.
  private func tell(_ plan: CheckPlan?) {
    guard let plan, Terminal.takesProgress || plan.seconds >= Self.longWait else { return }
    Terminal.tell("plan: \(plan.line)")
  }

  private static let longWait = 10.0

  /// The options as the library takes them.
  var options: CheckOptions {
    var options = CheckOptions()
    options.evaluator = evaluator ?? options.evaluator
    options.isPerUnit = perUnit
    options.precision = precision
    options.scheme = steps.scheme
    options.epsilon = steps.epsilon.epsilon
    options.sample = steps.sample
    options.directions = directional
    options.seed = steps.seed
    options.tolerance = tolerance
    options.expectedCost = expectedCost
    options.top = top
    options.average = userCost.average
    options.journal = journal
    options.budget = full ? nil : budget
    return options
  }

  /// Finds before the work what could not be written after it.
  private func checkOutputs() throws {
    var others = try files.files() + [("--gradient", gradient)]
    let numeric = saveNumeric.map { OutputPath(option: "--save-numeric", path: $0) }
    let journal = journal.map { OutputPath(option: "--journal", path: $0) }
    for file in [result.path, numeric, journal].compactMap(\.self) {
      try file.check()
      try file.differs(from: others)
      others.append((file.option, file.path))
    }
    if directional != nil, saveNumeric != nil {
      throw InputError(
        "--directional finds slopes along directions, and --save-numeric keeps components",
        remedy: "leave one of them out")
    }
    // An unknown suffix is found before anything is read.
    try checkNames(in: ParameterLayout([]))
  }

  /// Reads the files of what is to be checked.
  private func load(_ progress: ProgressLine) throws -> LoadedCheck {
    progress.show("reading the files")
    return switch try files.kind() {
    case .network(let path): try network(path)
    case .onnx(let path): try model(path)
    case .source(let path): try source(path)
    case .library(let path): try library(path)
    }
  }

  /// Finds before the work what the format of `--save-numeric` cannot hold.
  private func checkNames(in layout: ParameterLayout) throws {
    guard let saveNumeric else { return }
    do {
      try NumericFile.check(saveNumeric, layout: layout)
    } catch var error as InputError {
      error.file = "--save-numeric \(saveNumeric)"
      throw error
    }
  }

  /// Notes are among the warnings of a report unless the user has just read them.
  private func write(_ report: CheckReport, notes: [String], alreadyTold: Bool) throws {
    var report = report
    report.warnings.removeAll(where: notes.contains)
    if result.output != nil || !alreadyTold { report.warnings = notes + report.warnings }
    try result.write(
      result.format == .json
        ? JSONReport.write(report)
        : TextReport.write(report, tolerance: tolerance, colour: result.takesColour))
  }
}
