/// Takes the last sums and constant factors of a cost apart, so that J becomes a sum of terms, whose
/// elements are summed exactly; and leaves out what J does not depend on.
struct CostTerms {
  private let graph: Graph
  /// What each node's elements are multiplied by, by node, in the order they were found.
  private var factors: [(node: Graph.NodeID, factor: Double)] = []

  /// The terms of a node whose elements J is the sum of.
  init(of cost: Graph.NodeID, in graph: Graph) {
    self.graph = graph
    take(cost, factor: 1, depth: 0)
  }

  private mutating func take(_ node: Graph.NodeID, factor: Double, depth: Int) {
    guard depth < Self.deepest,
      case .apply(let operation, let inputs) = graph.nodes[node].definition
    else { return keep(node, factor) }
    switch operation {
    case .reshape: take(inputs[0], factor: factor, depth: depth + 1)
    case .combine(.add) where sameShape(node, inputs[0]) && sameShape(node, inputs[1]):
      take(inputs[0], factor: factor, depth: depth + 1)
      take(inputs[1], factor: factor, depth: depth + 1)
    case .combine(.subtract) where sameShape(node, inputs[0]) && sameShape(node, inputs[1]):
      take(inputs[0], factor: factor, depth: depth + 1)
      take(inputs[1], factor: -factor, depth: depth + 1)
    case .combine(.multiply):
      if let constant = constant(inputs[1]), sameShape(node, inputs[0]) {
        take(inputs[0], factor: factor * constant, depth: depth + 1)
      } else if let constant = constant(inputs[0]), sameShape(node, inputs[1]) {
        take(inputs[1], factor: factor * constant, depth: depth + 1)
      } else {
        keep(node, factor)
      }
    case .combine(.divide):
      guard let constant = constant(inputs[1]), sameShape(node, inputs[0]) else {
        return keep(node, factor)
      }
      take(inputs[0], factor: factor / constant, depth: depth + 1)
    case .gather(let map, .sum) where map.sumsEveryColumnOnce:
      take(inputs[0], factor: factor, depth: depth + 1)
    default: keep(node, factor)
    }
  }

  /// A graph's longest chain of last sums; none that is written by a person is so deep.
  private static let deepest = 1 << 12

  private mutating func keep(_ node: Graph.NodeID, _ factor: Double) {
    if let at = factors.firstIndex(where: { $0.node == node }) {
      factors[at].factor += factor
    } else {
      factors.append((node, factor))
    }
  }

  private func sameShape(_ a: Graph.NodeID, _ b: Graph.NodeID) -> Bool {
    graph.nodes[a].count == graph.nodes[b].count
  }

  /// The value of a constant of one element that is an ordinary number.
  private func constant(_ node: Graph.NodeID) -> Double? {
    guard case .constant(let tensor) = graph.nodes[node].definition, tensor.count == 1,
      let value = tensor.values.first, value.isNormal
    else { return nil }
    return value
  }

  /// The graph of what J is made of, and its terms.
  func pruned() throws -> Graph {
    try graph.keeping(factors.map { Graph.CostTerm(node: $0.node, factor: $0.factor) })
  }
}

extension GatherMap {
  /// Whether the sum of the output is the sum of the input.
  fileprivate var sumsEveryColumnOnce: Bool {
    guard weights == nil, sources.count == columns else { return false }
    guard starts.allSatisfy({ $0 >= 0 }), rows == 1 || fill == 0 else { return false }
    if rows == 1 { return sources.elementsEqual(0..<Int32(columns)) }
    var seen = [Bool](repeating: false, count: columns)
    for source in sources {
      if seen[Int(source)] { return false }
      seen[Int(source)] = true
    }
    return true
  }
}
