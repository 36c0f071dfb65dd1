import ArgumentParser
import GPUCheck

/// What of an ONNX model is J.
struct ONNXOptions: ParsableArguments {
  @Option(
    help: .init(
      "The output of the model that is the cost, or that --loss is taken of; the only one where "
        + "there is one.", valueName: "name"))
  var cost: String?

  @Option(
    help: .init(
      "Add a loss to an output of the model that is no cost. --labels says where its targets are.",
      valueName: LossName.list),
    completion: .list(LossName.allCases.map(\.rawValue)), transform: OptionValue.choice)
  var loss: LossName?

  @Option(
    help: .init(
      "The tensor of the batch with the labels of --loss. (default: y)", valueName: "name")
  )
  var labels: String?

  @Option(
    help: .init(
      "How --loss puts the samples together. (default: mean)", valueName: "mean|sum"),
    completion: OptionValue.completion(Loss.Reduction.self), transform: OptionValue.choice)
  var reduction: Loss.Reduction?

  @Option(
    help: .init(
      "Check a layer's backward pass: J = Σ dout·output, with dout by output in this file.",
      valueName: "file"), completion: TensorFiles.completion)
  var upstream: String?

  /// What of the model is J.
  func choice() throws -> ONNXCost {
    guard loss == nil || upstream == nil else {
      throw ValidationError("Expected --loss or --upstream, found both")
    }
    guard loss != nil || (labels == nil && reduction == nil) else {
      throw ValidationError("--labels and --reduction are for --loss")
    }
    return ONNXCost(
      output: cost, loss: loss.map { ($0.kind, labels ?? "y") }, reduction: reduction ?? .mean,
      upstream: upstream)
  }

  /// Throws where one of them is given for another kind of model.
  func requireNone() throws {
    guard try choice() == ONNXCost() else {
      throw InputError(
        "--cost, --loss, --labels, --reduction and --upstream are for ONNX models; other models say "
          + "themselves what the cost is", remedy: "leave them out")
    }
  }
}

/// The losses that can be added to a model's output.
enum LossName: String, CaseIterable {
  case crossEntropy = "cross-entropy"
  case binaryCrossEntropyWithLogits = "binary-cross-entropy-with-logits"
  case binaryCrossEntropy = "binary-cross-entropy"
  case squaredError = "squared-error"

  static let list = allCases.map(\.rawValue).joined(separator: "|")

  var kind: Loss.Kind {
    switch self {
    case .crossEntropy: .softmaxCrossEntropy
    case .binaryCrossEntropyWithLogits: .binaryCrossEntropyWithLogits
    case .binaryCrossEntropy: .binaryCrossEntropy
    case .squaredError: .squaredError
    }
  }
}
