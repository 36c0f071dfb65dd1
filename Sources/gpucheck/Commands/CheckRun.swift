import ArgumentParser
import Foundation
import GPUCheck
import Kernels

extension CheckCommand {
  func run() throws {
    let progress = ProgressLine(quiet: quiet)
    Interrupt.handle { progress.clear() }
    let passed: Bool
    let verdict: Verdict
    let hasHungDevice: Bool
    do {
      defer { progress.clear() }
      try checkOutputs()
      let began = ContinuousClock.now
      let problem = try load(progress)
      try checkNames(of: problem)
      let loading = began.duration(to: .now)
      let checker = try open(progress)
      let isShownAtOnce = format == .text && !quiet
      if isShownAtOnce {
        progress.clear()
        checker.notes.forEach { Terminal.tell("note: \($0)") }
      }
      var report = try checker.check(problem, options) { progress.show($0) }
      report.seconds.load = loading.seconds
      report.seconds.total = began.duration(to: .now).seconds
      progress.clear()
      try save(report.numeric, of: problem)
      try write(report, notes: checker.notes, alreadyTold: isShownAtOnce)
      (passed, verdict) = (report.passed, report.verdict)
      hasHungDevice = checker.hasHungDevice
    }
    let status =
      passed
      ? .success : verdict == .undecidable ? Failure.Status.undecidable : Failure.Status.failed
    // A driver that hangs would keep the program from ending.
    if hasHungDevice { _exit(status.rawValue) }
    if !passed { throw status }
  }

  private var options: CheckOptions {
    var options = CheckOptions()
    options.evaluator = evaluator
    options.precision = precision
    options.scheme = steps.scheme
    options.epsilon = steps.epsilon.epsilon
    options.sample = steps.sample
    options.seed = steps.seed
    options.tolerance = tolerance
    options.expectedCost = expectedCost
    options.top = top
    options.journal = journal
    return options
  }

  /// Finds before the work what could not be written after it.
  private func checkOutputs() throws {
    var others = [
      (option: "MODEL", path: files.model), ("--batch", files.batch),
      ("--parameters", files.parameters), ("--gradient", gradient),
    ]
    let report = output.map { OutputPath(option: "--output", path: $0) }
    let numeric = saveNumeric.map { OutputPath(option: "--save-numeric", path: $0) }
    let journal = journal.map { OutputPath(option: "--journal", path: $0) }
    for file in [report, numeric, journal].compactMap(\.self) {
      try file.check()
      try file.differs(from: others)
      others.append((file.option, file.path))
    }
    guard let numeric else { return }
    guard numeric.isTensorFile else {
      throw InputError(
        "the suffix of the file is unknown", file: "--save-numeric \(numeric.path)",
        remedy: "end the name in .npz (by tensor name) or .npy (one flat vector)")
    }
  }

  private func load(_ progress: ProgressLine) throws -> Problem {
    progress.show("reading the files")
    return try ProblemFiles.load(
      model: files.model, batch: files.batch, parameters: files.parameters, gradient: gradient)
  }

  /// Finds before the work a tensor name that no archive may hold.
  private func checkNames(of problem: Problem) throws {
    guard let saveNumeric, !OutputPath(option: "--save-numeric", path: saveNumeric).isFlat else {
      return
    }
    let nothing = Tensor(shape: [0], values: [])
    do {
      _ = try NPZFile.encode(problem.parameters.layout.segments.map { ($0.name, nothing) })
    } catch let error as InputError {
      throw error.inFile("--save-numeric \(saveNumeric)")
    }
  }

  private func open(_ progress: ProgressLine) throws -> Checker {
    progress.show("opening the device")
    // A folder that is none would count as a device that fails.
    if let kernels { _ = try KernelText(folder: kernels).text("common.cl") }
    return try devices.open(kernelFolder: kernels) { try Checker($0) }
  }

  /// Writes dθ_approx: by tensor name, or flat. NaN stands for a component that was not checked.
  private func save(_ numeric: [Double], of problem: Problem) throws {
    guard let saveNumeric else { return }
    if OutputPath(option: "--save-numeric", path: saveNumeric).isFlat {
      let flat = Tensor(shape: [numeric.count], values: numeric)
      try TensorFile.write([("numeric", flat)], to: saveNumeric)
    } else {
      let vector = try ParameterVector(layout: problem.parameters.layout, values: numeric)
      try TensorFile.write(vector.tensors, to: saveNumeric)
    }
  }

  /// Notes are among the warnings of a report unless the user has just read them.
  private func write(_ report: CheckReport, notes: [String], alreadyTold: Bool) throws {
    var report = report
    report.warnings.removeAll(where: notes.contains)
    if output != nil || !alreadyTold { report.warnings = notes + report.warnings }
    let text =
      switch format {
      case .json: try JSONReport.write(report)
      case .text:
        TextReport.write(
          report, tolerance: tolerance, colour: output == nil && Terminal.takesColour)
      }
    if let output {
      try OutputFile.write(Data(text.utf8), to: output)
    } else {
      try Terminal.write(text)
    }
  }
}
