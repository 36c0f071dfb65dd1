/// Builds the graph of a cost out of operators on lowered values. What depends on no parameter is
/// computed at once, by the same operators, and becomes a constant.
final class GraphBuilder {
  private(set) var graph: Graph
  /// The values of a segment of θ, which branches are taken at.
  private let parameterValues: (Int) throws -> [Double]
  /// What the nodes being added are called: the ONNX value they make.
  var name = ""
  private(set) var warnings: [String] = []
  /// What nodes that are a softmax of some kind were made of, by node.
  private var softmaxes: [Graph.NodeID: Softmaxed] = [:]
  private var transposed: [Graph.NodeID: Graph.NodeID] = [:]
  private var valuesAtTheta: [Graph.NodeID: [Double]] = [:]

  /// A builder over θ, whose values are asked for only where a branch depends on them.
  init(layout: ParameterLayout, values: @escaping (Int) throws -> [Double]) {
    parameterValues = values
    graph = Graph(layout: layout)
  }

  convenience init(parameters: ParameterVector) {
    self.init(layout: parameters.layout) { Array(parameters[segment: $0]) }
  }

  /// Adds a warning, unless it was given before.
  func warn(_ text: String) {
    if !warnings.contains(text) { warnings.append(text) }
  }

  // MARK: Values

  /// A constant.
  func constant(_ shape: [Int], _ values: [Double], _ type: ElementType = .float64) -> LoweredValue
  {
    LoweredValue(Tensor(shape: shape, values: values, elementType: type))
  }

  /// A constant of no axes.
  func scalar(_ value: Double, _ type: ElementType = .float64) -> LoweredValue {
    constant([], [value], type)
  }

  /// A vector of whole numbers.
  func integers(_ values: [Int]) -> LoweredValue {
    constant([values.count], values.map(Double.init), .int64)
  }

  /// A segment of θ. One without elements is a constant.
  func parameter(segment: Int, type: ElementType) -> LoweredValue {
    let part = graph.layout.segments[segment]
    guard part.count > 0 else { return constant(part.shape, [], type) }
    return LoweredValue(
      node: graph.parameter(segment: segment), shape: part.shape, elementType: type)
  }

  /// The tensor of a constant; nil where the value depends on θ.
  func tensor(_ value: LoweredValue) throws -> Tensor? {
    guard case .constant(let shared) = try materialised(value).content else { return nil }
    return Tensor(
      shape: value.shape, values: shared.tensor.values, elementType: value.elementType)
  }

  /// The values of a constant, or those that a value has at θ: what shapes and indices are made
  /// of. That they are branches is told in a warning.
  func atTheta(_ value: LoweredValue, _ meaning: String) throws -> Tensor {
    if let tensor = try tensor(value) { return tensor }
    warn("\(name): \(meaning) depends on θ; what it is at θ is taken for constant")
    return try currentTensor(value)
  }

  /// The values that something has at θ, without a word.
  func currentTensor(_ value: LoweredValue) throws -> Tensor {
    if let tensor = try tensor(value) { return tensor }
    let value = try materialised(value)
    return Tensor(
      shape: value.shape, values: try valuesAtTheta(node(value)), elementType: value.elementType)
  }

  /// The node that stands for a value.
  func node(_ value: LoweredValue) throws -> Graph.NodeID {
    switch try materialised(value).content {
    case .node(let id): return id
    case .constant(let shared):
      if let id = shared.node { return id }
      let id = graph.constant(name, shared.tensor)
      shared.node = id
      return id
    }
  }

  /// The operator that makes a value, and the nodes it takes; nil for constants and parameters.
  func definition(_ value: LoweredValue) -> (operation: Operator, inputs: [Graph.NodeID])? {
    guard case .node(let id) = value.content, !value.isTransposed,
      case .apply(let operation, let inputs) = graph.nodes[id].definition
    else { return nil }
    return (operation, inputs)
  }

  /// The value of a node that is there already.
  func value(of node: Graph.NodeID, _ type: ElementType) -> LoweredValue {
    if case .constant(let tensor) = graph.nodes[node].definition { return LoweredValue(tensor) }
    return LoweredValue(node: node, shape: graph.nodes[node].shape, elementType: type)
  }

  // MARK: Operators

  /// The value of an operator: a constant where all it takes are, else a node. It has the type of
  /// the first input unless another is given.
  func apply(_ operation: Operator, _ inputs: [LoweredValue], type: ElementType? = nil) throws
    -> LoweredValue
  {
    let inputs = try inputs.map(materialised)
    let type = type ?? inputs.first?.elementType ?? .float32
    let tensors = inputs.compactMap { value -> Tensor? in
      if case .constant(let shared) = value.content { shared.tensor } else { nil }
    }
    let shapes = inputs.map(\.shape)
    let primitive = operation.primitive
    let shape = try InputError.about(tensor: name) { try primitive.outputShape(shapes) }
    if shape.contains(0) { return constant(shape, [], type) }
    try requireHoldable(shape)
    if tensors.count == inputs.count {
      return constant(shape, primitive.forward(tensors.map(\.values), shapes: shapes), type)
    }
    let id = try graph.apply(operation, inputs.map(node), name: name)
    return LoweredValue(node: id, shape: shape, elementType: type)
  }

  /// The value with its pending transposition done.
  func materialised(_ value: LoweredValue) throws -> LoweredValue {
    guard value.isTransposed else { return value }
    if case .node(let id) = value.content, let done = transposed[id] {
      return LoweredValue(node: done, shape: value.shape, elementType: value.elementType)
    }
    var stored = value
    stored.isTransposed = false
    stored.shape.swapAt(value.rank - 1, value.rank - 2)
    var order = Array(0..<value.rank)
    order.swapAt(value.rank - 1, value.rank - 2)
    let result = try permutedByGather(stored, order)
    if case .node(let id) = value.content, case .node(let done) = result.content {
      transposed[id] = done
    }
    return result
  }

  // MARK: Softmaxes

  /// What a node is a softmax of, so that a loss can go back to the logits.
  struct Softmaxed {
    var logits: LoweredValue
    var axis: Int
    var isLogarithm: Bool
  }

  func remember(_ value: LoweredValue, as origin: Softmaxed) {
    if case .node(let id) = value.content { softmaxes[id] = origin }
  }

  func softmaxed(_ value: LoweredValue) -> Softmaxed? {
    guard case .node(let id) = value.content, !value.isTransposed else { return nil }
    return softmaxes[id]
  }

  // MARK: Values at θ

  /// The value of a node at θ, by one forward pass over what it is made of.
  private func valuesAtTheta(_ id: Graph.NodeID) throws -> [Double] {
    var wanted = [id]
    var needed: Set<Graph.NodeID> = []
    while let next = wanted.popLast() {
      guard valuesAtTheta[next] == nil, needed.insert(next).inserted else { continue }
      if case .apply(_, let inputs) = graph.nodes[next].definition { wanted += inputs }
    }
    for node in needed.sorted() {
      switch graph.nodes[node].definition {
      case .constant(let tensor): valuesAtTheta[node] = tensor.values
      case .parameter(let segment): valuesAtTheta[node] = try parameterValues(segment)
      case .apply(let operation, let inputs):
        valuesAtTheta[node] = operation.primitive.forward(
          inputs.map { valuesAtTheta[$0] ?? [] }, shapes: inputs.map { graph.nodes[$0].shape })
      }
    }
    return valuesAtTheta[id] ?? []
  }
}
