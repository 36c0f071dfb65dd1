import ArgumentParser
import Foundation
import GPUCheck
import Kernels

/// `gpucheck compare`: how the arithmetic of devices, precisions and evaluators differs.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Holds CPU, GPU and precisions against each other.",
    discussion: """
      Evaluates the numeric gradient on every device and precision with the same step, and \
      says how far apart the results are, where, and whether rounding explains it. \
      docs/comparison.md says how to read it.

      Examples:
        gpucheck compare model.json --batch batch.npz --parameters theta.npz \\
          --device cpu --device gpu
        … --gradient dtheta.npz             also what a check says on each
        … --evaluator difference --evaluator direct
                                            what subtracting costs loses
        … --precision f32 --sample 1000     some components, in f32 only

      Exit status: 0 all agree within their error bars and no verdict differs, 1 they do not, \
      2 bad input or a device that fails, 3 error bars too wide to tell, 130 interrupted.
      """)

  @OptionGroup var files: ProblemOptions

  @OptionGroup var onnx: ONNXOptions

  @Option(
    help: .init("dθ, to be checked by every run.", valueName: "file"),
    completion: TensorFiles.completion)
  var gradient: String?

  @OptionGroup var devices: DeviceChoiceOptions

  @Option(
    help: .init(
      "A precision to run, repeatable; auto is each that a device has. (default: auto)",
      valueName: "auto|f64|f32"),
    completion: OptionValue.completion(PrecisionChoice.self), transform: OptionValue.choice)
  var precision: [PrecisionChoice] = []

  @Option(
    help: .init(
      "Exact differences, or whole costs subtracted, repeatable. (default: difference)",
      valueName: "difference|direct"),
    completion: .list(["difference", "direct"]), transform: OptionValue.comparedEvaluator)
  var evaluator: [Evaluator] = []

  @OptionGroup var steps: StepOptions

  @Option(
    parsing: .unconditional,
    help: .init(
      "How many of the components outside their bars to list. (default: 10)", valueName: "k"),
    transform: { try OptionValue.count($0, atLeast: 0) })
  var top = CompareOptions().top

  @OptionGroup var result: OutputOptions

  private var options: CompareOptions {
    var options = CompareOptions()
    if !evaluator.isEmpty { options.evaluators = Self.distinct(evaluator) }
    if !precision.isEmpty { options.precisions = precision }
    options.scheme = steps.scheme
    options.epsilon = steps.epsilon.epsilon
    options.sample = steps.sample
    options.seed = steps.seed
    options.top = top
    return options
  }

  /// The same without repetitions.
  private static func distinct(_ evaluators: [Evaluator]) -> [Evaluator] {
    evaluators.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  func run() throws {
    let progress = ProgressLine(quiet: result.quiet)
    Interrupt.handle { progress.clear() }
    let outcome: Comparison.Outcome
    do {
      defer { progress.clear() }
      try checkOutput()
      let kind = try files.kind()
      progress.show("reading the files")
      let problem = try load(kind)
      progress.show("opening the devices")
      let comparer = try devices.open { try Comparer($0) }
      var comparison = try comparer.compare(
        problem.graph, at: problem.parameters, gradient: problem.gradient, options
      ) { progress.show($0) }
      comparison.warnings = comparer.notes + problem.warnings + comparison.warnings
      progress.clear()
      try write(comparison)
      outcome = comparison.outcome
    }
    switch outcome {
    case .agree: return
    case .differ: throw Failure.Status.failed
    case .undecidable: throw Failure.Status.undecidable
    }
  }

  /// The graph, θ, dθ where there is one, and warnings.
  private typealias Loaded = (
    graph: Graph, parameters: ParameterVector, gradient: ParameterVector?, warnings: [String]
  )

  /// Reads the files; a cost of the user's own cannot be compared.
  private func load(_ kind: ModelKind) throws -> Loaded {
    let names = try files.names()
    switch kind {
    case .source(let path), .library(let path):
      throw InputError(
        "this is a cost of your own, and compare takes networks", file: path,
        remedy: "use gpucheck check, once with each --device")
    case .onnx(let path):
      let cost = try onnx.choice()
      if let gradient {
        return loaded(
          try ONNXProblemFiles.load(
            model: path, batch: files.batch, parameters: files.parameters, gradient: gradient,
            cost: cost, names: names))
      }
      let read = try ONNXProblemFiles.load(
        model: path, batch: files.batch, parameters: try files.requiredParameters(), cost: cost,
        names: names)
      return (read.graph, read.parameters, nil, read.warnings)
    case .network(let path):
      try onnx.requireNone()
      let (batch, parameters) = (try files.networkBatch(), try files.requiredParameters())
      if let gradient {
        return loaded(
          try ProblemFiles.load(
            model: path, batch: batch, parameters: parameters, gradient: gradient, names: names))
      }
      let read = try ProblemFiles.load(
        model: path, batch: batch, parameters: parameters, names: names)
      return (read.graph, read.parameters, nil, read.warnings)
    }
  }

  private func loaded(_ problem: Problem) -> Loaded {
    (problem.graph, problem.parameters, problem.gradient, problem.warnings)
  }

  /// Finds before the work what could not be written after it.
  private func checkOutput() throws {
    guard let path = result.path else { return }
    try path.check()
    try path.differs(from: files.files() + (gradient.map { [("--gradient", $0)] } ?? []))
  }

  private func write(_ comparison: Comparison) throws {
    try result.write(
      result.format == .json
        ? JSONComparison.write(comparison)
        : TextComparison.write(comparison, colour: result.takesColour))
  }
}

extension OptionValue {
  /// An evaluator that can be compared.
  fileprivate static func comparedEvaluator(_ text: String) throws -> Evaluator {
    let evaluator: Evaluator? = Evaluator(rawValue: text)
    guard let evaluator, evaluator != .textbook else {
      throw ValidationError("expected difference or direct; the textbook is always asked")
    }
    return evaluator
  }
}
