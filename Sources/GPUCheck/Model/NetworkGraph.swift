// From a network and a batch to a graph of operators. A new kind of layer, activation or loss is a
// few lines here; a new operator is one in Primitives/.

extension Network {
  /// How θ is laid out: `W1, b1, W2, …` layer by layer. Weights are `[out, in]` or `[in, out]`, as
  /// `weightLayout` says, biases `[out]`.
  public var parameterLayout: ParameterLayout {
    var parts: [(name: String, shape: [Int])] = []
    var width = inputs
    for layer in layers {
      let shape = weightLayout == .outIn ? [layer.units, width] : [width, layer.units]
      parts.append((layer.weights, shape))
      if let biases = layer.biases { parts.append((biases, [layer.units])) }
      width = layer.units
    }
    return ParameterLayout(parts)
  }

  /// The cost of a batch as a graph over θ.
  ///
  /// - Parameters:
  ///   - x: `[batch, inputs]`.
  ///   - y: class indices `[batch]` or `[batch, 1]`, or probabilities `[batch, classes]` (one-hot
  ///     rows for the multi-class hinge), as its shape says, for the losses over classes; else
  ///     `[batch, outputs]`, or `[batch]` for one output.
  ///   - masks: by name, `[batch, units]` or `[units]`; ones that no layer names are ignored.
  ///
  /// Throws an `InputError` naming the tensor, and the element where one is to blame.
  public func graph(x: Tensor, y: Tensor, masks: [String: Tensor] = [:]) throws -> Graph {
    try checkStructure()
    let batch = try sampleCount(of: x)
    let targets = try targets(y, batch: batch)
    let masks = try layerMasks(masks, batch: batch)

    var graph = Graph(layout: parameterLayout)
    let parameters = graph.layout.segments.indices.map { graph.parameter(segment: $0) }
    var weights: [Graph.NodeID] = []
    var segment = 0
    var a = graph.constant("x", x)
    for (index, layer) in layers.enumerated() {
      weights.append(parameters[segment])
      let end = segment + (layer.biases == nil ? 1 : 2)
      a = try graph.apply(
        .dense(weightLayout), [a] + parameters[segment..<end], name: "z\(index + 1)")
      segment = end
      if let operation = layer.activation.operation {
        a = try graph.apply(operation, [a], name: "a\(index + 1)")
      }
      if let mask = masks[index] {
        let factor = graph.constant(mask.name, mask.tensor)
        a = try graph.apply(.element(.multiply), [a, factor], name: "dropout\(index + 1)")
      }
    }
    let loss = try graph.apply(
      self.loss.kind.operation, [a, graph.constant("y", targets)], name: "loss")
    graph.addToCost(loss, factor: lossFactor(batch: batch))
    try addRegularization(
      over: regularization.scope == .weights ? weights : parameters, batch: batch, to: &graph)
    return graph
  }

  /// What to know of a check of this network: how dropout is treated, and a loss that applies the
  /// last activation a second time.
  public var warnings: [String] {
    var warnings: [String] = []
    for (number, layer) in zip(1..., layers) {
      switch layer.dropout {
      case .keepAll:
        warnings.append("layer \(number): dropout is checked with keep-probability 1")
      case .mask(let name):
        warnings.append("layer \(number): dropout is checked with the given mask '\(name)'")
      case nil: break
      }
    }
    let twice: String? =
      switch (layers.last?.activation, loss.kind) {
      case (.softmax, .softmaxCrossEntropy): "softmax-cross-entropy applies softmax"
      case (.sigmoid, .binaryCrossEntropyWithLogits):
        "binary-cross-entropy-with-logits applies the sigmoid"
      default: nil
      }
    if let twice {
      warnings.append("layer \(layers.count): \(twice) itself, after this layer's own")
    }
    if loss.kind == .softmaxCrossEntropy, layers.last?.units == 1 {
      warnings.append("softmax-cross-entropy over a single class is always 0")
    }
    return warnings
  }

  // MARK: The cost

  /// What the sum of the loss's elements is multiplied by.
  private func lossFactor(batch: Int) -> Double {
    var divisor = 1
    if loss.batch == .mean { divisor *= batch }
    if loss.outputs == .mean, !loss.kind.isOverClasses { divisor *= layers.last?.units ?? 1 }
    return loss.factor / Double(divisor)
  }

  private func addRegularization(
    over nodes: [Graph.NodeID], batch: Int, to graph: inout Graph
  ) throws {
    let terms: [(name: String, function: ElementFunction, factor: Double)] = [
      ("l2", .square, regularization.l2 / 2), ("l1", .absolute, regularization.l1),
    ]
    let divisor = regularization.perSample ? Double(batch) : 1
    for term in terms where term.factor != 0 {
      for node in nodes {
        let name = "\(term.name) of \(graph.nodes[node].name)"
        let penalty = try graph.apply(.element(term.function), [node], name: name)
        graph.addToCost(penalty, factor: term.factor / divisor)
      }
    }
  }

  // MARK: Structure

  /// What a network file cannot get wrong, but a network put together in memory can.
  private func checkStructure() throws {
    guard !layers.isEmpty else {
      throw InputError("the network has no layers", remedy: "add at least one")
    }
    guard inputs > 0 else {
      throw InputError("the network has \(inputs) inputs, expected at least 1")
    }
    for (number, layer) in zip(1..., layers) where layer.units < 1 {
      throw InputError("layer \(number) has \(layer.units) units, expected at least 1")
    }
    var names: Set<String> = []
    for segment in parameterLayout.segments where !names.insert(segment.name).inserted {
      throw InputError(
        "two parameters have this name", tensor: segment.name,
        remedy: "give each parameter a name of its own")
    }
  }
}

extension Activation {
  /// The operator that computes it; nil for the identity.
  fileprivate var operation: Operator? {
    switch self {
    case .identity: nil
    case .relu: .element(.relu)
    case .selu: .element(.selu)
    case .tanh: .element(.tanh)
    case .sigmoid: .element(.sigmoid)
    case .softplus: .element(.softplus)
    case .silu: .element(.silu)
    case .leakyRelu(let slope): .element(.leakyRelu(slope: slope))
    case .elu(let alpha): .element(.elu(alpha: alpha))
    case .gelu: .element(.gelu)
    case .geluTanh: .element(.geluTanh)
    case .softmax: .softmax
    }
  }
}

extension Loss.Kind {
  /// The operator of the last layer's values and the targets.
  fileprivate var operation: Operator {
    switch self {
    case .softmaxCrossEntropy: .softmaxCrossEntropy
    case .multiclassHinge(let margin): .multiclassHinge(margin: margin)
    case .binaryCrossEntropyWithLogits: .element(.binaryCrossEntropyWithLogits)
    case .binaryCrossEntropy: .element(.binaryCrossEntropy)
    case .squaredError: .element(.squaredError)
    case .huber(let delta): .element(.huber(delta: delta))
    case .hinge(let margin): .element(.hinge(margin: margin))
    }
  }

  /// Whether a sample has one class, and the loss is one number a sample.
  var isOverClasses: Bool {
    switch self {
    case .softmaxCrossEntropy, .multiclassHinge: true
    default: false
    }
  }
}
