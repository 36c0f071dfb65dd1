import ArgumentParser
import GPUCheck

/// What is evaluated: the network, a batch and θ. Shared by the commands that perturb.
struct ProblemOptions: ParsableArguments {
  @Argument(
    help: "The network and its cost, a JSON file.", completion: .file(extensions: ["json"]))
  var model: String

  @Option(
    help: .init("The batch: x and y (and dropout masks).", valueName: "file"),
    completion: TensorFiles.completion)
  var batch: String

  @Option(
    help: .init("θ, where the gradient was taken.", valueName: "file"),
    completion: TensorFiles.completion)
  var parameters: String
}

/// Files of tensors as the command line knows them.
enum TensorFiles {
  static let completion = CompletionKind.file(extensions: ["npz", "npy"])
}
