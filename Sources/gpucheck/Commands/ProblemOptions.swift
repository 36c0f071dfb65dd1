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

  @Option(
    parsing: .unconditionalSingleValue,
    help: .init(
      "Call a tensor of the files as the network does; * stands for the same letters on both "
        + "sides: 'fc1.*=layer1/*'. May be repeated.", valueName: "from=to"))
  var rename: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: .init(
      "Transpose this matrix where it comes in the reversed shape; * as above. May be repeated.",
      valueName: "name"))
  var transpose: [String] = []

  /// What is renamed and transposed on the way from the files to the network.
  func names() throws -> TensorNames { try TensorNames(rename: rename, transpose: transpose) }
}

/// Files of tensors as the command line knows them.
enum TensorFiles {
  static let completion = CompletionKind.file(extensions: TensorFormat.allCases.map(\.rawValue))
}
