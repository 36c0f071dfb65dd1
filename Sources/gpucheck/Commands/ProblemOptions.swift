import ArgumentParser
import GPUCheck

/// What is evaluated: the network, a batch and θ. Shared by the commands that perturb.
struct ProblemOptions: ParsableArguments {
  @Argument(
    help: "An ONNX model, a network as a JSON file, or a cost of your own, a .cl file.",
    completion: .file(extensions: ["onnx", "json", "cl"]))
  var model: String?

  @Option(
    help: .init(
      "Check a cost of your own in this shared library, in the place of a model.", valueName: "file"
    ),
    completion: .file(extensions: ["so", "dylib"]))
  var library: String?

  @Option(
    help: .init(
      "The batch: x and y (and dropout masks); a model's other inputs; what a cost of your own "
        + "asks for.", valueName: "file"),
    completion: TensorFiles.completion)
  var batch: String?

  @Option(
    help: .init(
      "θ, where the gradient was taken; an ONNX model may hold it itself.", valueName: "file"),
    completion: TensorFiles.completion)
  var parameters: String?

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

  /// What is checked.
  func kind() throws -> ModelKind { try ModelKind(model: model, library: library) }

  /// The batch, which a network needs.
  func networkBatch() throws -> String {
    guard let batch else { throw ValidationError("Missing expected argument '--batch <file>'") }
    return batch
  }

  /// θ, which all but an ONNX model need.
  func requiredParameters() throws -> String {
    guard let parameters else {
      throw ValidationError("Missing expected argument '--parameters <file>'")
    }
    return parameters
  }

  /// Throws where tensors are to be renamed or transposed on the way to a cost of the user's own, which
  /// takes them as they are.
  func requireNoMapping() throws {
    guard rename.isEmpty, transpose.isEmpty else {
      throw InputError(
        "--rename and --transpose are for networks; a cost of your own takes the tensors as they are",
        remedy: "leave them out")
    }
  }

  /// The files that are read, by what they are given with.
  func files() throws -> [(option: String, path: String)] {
    let kind = try kind()
    var files = parameters.map { [(option: "--parameters", path: $0)] } ?? []
    if case .library(let path) = kind {
      files.append(("--library", path))
    } else {
      files.append(("MODEL", kind.path))
    }
    if let batch { files.append(("--batch", batch)) }
    return files
  }

  /// What is renamed and transposed on the way from the files to the network.
  func names() throws -> TensorNames { try TensorNames(rename: rename, transpose: transpose) }
}

/// Files of tensors as the command line knows them.
enum TensorFiles {
  static let completion = CompletionKind.file(extensions: TensorFormat.allCases.map(\.rawValue))
}
