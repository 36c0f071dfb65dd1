/// A walk along a graph that tells what each node depends on and finds the dense layers.
struct UnitWalk {
  /// What a node depends on.
  enum Part: Equatable {
    /// Neither parameters nor units: the batch, and what is computed from it alone.
    case still
    /// A segment of θ itself.
    case parameter(Int)
    /// Parameters alone, this segment among them: a penalty, or a part of one.
    case penalty(Int)
    /// Pre-activations of units: its first axis is that of the samples.
    case units

    /// A segment that it depends on otherwise than through units.
    var segment: Int? {
      switch self {
      case .parameter(let segment), .penalty(let segment): segment
      case .still, .units: nil
      }
    }

    var isPenalty: Bool { segment != nil }
  }

  /// A layer, the node of its pre-activation, and the one that its weights are multiplied with.
  struct Found {
    var layer: UnitLayer
    var node: Graph.NodeID
    var input: Graph.NodeID?
    /// What is added to it for each unit, a parameter or a constant; nil where nothing is.
    var bias: Graph.NodeID?
  }

  let graph: Graph
  private(set) var parts: [Part] = []
  private(set) var layers: [Found] = []
  /// The length of the sample axis; nil before the first layer.
  private(set) var samples: Int?
  /// Where each segment that is a layer's was found.
  private var owners: [Int: String] = [:]
  private let uses: [Int]

  init(_ graph: Graph) {
    self.graph = graph
    uses = graph.uses
  }

  /// Throws an `InputError` at the first node that the differences of units cannot pass.
  mutating func run() throws {
    for (id, node) in graph.nodes.enumerated() {
      switch node.definition {
      case .constant: parts.append(.still)
      case .parameter(let segment): parts.append(.parameter(segment))
      case .apply(let operation, let inputs):
        let isLayer = try findLayer(operation, inputs, at: id)
        parts.append(isLayer ? .units : try part(operation, inputs, at: id))
      }
    }
  }

  // MARK: Layers

  /// Notes a layer whose pre-activation a node is; false where it is none.
  private mutating func findLayer(
    _ operation: Operator, _ inputs: [Graph.NodeID], at id: Graph.NodeID
  ) throws -> Bool {
    switch operation {
    case .dense(let layout):
      let bias = inputs.count > 2 ? inputs[2] : nil
      return try findLayer(
        at: id, of: inputs[0], weights: inputs[1], layout, bias: bias)
    case .matrixProduct(let form):
      guard graph.nodes[inputs[0]].shape.count == 2, graph.nodes[inputs[1]].shape.count == 2,
        !form.transposeA
      else { return false }
      return try findLayer(
        at: id, of: inputs[0], weights: inputs[1], form.transposeB ? .outIn : .inOut, bias: nil)
    case .combine(.add):
      for (bias, other) in [(inputs[1], inputs[0]), (inputs[0], inputs[1])] {
        if case .parameter(let segment) = parts[bias] {
          return try findBias(segment, bias, addedTo: other, at: id)
        }
      }
      return false
    default: return false
    }
  }

  private mutating func findLayer(
    at id: Graph.NodeID, of input: Graph.NodeID, weights: Graph.NodeID, _ layout: WeightLayout,
    bias: Graph.NodeID?
  ) throws -> Bool {
    guard !parts[input].isPenalty, let outputs = graph.nodes[id].shape.last else { return false }
    var layer = UnitLayer(name: graph.nodes[id].name, units: outputs)
    var found = Found(layer: layer, node: id)
    switch parts[weights] {
    case .parameter(let segment):
      // The input's place in the unit graph is known once there is one.
      layer.weights = (segment, layout, input)
      found.input = input
      try claim(segment, at: id)
    case .still: break
    case .penalty, .units: return false
    }
    found.bias = bias
    switch bias.map({ parts[$0] }) ?? .still {
    case .parameter(let segment):
      layer.bias = segment
      try claim(segment, at: id)
    case .still: if layer.weights == nil { return false }
    case .penalty, .units: return false
    }
    found.layer = layer
    try append(found)
    return true
  }

  /// A bias that is added to a matrix: its layer's, or that of units without weights of their own.
  private mutating func findBias(
    _ segment: Int, _ bias: Graph.NodeID, addedTo other: Graph.NodeID, at id: Graph.NodeID
  ) throws -> Bool {
    let (shape, own) = (graph.nodes[id].shape, graph.nodes[bias])
    guard !parts[other].isPenalty, shape.count == 2, graph.nodes[other].shape == shape,
      own.count == shape[1], own.shape.last == shape[1]
    else { return false }
    try claim(segment, at: id)
    if let last = layers.indices.last(where: { layers[$0].node == other }), uses[other] == 1,
      layers[last].layer.bias == nil
    {
      layers[last].layer.bias = segment
      layers[last].bias = bias
      layers[last].node = id
    } else {
      var layer = UnitLayer(name: graph.nodes[id].name, units: shape[1])
      layer.bias = segment
      try append(Found(layer: layer, node: id, bias: bias))
    }
    return true
  }

  private mutating func append(_ found: Found) throws {
    let rows = graph.nodes[found.node].shape[0]
    if let samples, rows != samples {
      throw Self.refusal(
        "'\(found.layer.name)' has \(rows) rows, expected the \(samples) samples of the layer "
          + "before it")
    }
    samples = rows
    layers.append(found)
  }

  private mutating func claim(_ segment: Int, at id: Graph.NodeID) throws {
    let place = "'\(graph.nodes[id].name)'"
    if let first = owners.updateValue(place, forKey: segment) {
      throw Self.refusal(
        "found it used twice, in \(first) and \(place), expected weights and biases that are used "
          + "once", tensor: graph.layout.segments[segment].name)
    }
  }

  // MARK: Other nodes

  private func part(_ operation: Operator, _ inputs: [Graph.NodeID], at id: Graph.NodeID) throws
    -> Part
  {
    let node = graph.nodes[id]
    let moving = inputs.map { parts[$0] == .units }
    if let segment = inputs.lazy.compactMap({ parts[$0].segment }).first {
      guard !moving.contains(true), isPenalty(operation, inputs) else {
        throw Self.refusal(
          "found it used by '\(node.name)' (\(operation.primitive.name)), expected the weights or "
            + "the bias of one dense layer", tensor: graph.layout.segments[segment].name)
      }
      return .penalty(segment)
    }
    guard moving.contains(true), let samples else { return .still }
    let shapes = inputs.map { graph.nodes[$0].shape }
    guard
      SampleAxis(samples: samples).survives(operation, shapes, moving: moving, output: node.shape)
    else {
      throw Self.refusal(
        "'\(node.name)' (\(operation.primitive.name)) takes samples together, expected a cost "
          + "that is a sum over samples")
    }
    return .units
  }

  /// Whether a node is a part of a penalty: a function of parameters, not of parameters and data.
  private func isPenalty(_ operation: Operator, _ inputs: [Graph.NodeID]) -> Bool {
    switch operation {
    case .element, .reshape, .gather(_, .sum), .combine: break
    default: return false
    }
    let counts = { (isStill: Bool) in
      inputs.filter { (parts[$0] == .still) == isStill }.map { graph.nodes[$0].count }.max() ?? 0
    }
    return counts(true) <= counts(false)
  }

  private static func refusal(_ problem: String, tensor: String? = nil) -> InputError {
    InputError(problem, tensor: tensor, remedy: "leave --per-unit out")
  }
}
