import ArgumentParser
import Foundation
import GPUCheck

/// `gpucheck check`: files in, a report out.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks a gradient: right or wrong, and where.",
    discussion: """
      The files are NumPy's .npz or Safetensors, by name (x, y, W1, b1, …), or one \
      flat vector for parameters and gradient. docs/files.md describes them, \
      docs/network-file.md the model, docs/report.md the report.

      Examples:
        gpucheck check model.json --batch batch.npz \\
          --parameters theta.npz --gradient dtheta.npz
        … --device cpu --precision f64      on the CPU, in double
        … --sample 1000 --seed 7            some components of a large network
        … --directional 4                   whole tensors at once, where components are too many
        … --expected-cost 2.3026            compares your cost with J first
        … --format json --output out.json   for a program or a CI job
        … --save-numeric numeric.npz        keeps the numeric gradient and its bars
        … --rename 'fc*.weight=W*'          where your names differ from the model's

      A cost of your own, in OpenCL C or compiled into a library (docs/user-cost.md):
        gpucheck check cost.cl --parameters theta.npz --gradient dtheta.npz
        gpucheck check --library ./libnet.so --parameters theta.npz --gradient dtheta.npz

      Exit status: 0 passed, 1 failed, 2 bad input or no way to run, \
      3 undecidable at this precision, 130 interrupted.
      """)

  @OptionGroup var files: ProblemOptions

  @OptionGroup var onnx: ONNXOptions

  @Option(
    help: .init("dθ, the gradient to check.", valueName: "file"), completion: TensorFiles.completion
  )
  var gradient: String

  @OptionGroup var devices: DeviceChoiceOptions

  @Option(
    help: .init(
      "The precision of the evaluation; auto is f64 where the device has double. (default: auto)",
      valueName: "auto|f64|f32"),
    completion: OptionValue.completion(PrecisionChoice.self), transform: OptionValue.choice)
  var precision = PrecisionChoice.auto

  @Option(
    help: .init(
      "Exact differences, whole forward passes on the device, or plain loops on the CPU. "
        + "(default: difference; textbook for a cost of your own)",
      valueName: "difference|direct|textbook"),
    completion: OptionValue.completion(Evaluator.self), transform: OptionValue.choice)
  var evaluator: Evaluator?

  @OptionGroup var steps: StepOptions

  @Option(
    parsing: .unconditional,
    help: .init(
      "Check every tensor along so many random directions; one that fails is halved until the wrong "
        + "part is named (docs/directional.md).", valueName: "k"),
    transform: { try OptionValue.count($0, atLeast: 1) })
  var directional: Int?

  @Option(
    parsing: .unconditional,
    help: .init("How many of the worst components to list. (default: 10)", valueName: "k"),
    transform: { try OptionValue.count($0, atLeast: 0) })
  var top = CheckOptions().top

  @Option(
    parsing: .unconditional,
    help: .init("The distance up to which a check passes. (default: 1e-5)", valueName: "r"),
    transform: OptionValue.tolerance)
  var tolerance = CheckOptions().tolerance

  @Option(
    parsing: .unconditional,
    help: .init("The cost that your code gives; it is compared with J first.", valueName: "j"),
    transform: OptionValue.cost)
  var expectedCost: ExpectedCost?

  @Option(
    help: .init(
      "Write the numeric gradient and its error bars to this .npz, .npy or .safetensors file.",
      valueName: "file"),
    completion: TensorFiles.completion)
  var saveNumeric: String?

  @Option(
    help: .init(
      "Keep results in this file as they come; after an interruption the same command goes on from "
        + "there.", valueName: "file"),
    completion: .file())
  var journal: String?

  @Flag(help: "Say where the time went, by kernel and by phase.")
  var profile = false

  @OptionGroup var userCost: UserCostOptions

  @OptionGroup var result: OutputOptions
}
