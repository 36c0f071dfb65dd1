/// A model and what of it is J: with a batch and θ it becomes a graph of a cost.
package struct ONNXProblemSource: Sendable {
  package let model: ONNXModel
  package let cost: CostChoice

  package init(model: ONNXModel, cost: CostChoice = .output(nil)) {
    self.model = model
    self.cost = cost
  }

  /// What a model, a batch and θ make.
  package struct Lowered: Sendable {
    package var graph: Graph
    package var parameters: ParameterVector
    /// What to know of how the model was read.
    package var warnings: [String]
  }

  /// The operators that J needs and that are not supported, each once.
  package func unsupported() throws -> [UnsupportedOperator] {
    UnsupportedOperator.all(for: try cost.outputs(of: model.graph), in: model.graph)
  }

  /// The names that θ may be made of: inputs and initialisers of floating-point numbers.
  package var parameterNames: [String] {
    let graph = model.graph
    let inputs = graph.inputs.filter { $0.elementType?.isFloatingPoint ?? true }.map(\.name)
    let known = Set(inputs)
    return inputs
      + graph.initializerOrder.filter {
        !known.contains($0) && graph.initializers[$0]?.elementType.isFloatingPoint == true
      }
  }

  /// The inputs that a batch must hold, given the names of the gradient.
  package func batchInputs(gradient: some Sequence<String>) throws -> [ONNXValue] {
    let names = Set(gradient)
    let needed = try neededNames()
    return model.graph.inputs.filter {
      !names.contains($0.name) && needed.contains($0.name)
        && model.graph.initializers[$0.name] == nil
    }
  }

  /// The graph of J, and θ.
  ///
  /// - Parameters:
  ///   - batch: the inputs by name.
  ///   - parameters: values of θ by name, which are taken before an initialiser's.
  ///   - gradient: the names of the tensors that θ is made of. They become segments in the order of
  ///     the model's inputs, then of its initialisers.
  ///
  /// Throws an `InputError` naming the tensor or the node that is to blame.
  package func lower(
    batch: [String: Tensor], parameters: [String: Tensor] = [:], gradient: [String]
  ) throws -> Lowered {
    if let error = UnsupportedOperator.error(try unsupported()) { throw error }
    let binding = ModelBinding(model.graph)
    let theta = try binding.parameters(parameters, gradient: gradient)
    let (graph, warnings) = try graph(
      GraphBuilder(parameters: theta), binding, batch: batch, parameters: parameters)
    return Lowered(graph: graph, parameters: theta, warnings: warnings)
  }

  /// The graph of J alone, for which θ needs shapes only: no value of θ is read, unless a branch
  /// depends on it.
  ///
  /// - Parameters:
  ///   - shapes: of what is handed in for θ, by name; the model's own serve where there is none.
  ///   - constants: values of parameters that θ is not made of.
  package func outline(
    batch: [String: Tensor], shapes: [String: [Int]] = [:], constants: [String: Tensor] = [:],
    gradient: [String]
  ) throws -> (graph: Graph, warnings: [String]) {
    if let error = UnsupportedOperator.error(try unsupported()) { throw error }
    let binding = ModelBinding(model.graph)
    let layout = try binding.layout(shapes, gradient: gradient)
    let builder = GraphBuilder(layout: layout) { number in
      let part = layout.segments[number]
      return try model.graph.initializers[part.name]?.tensor().values
        ?? [Double](repeating: 0, count: part.count)
    }
    return try graph(builder, binding, batch: batch, parameters: constants)
  }

  /// The graph of J, over the builder's θ.
  private func graph(
    _ builder: GraphBuilder, _ binding: ModelBinding, batch: [String: Tensor],
    parameters: [String: Tensor]
  ) throws -> (graph: Graph, warnings: [String]) {
    let scope = try bound(binding, builder, batch: batch, parameters: parameters)
    let names = try cost.outputs(of: model.graph)
    let values = try walk(builder).values(of: names, in: model.graph, scope)
    let result = try cost.cost(of: Array(zip(names, values)), builder)
    let graph = try CostTerms(of: builder.node(result), in: builder.graph).pruned()
    return (
      graph,
      builder.warnings + binding.warnings(graph, parameters: parameters, batch: batch)
    )
  }

  /// The values of J's outputs at θ, whatever their shapes, by the operators' forward passes. The
  /// gradient may name nothing: then all is constant.
  package func outputs(
    batch: [String: Tensor], parameters: [String: Tensor] = [:], gradient: [String]
  ) throws -> [String: Tensor] {
    if let error = UnsupportedOperator.error(try unsupported()) { throw error }
    let binding = ModelBinding(model.graph)
    let theta =
      gradient.isEmpty
      ? try ParameterVector(layout: ParameterLayout([]), values: [])
      : try binding.parameters(parameters, gradient: gradient)
    let builder = GraphBuilder(parameters: theta)
    let scope = try bound(binding, builder, batch: batch, parameters: parameters)
    let names = try cost.outputs(of: model.graph)
    let values = try walk(builder).values(of: names, in: model.graph, scope)
    return Dictionary(
      try zip(names, values).map { ($0, try builder.currentTensor($1)) },
      uniquingKeysWith: { first, _ in first })
  }

  private func walk(_ builder: GraphBuilder) -> ModelWalk {
    ModelWalk(builder: builder, opsets: model.opsets.merging(["": model.opset]) { $1 })
  }

  /// The scope in which inputs, θ and what replaces an initialiser are defined.
  private func bound(
    _ binding: ModelBinding, _ builder: GraphBuilder, batch: [String: Tensor],
    parameters: [String: Tensor]
  ) throws -> Scope {
    var dimensions = ModelDimensions()
    let layout = builder.graph.layout
    let scope = Scope(model.graph)
    let inputs = Dictionary(
      model.graph.inputs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for (number, segment) in layout.segments.enumerated() {
      if let input = inputs[segment.name] { try dimensions.bind(input, to: segment.shape) }
      scope.define(
        segment.name,
        builder.parameter(segment: number, type: binding.elementType(of: segment.name)))
    }
    // A parameter that is not checked is a constant of the value given.
    for (name, tensor) in parameters where layout.segment(named: name) == nil {
      guard let value = try binding.constant(name, tensor) else { continue }
      if let input = inputs[name] { try dimensions.bind(input, to: tensor.shape) }
      scope.define(name, value)
    }
    for input in try batchInputs(gradient: layout.segments.map(\.name))
    where parameters[input.name] == nil {
      let tensor = try binding.batchTensor(input, batch)
      try dimensions.bind(input, to: tensor.shape)
      scope.define(input.name, LoweredValue(tensor))
    }
    return scope
  }

  /// The names that J is made of.
  func neededNames() throws -> Set<String> {
    let outputs = try cost.outputs(of: model.graph)
    var names = Set(outputs)
    for number in ModelWalk.needed(for: outputs, in: model.graph) {
      let node = model.graph.nodes[number]
      names.formUnion(node.inputs)
      names.formUnion(node.outerNames)
    }
    return names
  }
}
