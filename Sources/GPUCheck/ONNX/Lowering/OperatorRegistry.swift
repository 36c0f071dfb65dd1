/// How an operator of ONNX is lowered.
package struct OperatorLowering: Sendable {
  package let name: String
  /// Whose operator it is; `""` is the standard's, `ai.onnx`.
  package let domain: String
  /// What it becomes, in a few words.
  package let summary: String
  /// What of it is not read; empty where all is.
  package let restriction: String
  let lower: @Sendable (OperatorCall, GraphBuilder) throws -> [LoweredValue?]

  /// An operator of several outputs.
  static func outputs(
    _ name: String, _ summary: String, except restriction: String = "", domain: String = "",
    _ lower: @escaping @Sendable (OperatorCall, GraphBuilder) throws -> [LoweredValue?]
  ) -> OperatorLowering {
    OperatorLowering(
      name: name, domain: domain, summary: summary, restriction: restriction, lower: lower)
  }

  /// An operator of one output.
  static func one(
    _ name: String, _ summary: String, except restriction: String = "", domain: String = "",
    _ lower: @escaping @Sendable (OperatorCall, GraphBuilder) throws -> LoweredValue
  ) -> OperatorLowering {
    outputs(name, summary, except: restriction, domain: domain) { [try lower($0, $1)] }
  }

  /// A function of each element.
  static func element(_ name: String, _ function: ElementFunction) -> OperatorLowering {
    one(name, "`\(function.name)`") { call, builder in
      try builder.element(function, call.input(0))
    }
  }
}

/// The operators that are lowered, one line each; a family of them stands in each file of
/// Operators/.
package enum OperatorRegistry {
  /// All of them, by name.
  package static let all: [OperatorLowering] = families.flatMap { $0 }
    .sorted { ($0.domain, $0.name) < ($1.domain, $1.name) }

  private static let families = [
    ArithmeticOperators.operators, LogicOperators.operators, ActivationOperators.operators,
    ProductOperators.operators,
    ConvolutionOperators.operators, PoolingOperators.operators, NormalisationOperators.operators,
    SoftmaxOperators.operators,
    LossOperators.operators, ReductionOperators.operators, LayoutOperators.operators,
    IndexingOperators.operators,
    ConstantOperators.operators, CastOperators.operators, RecurrentOperators.operators,
    AttentionOperators.operators, ResizeOperators.operators,
  ]

  private static let byName = Dictionary(
    all.map { ("\($0.domain)|\($0.name)", $0) }, uniquingKeysWith: { first, _ in first })

  /// The lowering of a node's operator.
  package static func lowering(of node: ONNXNode) -> OperatorLowering? {
    byName["\(node.domain)|\(node.operation)"]
  }

  /// Why an operator cannot be lowered at all; nil where it only is not.
  package static func refusal(of operation: String) -> String? {
    switch operation {
    case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
      "Multinomial":
      "it draws random numbers, so J is not a function of θ; hand them in as an input of the model"
    case "Scan":
      "its body runs once for every element; export the model with the loop unrolled"
    case _ where operation.hasPrefix("Sequence") || operation.hasPrefix("Optional"):
      "sequences and optional values are not tensors"
    case _ where operation.hasPrefix("String"):
      "strings are not numbers"
    case _ where operation.contains("Quantize") || operation.hasPrefix("QLinear"):
      "quantised values have no gradient"
    default: nil
    }
  }
}
