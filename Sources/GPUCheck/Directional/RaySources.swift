/// Which nodes of a network are linear in one tensor of θ, and how operators take them.
struct RaySources {
  private let graph: Graph
  private let largest: Int
  /// On which tensors with directions each node depends.
  private var dependence: [Set<Int>] = []
  /// The one tensor that a node is linear in and that nothing else of it depends on; such a node is a
  /// source.
  private(set) var segment: [Int?] = []
  /// The last node that asks for the changes of a source.
  private(set) var lastUse: [Int]

  /// - Parameters:
  ///   - segments: of θ, those that have directions.
  ///   - largest: as `RayGraph.init` takes it.
  init(_ graph: Graph, _ segments: Set<Int>, largest: Int) {
    self.graph = graph
    self.largest = largest
    let nodes = graph.nodes
    lastUse = Array(nodes.indices)
    for node in nodes {
      switch node.definition {
      case .constant:
        dependence.append([])
        segment.append(nil)
      case .parameter(let part):
        dependence.append(segments.contains(part) ? [part] : [])
        segment.append(segments.contains(part) ? part : nil)
      case .apply(let operation, let inputs):
        let all = inputs.reduce(into: Set<Int>()) { $0.formUnion(dependence[$1]) }
        let moving = Set(inputs.indices.filter { !dependence[inputs[$0]].isEmpty })
        let isSource =
          all.count == 1 && moving.allSatisfy { segment[inputs[$0]] != nil }
          && LinearInputs(operation, inputs: inputs.count).contain(moving)
        dependence.append(all)
        segment.append(isSource ? all.first : nil)
      }
    }
    for (id, node) in nodes.enumerated().reversed() {
      guard case .apply(_, let inputs) = node.definition else { continue }
      // Whoever asks for the changes of a source asks for those that it is made of.
      let use = segment[id] == nil ? id : lastUse[id]
      for input in inputs { lastUse[input] = max(lastUse[input], use) }
    }
    for term in graph.terms { lastUse[term.node] = nodes.count }
  }

  /// Whether a node moves and is no source.
  func moves(_ id: Graph.NodeID) -> Bool { segment[id] == nil && !dependence[id].isEmpty }

  /// What the inputs of an operator are to it.
  struct Roles {
    /// The tensors that it is linear in, and the inputs through which.
    var changes: [(segment: Int, moves: Set<Int>)] = []
    /// Large tensors that are one factor of it while they move the other one too.
    var products: [(segment: Int, input: Int)] = []
    /// The inputs that stand still in what is left.
    var still: Set<Int> = []
  }

  func roles(_ operation: Operator, _ inputs: [Graph.NodeID]) -> Roles {
    let linear = LinearInputs(operation, inputs: inputs.count)
    var roles = Roles()
    roles.still = Set(inputs.indices.filter { dependence[inputs[$0]].isEmpty })
    for part in Set(inputs.compactMap { segment[$0] }).sorted() {
      let places = Set(inputs.indices.filter { segment[inputs[$0]] == part })
      let movesOthers = inputs.indices.contains {
        !places.contains($0) && dependence[inputs[$0]].contains(part)
      }
      if linear.contain(places), !movesOthers {
        roles.changes.append((part, places))
        roles.still.formUnion(places)
      } else if let place = places.first, places.count == 1, operation.isProduct,
        graph.nodes[inputs[place]].count > largest
      {
        roles.products.append((part, place))
        roles.still.insert(place)
      }
    }
    return roles
  }

  /// The tensors that are a large factor somewhere while they move the other one.
  var largeFactors: Set<Int> {
    var found: Set<Int> = []
    for (id, node) in graph.nodes.enumerated() where moves(id) {
      guard case .apply(let operation, let inputs) = node.definition else { continue }
      for product in roles(operation, inputs).products { found.insert(product.segment) }
    }
    return found
  }
}

extension Operator {
  /// Whether it is linear in each of two factors.
  fileprivate var isProduct: Bool {
    switch self {
    case .matrixProduct, .convolution: true
    default: false
    }
  }
}
