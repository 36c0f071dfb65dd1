/// A cost as a graph of operators: nodes in topological order, and the terms whose sum is J.
public struct Graph: Sendable {
  /// The position of a node in `nodes`.
  public typealias NodeID = Int

  public enum Definition: Sendable {
    case constant(Tensor)
    /// A segment of θ.
    case parameter(segment: Int)
    case apply(Operator, inputs: [NodeID])
  }

  public struct Node: Sendable {
    public var name: String
    public var shape: [Int]
    public var definition: Definition

    /// Elements of the node's value.
    public var count: Int { shape.reduce(1, *) }
  }

  /// factor · (the sum of a node's elements); J is the sum of the terms.
  public struct CostTerm: Sendable {
    public var node: NodeID
    public var factor: Double
  }

  public private(set) var nodes: [Node] = []
  public private(set) var terms: [CostTerm] = []
  /// θ's layout: the segments that parameter nodes refer to.
  public let layout: ParameterLayout

  public init(layout: ParameterLayout) {
    self.layout = layout
  }

  public mutating func constant(_ name: String, _ tensor: Tensor) -> NodeID {
    append(Node(name: name, shape: tensor.shape, definition: .constant(tensor)))
  }

  public mutating func parameter(segment: Int) -> NodeID {
    let part = layout.segments[segment]
    return append(
      Node(name: part.name, shape: part.shape, definition: .parameter(segment: segment)))
  }

  /// Adds a node; throws an `InputError` where the operator does not take inputs of these shapes.
  public mutating func apply(_ operation: Operator, _ inputs: [NodeID], name: String) throws
    -> NodeID
  {
    let shape: [Int]
    do {
      shape = try operation.primitive.outputShape(inputs.map { nodes[$0].shape })
    } catch var error as InputError {
      error.tensor = error.tensor ?? name
      throw error
    }
    return append(Node(name: name, shape: shape, definition: .apply(operation, inputs: inputs)))
  }

  /// Adds factor · Σ(elements of the node) to J.
  public mutating func addToCost(_ node: NodeID, factor: Double) {
    terms.append(CostTerm(node: node, factor: factor))
  }

  /// How many operators and terms read each node.
  var uses: [Int] {
    var uses = [Int](repeating: 0, count: nodes.count)
    for node in nodes {
      if case .apply(_, let inputs) = node.definition { for input in inputs { uses[input] += 1 } }
    }
    for term in terms { uses[term.node] += 1 }
    return uses
  }

  /// The segments of θ that a node stands for.
  var usedSegments: Set<Int> {
    nodes.reduce(into: []) { used, node in
      if case .parameter(let segment) = node.definition { used.insert(segment) }
    }
  }

  /// The same graph with some constants replaced by others of their shape; nil leaves one as it is.
  func replacingConstants(_ replacement: (NodeID, Tensor) -> Tensor?) -> Graph {
    var graph = self
    for (id, node) in nodes.enumerated() {
      guard case .constant(let tensor) = node.definition, let other = replacement(id, tensor),
        other.shape == tensor.shape
      else { continue }
      graph.nodes[id].definition = .constant(other)
    }
    return graph
  }

  /// The nodes that some terms are made of.
  func needed(for terms: [CostTerm]) -> Set<NodeID> {
    var needed = Set(terms.map(\.node))
    for node in nodes.indices.reversed() where needed.contains(node) {
      if case .apply(_, let inputs) = nodes[node].definition { needed.formUnion(inputs) }
    }
    return needed
  }

  /// The same nodes, and the other terms.
  func leavingOut(term: Int) -> Graph {
    var graph = self
    graph.terms.remove(at: term)
    return graph
  }

  /// The graph of what some terms are made of, whose sum is then J.
  func keeping(_ kept: [CostTerm]) throws -> Graph {
    let needed = needed(for: kept)
    var graph = Graph(layout: layout)
    var new: [NodeID: NodeID] = [:]
    for (id, node) in nodes.enumerated() where needed.contains(id) {
      switch node.definition {
      case .constant(let tensor): new[id] = graph.constant(node.name, tensor)
      case .parameter(let segment): new[id] = graph.parameter(segment: segment)
      case .apply(let operation, let inputs):
        new[id] = try graph.apply(operation, inputs.compactMap { new[$0] }, name: node.name)
      }
    }
    for term in kept {
      if let node = new[term.node] { graph.addToCost(node, factor: term.factor) }
    }
    return graph
  }

  private mutating func append(_ node: Node) -> NodeID {
    nodes.append(node)
    return nodes.count - 1
  }
}
