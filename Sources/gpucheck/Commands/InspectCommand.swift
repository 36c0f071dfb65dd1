import ArgumentParser
import Foundation
import GPUCheck

/// `gpucheck inspect`: what a model is made of, and what a check of it would take.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Shows a model's graph, and what a check of it would take.",
    discussion: """
      Lists inputs and outputs, what θ is made of, and the operators with those that are not \
      supported, all at once. With a batch also the graph that a check evaluates, and the work, \
      memory and time it would take on each device: estimates, nothing is evaluated. \
      docs/inspect.md says how to read them.

      Examples:
        gpucheck inspect model.onnx
        gpucheck inspect model.onnx --batch batch.npz
        … --gradient dtheta.npz             θ is what the gradient names
        … --sample 1000                     also what a sample would take
        … --format dot | dot -Tsvg > model.svg
        … --format json                     for a program

      Exit status: 0, also where a check would refuse the model, which is said; 2 bad input.
      """)

  @OptionGroup var files: ProblemOptions

  @Option(
    help: .init("dθ, whose names say what θ is.", valueName: "file"),
    completion: TensorFiles.completion)
  var gradient: String?

  @OptionGroup var onnx: ONNXOptions

  @Option(
    help: .init(
      "The precision to estimate; auto is f64 where a device has double. (default: auto)",
      valueName: "auto|f64|f32"),
    completion: OptionValue.completion(PrecisionChoice.self), transform: OptionValue.choice)
  var precision = PrecisionChoice.auto

  @Option(
    parsing: .unconditional,
    help: .init("Also what a check of so many components takes.", valueName: "n"),
    transform: { try OptionValue.count($0, atLeast: 1) })
  var sample: Int?

  @Flag(help: "List every node of the graph. JSON and DOT always do.")
  var nodes = false

  @Option(
    help: .init(
      "For people, for programs, or for Graphviz. (default: text)", valueName: "text|json|dot"),
    completion: OptionValue.completion(InspectionFormat.self), transform: OptionValue.choice)
  var format = InspectionFormat.text

  @OptionGroup var result: DestinationOptions

  func run() throws {
    let progress = ProgressLine(quiet: result.quiet)
    Interrupt.handle { progress.clear() }
    defer { progress.clear() }
    let kind = try files.kind()
    if let path = result.path {
      try path.check()
      try path.differs(from: files.files() + (gradient.map { [("--gradient", $0)] } ?? []))
    }
    progress.show("reading the files")
    let inspection = try inspect(kind)
    progress.clear()
    try result.write(text(of: inspection))
  }

  private func inspect(_ kind: ModelKind) throws -> Inspection {
    let names = try files.names()
    var options = InspectOptions()
    options.precision = precision
    options.sample = sample
    switch kind {
    case .source(let path), .library(let path):
      throw InputError(
        "this is a cost of your own, which has no graph to show", file: path,
        remedy: "inspect takes ONNX models and network files")
    case .onnx(let path):
      return try ModelInspector.onnx(
        path, batch: files.batch, parameters: files.parameters, gradient: gradient,
        cost: try onnx.choice(), names: names, options)
    case .network(let path):
      try onnx.requireNone()
      return try ModelInspector.network(
        path, batch: files.batch, parameters: files.parameters, gradient: gradient, names: names,
        options)
    }
  }

  private func text(of inspection: Inspection) throws -> String {
    switch format {
    case .text:
      TextInspection.write(inspection, nodes: nodes, colour: result.takesColour)
    case .json: try JSONInspection.write(inspection)
    case .dot: DotGraph.write(inspection)
    }
  }
}

/// How an inspection is written.
enum InspectionFormat: String, CaseIterable, Sendable {
  /// For people.
  case text
  /// For programs.
  case json
  /// For Graphviz.
  case dot
}
