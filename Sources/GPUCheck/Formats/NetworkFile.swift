import Foundation

/// Network files: JSON of the schema `gpucheck.network/1` (docs/network-file.md).
public enum NetworkFile {
  /// What the key `schema` must say.
  public static let schema = "gpucheck.network/1"
  /// Bytes that no description of a network needs. Parsed JSON takes many times its text.
  private static let sizeLimit = 1 << 20

  /// The network that a file describes.
  ///
  /// Throws an `InputError` naming the file and the place in it.
  public static func read(_ path: String) throws -> Network {
    let data = try InputFile.read(path)
    return try InputError.about(file: path) { try decode(data) }
  }

  /// The network that the bytes of a file describe.
  ///
  /// Throws an `InputError` with line and column for malformed JSON, and with the path of the
  /// value, such as `layers[1].activation`, for anything that the schema does not know.
  public static func decode(_ data: Data) throws -> Network {
    guard data.count <= sizeLimit else {
      throw InputError(
        "a file of \(data.count) bytes, expected at most \(sizeLimit): the description of a network",
        remedy: "give the parameters and the batch as tensor files")
    }
    let root = try JSONNode(JSONValue(parsing: data)).object(
      "a network",
      keys: ["schema", "inputs", "weightLayout", "layers", "loss", "regularization"])
    let version = try root.required("schema")
    guard try version.string() == schema else {
      throw version.error(
        "found \(version.value.summary), expected \"\(schema)\"",
        remedy: "see docs/network-file.md")
    }
    let inputs = try root.required("inputs").count()
    let layout = try root["weightLayout"]?.choice("weight layout", named(WeightLayout.allCases))
    let list = try root.required("layers")
    let nodes = try list.elements("an array of layers")
    guard !nodes.isEmpty else {
      throw list.error("no layers, expected at least one", remedy: "add a layer")
    }
    let layers = try nodes.enumerated().map { try layer($1, number: $0 + 1) }
    try checkNames(of: layers)
    try checkSize(of: layers, inputs: inputs)
    return Network(
      inputs: inputs, layers: layers, loss: try loss(root.required("loss")),
      regularization: try root["regularization"].map(regularization) ?? .none,
      weightLayout: layout ?? .outIn)
  }

  // MARK: Layers

  private static func layer(_ node: JSONNode, number: Int) throws -> DenseLayer {
    let object = try node.object(
      "a layer", keys: ["units", "activation", "weights", "biases", "dropout"])
    var biases: String? = "b\(number)"
    if let node = object["biases"] {
      switch node.value {
      case .bool(false): biases = nil
      case .string: biases = try node.name()
      default:
        throw node.error(
          "found \(node.value.summary), expected a name or false",
          remedy: "leave the key out for the name b\(number)")
      }
    }
    return DenseLayer(
      units: try object.required("units").count(),
      weights: try object["weights"]?.name() ?? "W\(number)", biases: biases,
      activation: try object["activation"].map(activation) ?? .identity,
      dropout: try object["dropout"].map(dropout))
  }

  /// The activations by name, with the values that their parameters have by default.
  package static let activations: [(name: String, value: Activation)] = [
    ("identity", .identity), ("relu", .relu), ("leaky-relu", .leakyRelu(slope: 0.01)),
    ("elu", .elu(alpha: 1)), ("selu", .selu), ("tanh", .tanh), ("sigmoid", .sigmoid),
    ("softplus", .softplus), ("silu", .silu), ("gelu", .gelu), ("gelu-tanh", .geluTanh),
    ("softmax", .softmax),
  ]

  private static func activation(_ node: JSONNode) throws -> Activation {
    if case .string = node.value { return try node.choice("activation", activations) }
    let object = try node.object("an activation", keys: ["type", "slope", "alpha"])
    let type = try object.required("type").choice("activation", activations)
    switch type {
    case .leakyRelu(let slope):
      try refuse("alpha", of: object, because: "only elu has it")
      return .leakyRelu(slope: try object["slope"].map(nonNegative) ?? slope)
    case .elu(let alpha):
      try refuse("slope", of: object, because: "only leaky-relu has it")
      return .elu(alpha: try object["alpha"].map(nonNegative) ?? alpha)
    default:
      try refuse("slope", of: object, because: "only leaky-relu has it")
      try refuse("alpha", of: object, because: "only elu has it")
      return type
    }
  }

  private static func dropout(_ node: JSONNode) throws -> Dropout {
    if case .string = node.value {
      return try node.choice("dropout", [("keep-all", Dropout.keepAll)])
    }
    let object = try node.object("a dropout (or the string \"keep-all\")", keys: ["mask"])
    return .mask(try object.required("mask").name())
  }

  /// Every parameter has a name of its own.
  private static func checkNames(of layers: [DenseLayer]) throws {
    var places: [String: String] = [:]
    for (index, layer) in layers.enumerated() {
      for (key, name) in [("weights", layer.weights), ("biases", layer.biases)] {
        guard let name else { continue }
        let place = "layers[\(index)].\(key)"
        if let earlier = places[name] {
          throw InputError(
            "the name \(name.debugDescription) is taken by \(earlier)", tensor: place,
            remedy: "give each parameter a name of its own")
        }
        places[name] = place
      }
    }
  }

  /// The number of parameters, and their bytes, stay within an `Int`.
  private static func checkSize(of layers: [DenseLayer], inputs: Int) throws {
    var total = 0
    var width = inputs
    for (index, layer) in layers.enumerated() {
      guard let weights = elementCount(ofShape: [layer.units, width]),
        let sum = total.adding(weights)?.adding(layer.units),
        elementCount(ofShape: [sum]) != nil
      else {
        throw InputError(
          "more parameters than any memory holds", tensor: "layers[\(index)].units",
          remedy: "correct the number of units or of inputs")
      }
      total = sum
      width = layer.units
    }
  }

  // MARK: Cost

  /// The losses by name, with the values that their parameters have by default.
  package static let losses: [(name: String, value: Loss.Kind)] = [
    ("softmax-cross-entropy", .softmaxCrossEntropy),
    ("binary-cross-entropy-with-logits", .binaryCrossEntropyWithLogits),
    ("binary-cross-entropy", .binaryCrossEntropy), ("mean-squared-error", .squaredError),
    ("huber", .huber(delta: 1)), ("hinge", .hinge(margin: 1)),
    ("multiclass-hinge", .multiclassHinge(margin: 1)),
  ]

  private static func loss(_ node: JSONNode) throws -> Loss {
    if case .string = node.value { return Loss(try node.choice("loss", losses)) }
    let object = try node.object(
      "a loss", keys: ["type", "delta", "margin", "batch", "outputs", "factor"])
    var kind = try object.required("type").choice("loss", losses)
    switch kind {
    case .huber(let delta):
      kind = .huber(
        delta: try object["delta"]?.number("a number above 0") { $0 > 0 } ?? delta)
    case .hinge(let margin):
      kind = .hinge(margin: try object["margin"].map(nonNegative) ?? margin)
    case .multiclassHinge(let margin):
      kind = .multiclassHinge(margin: try object["margin"].map(nonNegative) ?? margin)
    default: break
    }
    switch kind {
    case .huber: try refuse("margin", of: object, because: "only the hinge losses have it")
    case .hinge, .multiclassHinge:
      try refuse("delta", of: object, because: "only huber has it")
    default:
      try refuse("delta", of: object, because: "only huber has it")
      try refuse("margin", of: object, because: "only the hinge losses have it")
    }
    if kind == .softmaxCrossEntropy || kind.isMulticlassHinge {
      try refuse("outputs", of: object, because: "a loss over classes is one number a sample")
    }
    let reductions = named(Loss.Reduction.allCases)
    return Loss(
      kind, batch: try object["batch"]?.choice("reduction", reductions) ?? .mean,
      outputs: try object["outputs"]?.choice("reduction", reductions) ?? .mean,
      factor: try object["factor"]?.number("a number other than 0") { $0 != 0 } ?? 1)
  }

  private static func regularization(_ node: JSONNode) throws -> Regularization {
    let object = try node.object(
      "a regularization", keys: ["l2", "l1", "perSample", "over"])
    return Regularization(
      l2: try object["l2"].map(nonNegative) ?? 0, l1: try object["l1"].map(nonNegative) ?? 0,
      perSample: try object["perSample"]?.bool() ?? false,
      scope: try object["over"]?.choice("scope", named(Regularization.Scope.allCases)) ?? .weights)
  }

  // MARK: Helpers

  private static func nonNegative(_ node: JSONNode) throws -> Double {
    try node.number("a number of at least 0") { $0 >= 0 }
  }

  private static func refuse(
    _ key: String, of object: JSONObject, because reason: String
  ) throws {
    guard let node = object[key] else { return }
    throw node.error("this key has no meaning here: \(reason)", remedy: "remove it")
  }

  private static func named<Choice: RawRepresentable>(
    _ cases: [Choice]
  ) -> [(name: String, value: Choice)] where Choice.RawValue == String {
    cases.map { ($0.rawValue, $0) }
  }
}

extension Loss.Kind {
  fileprivate var isMulticlassHinge: Bool {
    if case .multiclassHinge = self { true } else { false }
  }
}
