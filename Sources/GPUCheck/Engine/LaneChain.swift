/// A run of dense layers at the end of a graph, which has moments and which one kernel takes lanes through
/// (kernels/chain.cl): each layer's outputs pass an element function at most and feed the next layer only, and
/// the last ones feed a cost in which samples do not meet.
package struct LaneChain: Sendable {
  /// z[s, o] = Σ_k W[o, k]·x[s, k] + b[o], and then the function.
  struct Layer: Sendable {
    /// What the layer reads, W, b, and the node whose value is z.
    var x: Graph.NodeID
    var weights: Graph.NodeID
    var bias: Graph.NodeID?
    var z: Graph.NodeID
    var ins: Int
    var outs: Int
    /// W[o, k] stands at o·outStride + k·inStride.
    var outStride: Int
    var inStride: Int
    /// The node of the element function, and the function.
    var element: (node: Graph.NodeID, function: ElementFunction)?
    /// All nodes that the layer computes.
    var nodes: [Graph.NodeID]
  }

  /// What is made of the last layer's outputs.
  enum Cost: Sendable {
    case crossEntropy(Graph.NodeID)
    case element(Graph.NodeID, ElementFunction)

    var node: Graph.NodeID {
      switch self {
      case .crossEntropy(let node), .element(let node, _): node
      }
    }
  }

  /// Where a segment's lanes enter.
  package struct Entry: Sendable {
    package var layer: Int
    package var isBias: Bool
    /// Which unit a component belongs to, and which input it weighs.
    package var unit: LaneIndex
    package var input: LaneIndex
  }

  /// At least one layer, the first first.
  let layers: [Layer]
  let cost: Cost
  /// Which of the graph's terms the cost is.
  package let term: Int
  let samples: Int
  /// Of each segment; nil for those that do not enter in one place.
  package let entries: [Entry?]
  /// All nodes that lie on the chain.
  package let nodes: Set<Graph.NodeID>

  /// The most that a work-item holds of a layer.
  private static let widest = 1024
  /// The most elements that the tables may have: they are kept a second time for it.
  private static let largestTables = 1 << 25

  /// Whether one kernel can take lanes all the way.
  private var fitsKernel: Bool {
    let size = layers.reduce(0) { $0 + $1.ins * ($1.outs + 6) }
    return layers.allSatisfy { $0.outs <= Self.widest } && size <= Self.largestTables
  }

  /// The longest chain of a graph where one kernel can take lanes all the way; nil elsewhere.
  static func ofKernel(_ graph: Graph) -> LaneChain? {
    LaneChain(graph).flatMap { $0.fitsKernel ? $0 : nil }
  }

  /// The element function that all hidden layers share; nil where they have none.
  var hidden: ElementFunction? { layers.lazy.compactMap(\.element?.function).first }

  /// The longest chain of a graph; nil where it has none, or none of its tensors' lanes enter it.
  package init?(_ graph: Graph) {
    var found: LaneChain?
    for term in graph.terms.indices {
      let chain = ChainSearch(graph).chain(term: term)
      if let chain, chain.layers.count > found?.layers.count ?? 0 { found = chain }
    }
    guard let found, found.entries.contains(where: { $0 != nil }) else { return nil }
    self = found
  }

  fileprivate init(
    layers: [Layer], cost: Cost, term: Int, samples: Int, entries: [Entry?]
  ) {
    self.layers = layers
    self.cost = cost
    self.term = term
    self.samples = samples
    self.entries = entries
    nodes = Set(layers.flatMap(\.nodes) + [cost.node])
  }
}

/// Looks for the chain that ends in one of a graph's terms, from its end.
private struct ChainSearch {
  let graph: Graph
  /// How many operators and terms read each node.
  let uses: [Int]

  init(_ graph: Graph) {
    self.graph = graph
    uses = graph.uses
  }

  func chain(term: Int) -> LaneChain? {
    let end = graph.terms[term].node
    guard let (cost, logits) = cost(end), uses[end] == 1 else { return nil }
    var layers: [LaneChain.Layer] = []
    var next = logits
    while let layer = layer(endingAt: next), layer.nodes.allSatisfy({ uses[$0] == 1 }),
      layers.last.map({ layer.outs == $0.ins }) ?? true,
      isShared(layer.element?.function, layers)
    {
      layers.append(layer)
      next = layer.x
    }
    guard let first = layers.last, let last = layers.first, last.element == nil else { return nil }
    let samples = graph.nodes[first.z].shape[0]
    let ordered = Array(layers.reversed())
    let nodes = Set(ordered.flatMap(\.nodes) + [end])
    return LaneChain(
      layers: ordered, cost: cost, term: term, samples: samples,
      entries: graph.layout.segments.indices.map { entry($0, ordered, nodes) })
  }

  /// All hidden layers have the same function, or none.
  private func isShared(_ function: ElementFunction?, _ layers: [LaneChain.Layer]) -> Bool {
    guard let function else { return true }
    return layers.allSatisfy { $0.element == nil || $0.element?.function == function }
  }

  /// The cost that a node is, and the node of its logits or outputs `[samples, units]`.
  private func cost(_ node: Graph.NodeID) -> (LaneChain.Cost, Graph.NodeID)? {
    guard case .apply(let operation, let inputs) = graph.nodes[node].definition,
      inputs.dropFirst().allSatisfy({ isConstant($0) }), graph.nodes[inputs[0]].shape.count == 2
    else { return nil }
    switch operation {
    case .softmaxCrossEntropy: return (.crossEntropy(node), inputs[0])
    case .element(let function): return (.element(node, function), inputs[0])
    default: return nil
    }
  }

  /// The layer whose outputs, behind its element function, are a node.
  private func layer(endingAt node: Graph.NodeID) -> LaneChain.Layer? {
    guard case .apply(let operation, let inputs) = graph.nodes[node].definition else { return nil }
    if case .element(let function) = operation, !function.isBinary {
      guard var layer = linear(inputs[0]) else { return nil }
      layer.element = (node, function)
      layer.nodes.append(node)
      return layer
    }
    return linear(node)
  }

  private func linear(_ z: Graph.NodeID) -> LaneChain.Layer? {
    guard case .apply(let operation, let inputs) = graph.nodes[z].definition,
      graph.nodes[z].shape.count == 2
    else { return nil }
    let shapes = inputs.map { graph.nodes[$0].shape }
    switch operation {
    case .dense(let layout):
      let size = Dense(layout: layout).size(shapes)
      return LaneChain.Layer(
        x: inputs[0], weights: inputs[1], bias: inputs.count > 2 ? inputs[2] : nil, z: z,
        ins: size.ins, outs: size.outs, outStride: size.outStride, inStride: size.inStride,
        nodes: [z])
    case .matrixProduct(let form):
      guard !form.transposeA, shapes.allSatisfy({ $0.count == 2 }) else { return nil }
      let size = MatrixProduct(form: form).extents(shapes)
      return LaneChain.Layer(
        x: inputs[0], weights: inputs[1], z: z, ins: size.depth, outs: size.columns,
        outStride: size.b.column, inStride: size.b.row, nodes: [z])
    case .combine(.add):
      // A bias of all samples, on either side.
      for (product, bias) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
        guard case .apply(.matrixProduct, _) = graph.nodes[product].definition,
          var layer = linear(product), graph.nodes[bias].count == layer.outs,
          graph.nodes[bias].shape.last == layer.outs,
          graph.nodes[z].shape == graph.nodes[product].shape
        else { continue }
        layer.bias = bias
        layer.z = z
        layer.nodes.append(z)
        return layer
      }
      return nil
    default: return nil
    }
  }

  private func isConstant(_ node: Graph.NodeID) -> Bool {
    if case .constant = graph.nodes[node].definition { true } else { false }
  }

  /// Where the lanes of a segment enter: its tensor is the weights or the bias of one layer, and
  /// nothing else that the chain reads depends on it.
  private func entry(
    _ segment: Int, _ layers: [LaneChain.Layer], _ chain: Set<Graph.NodeID>
  ) -> LaneChain.Entry? {
    var moves = [Bool](repeating: false, count: graph.nodes.count)
    var readers: [(layer: Int, isBias: Bool)] = []
    for (id, node) in graph.nodes.enumerated() where !chain.contains(id) {
      switch node.definition {
      case .constant: continue
      case .parameter(let part): moves[id] = part == segment
      case .apply(_, let inputs): moves[id] = inputs.contains { moves[$0] }
      }
    }
    for (number, layer) in layers.enumerated() {
      if number == 0, moves[layer.x] { return nil }
      for (operand, isBias) in [(layer.weights, false), (layer.bias ?? -1, true)]
      where operand >= 0 && moves[operand] {
        guard case .parameter = graph.nodes[operand].definition else { return nil }
        readers.append((number, isBias))
      }
    }
    guard readers.count == 1, let reader = readers.first else { return nil }
    let layer = layers[reader.layer]
    let unit = LaneIndex(
      divisor: reader.isBias ? 1 : layer.outStride, modulus: layer.outs)
    return LaneChain.Entry(
      layer: reader.layer, isBias: reader.isBias, unit: unit,
      input: LaneIndex(divisor: layer.inStride, modulus: layer.ins))
  }
}
