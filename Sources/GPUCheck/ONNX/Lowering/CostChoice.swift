/// What of a model is J.
package enum CostChoice: Sendable, Equatable {
  /// An output of one element; nil where the model has only one such output.
  case output(String?)
  /// A loss of an output (nil: the only one) against labels: classes or probabilities for the losses
  /// over classes, else targets of the output's shape.
  case loss(Loss.Kind, Loss.Reduction, output: String?, labels: Tensor)
  /// Σ dout·output over some outputs: what a backward pass is started with.
  case upstream([String: Tensor])

  /// The outputs that J may be made of.
  func outputs(of graph: ONNXGraph) throws -> [String] {
    switch self {
    case .output(let name?), .loss(_, _, output: let name?, _):
      return [try Self.known(name, in: graph)]
    case .output(nil):
      // An output that is declared to have more than one element is none.
      let candidates = graph.outputs.filter { output in
        output.shape?.allSatisfy { dimension in
          if case .size(let extent) = dimension { extent == 1 } else { true }
        } ?? true
      }
      guard !candidates.isEmpty else { throw Self.none(in: graph) }
      let sure = candidates.filter { $0.shape?.allSatisfy { $0 == .size(1) } ?? false }
      return (sure.count == 1 ? sure : candidates).map(\.name)
    case .loss(_, _, output: nil, _):
      guard graph.outputs.count == 1 else {
        throw InputError(
          "the model has the outputs \(Self.list(graph)), expected a word which of them the loss is of",
          remedy: "name one with --output")
      }
      return graph.outputs.map(\.name)
    case .upstream(let tensors):
      return try tensors.keys.sorted().map { try Self.known($0, in: graph) }
    }
  }

  private static func known(_ name: String, in graph: ONNXGraph) throws -> String {
    let names = graph.outputs.map(\.name)
    if names.contains(name) { return name }
    throw InputError(
      "the model has no such output; found \(list(graph))", tensor: name,
      remedy: nearestName(to: name, among: names).map { "did you mean '\($0)'?" }
        ?? "name one of these")
  }

  private static func none(in graph: ONNXGraph) -> InputError {
    InputError(
      "no output of the model is a cost of one element; found \(list(graph))",
      remedy:
        "export the model with its loss, or name a loss and the labels (--loss), or give dout "
        + "(--upstream)")
  }

  /// The outputs with their declared shapes.
  private static func list(_ graph: ONNXGraph) -> String {
    listed(graph.outputs.map { $0.name + ($0.shape.map { " \($0.text)" } ?? "") })
  }

  /// The value of one element whose only element is J.
  func cost(of values: [(name: String, value: LoweredValue)], _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    switch self {
    case .output:
      let scalars = values.filter { $0.value.count == 1 }
      let list = listed(values.map { "\($0.name) \($0.value.shape)" })
      guard let first = scalars.first else {
        throw InputError(
          "no output of the model is a cost of one element; found \(list)",
          remedy: "export the model with its loss, or name a loss and the labels (--loss), or give "
            + "dout (--upstream)")
      }
      guard scalars.count == 1 else {
        throw InputError(
          "several outputs have one element: \(list); expected a word which of them is J",
          remedy: "name one with --cost")
      }
      return first.value
    case .loss(let kind, let reduction, _, let labels):
      guard let (name, value) = values.first else { return builder.scalar(0) }
      return try LossOfOutput(kind: kind, reduction: reduction, name: name).value(
        value, labels, builder)
    case .upstream(let tensors):
      return try builder.sum(
        values.map { name, value in
          guard let tensor = tensors[name], tensor.count == value.count,
            tensor.shape.filter({ $0 != 1 }) == value.shape.filter({ $0 != 1 })
          else {
            throw InputError(
              "found dout of shape \(tensors[name]?.shape ?? []), expected \(value.shape), the "
                + "output's", tensor: name, remedy: "hand in the gradient of J by this output")
          }
          let product = try builder.multiply(
            builder.reshape(value, [value.count]),
            builder.constant([value.count], tensor.values))
          return try builder.sum(product, axes: [0], keep: false)
        })
    }
  }
}

extension [ONNXDimension] {
  /// The lengths of all axes; nil where one is not told.
  var extents: [Int]? {
    let known = compactMap { dimension in
      if case .size(let extent) = dimension { extent } else { nil }
    }
    return known.count == count ? known : nil
  }

  /// For messages: "[batch, 10, ?]".
  var text: String {
    let parts = map { dimension in
      switch dimension {
      case .size(let extent): String(extent)
      case .symbol(let name): name
      case .unknown: "?"
      }
    }
    return "[" + parts.joined(separator: ", ") + "]"
  }
}
