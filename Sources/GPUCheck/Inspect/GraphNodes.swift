extension Inspection.Node {
  /// The nodes of the graph that a check evaluates.
  static func nodes(of graph: Graph) -> [Inspection.Node] {
    var nodes: [Inspection.Node] = []
    var factors: [Graph.NodeID: Double] = [:]
    for term in graph.terms { factors[term.node, default: 0] += term.factor }
    for (id, node) in graph.nodes.enumerated() {
      var described = Inspection.Node(
        name: node.name, kind: .constant, operation: "", shape: node.shape, inputs: [],
        moves: false, costFactor: factors[id])
      switch node.definition {
      case .constant: break
      case .parameter: (described.kind, described.moves) = (.parameter, true)
      case .apply(let operation, let inputs):
        described.kind = .operation
        described.operation = operation.primitive.name
        described.inputs = inputs
        described.moves = inputs.contains { nodes[$0].moves }
      }
      nodes.append(described)
    }
    return nodes
  }

  /// The nodes of a model's file: inputs, the initialisers that are used, and operators, each named
  /// after its first output.
  static func nodes(of graph: ONNXGraph, parameters: Set<String>) -> [Inspection.Node] {
    var nodes: [Inspection.Node] = []
    var places: [String: Int] = [:]
    func add(_ node: Inspection.Node, as names: [String]) {
      for name in names where !name.isEmpty { places[name] = nodes.count }
      nodes.append(node)
    }
    func value(_ name: String, _ kind: Inspection.Node.Kind, _ shape: [Int]?) {
      let isParameter = parameters.contains(name)
      add(
        Inspection.Node(
          name: name, kind: isParameter ? .parameter : kind, operation: "", shape: shape,
          inputs: [], moves: isParameter), as: [name])
    }
    for input in graph.inputs { value(input.name, .input, input.shape?.extents) }
    for node in graph.nodes {
      let taken = node.inputs + node.outerNames.sorted()
      for name in taken where places[name] == nil {
        if let stored = graph.initializers[name] { value(name, .constant, stored.shape) }
      }
      let inputs = taken.compactMap { places[$0] }
      add(
        Inspection.Node(
          name: node.outputs.first { !$0.isEmpty } ?? node.label, kind: .operation,
          operation: node.fullOperation, shape: nil, inputs: inputs,
          moves: inputs.contains { nodes[$0].moves }), as: node.outputs)
    }
    return nodes
  }
}

extension ONNXNode {
  /// The operator, with its domain where that is not the standard's.
  var fullOperation: String { domain.isEmpty ? operation : "\(domain).\(operation)" }
}
