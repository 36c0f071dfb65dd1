/// J along rays θ + t·v, as a graph of its own: its parameters are the t of some tensors' directions,
/// all 0 at θ, and a lane moves one of them. Every rule of the engine then serves whole tensors.
///
/// Where a parameter (or what is linear in it alone) meets an operator that is linear in it and whose
/// other inputs it does not move, the change of the output is t·Z exactly; Z is the operator's value
/// with v in the place of the parameter, without what it adds. The lanes begin there, and nothing of
/// the tensor's own size is held for them. Elsewhere the tensor itself moves, θ + t·v.
///
/// The graph is J where one t moves at a time, as in every lane. Tensors of a group share a segment of
/// t, so that lanes through several of them travel together.
package struct RayGraph {
  /// At t = 0: every value is the one that the network has at θ.
  package let baseline: Baseline

  /// - Parameters:
  ///   - base: of the network.
  ///   - groups: segments of θ that have directions, each in one group.
  ///   - counts: the number of directions of each segment of θ, at least one of those in groups.
  ///   - largest: a tensor of more elements is not moved itself in a product whose other factor moves
  ///     too: the product is taken with every direction, which costs work rather than memory.
  ///   - directions: the v of a segment; asked when they are needed, not always once only.
  package init(
    _ base: Baseline, groups: [[Int]], counts: [Int], largest: Int = Self.largest,
    directions: @escaping (_ segment: Int) -> [[Double]]
  ) throws {
    var builder = RayGraphBuilder(
      base, groups: groups, counts: counts, largest: largest, directions: directions)
    baseline = try builder.build()
  }

  package static let largest = 1 << 20

  /// The tensors that are better alone in a graph, since lanes of the others would go through a
  /// product with each of their directions for nothing.
  static func apart(_ base: Baseline) -> Set<Int> {
    let segments = base.graph.layout.segments
    return RaySources(base.graph, Set(segments.indices), largest: largest).largeFactors
  }

  /// The layout of t: a segment for each group, named after its tensors.
  static func layout(of base: ParameterLayout, groups: [[Int]], counts: [Int]) -> ParameterLayout {
    ParameterLayout(
      groups.map { group in
        let names = [group.first, group.dropFirst().last].compactMap { $0 }
        return (
          names.map { base.segments[$0].name }.joined(separator: " to "),
          [1, group.reduce(0) { $0 + counts[$1] }]
        )
      })
  }
}

private struct RayGraphBuilder {
  private let base: Baseline
  private var graph: Graph
  private var values: [[Double]] = []
  private var moving: [Bool] = []
  private var variances: [[Double]?] = []
  /// Where each segment of θ that has directions finds its t: in which group, and from where on.
  private var places: [Int: (group: Int, offset: Int)] = [:]
  private let counts: [Int]
  private let directions: (Int) -> [[Double]]
  private let sources: RaySources
  private var tangents: [Graph.NodeID: [[Double]]] = [:]
  /// Nodes of the rays' graph: of each group's t and each tensor's, of the network's nodes as they
  /// stand, and as they move.
  private var groups: [Int: Graph.NodeID] = [:]
  private var parameters: [Int: Graph.NodeID] = [:]
  private var still: [Graph.NodeID: Graph.NodeID] = [:]
  private var moved: [Graph.NodeID: Graph.NodeID] = [:]

  init(
    _ base: Baseline, groups: [[Int]], counts: [Int], largest: Int,
    directions: @escaping (Int) -> [[Double]]
  ) {
    self.base = base
    self.counts = counts
    self.directions = directions
    sources = RaySources(base.graph, Set(groups.joined()), largest: largest)
    graph = Graph(layout: RayGraph.layout(of: base.graph.layout, groups: groups, counts: counts))
    for (number, group) in groups.enumerated() {
      var offset = 0
      for segment in group {
        places[segment] = (number, offset)
        offset += counts[segment]
      }
    }
  }

  mutating func build() throws -> Baseline {
    for (id, node) in base.graph.nodes.enumerated() {
      if case .apply(let operation, let inputs) = node.definition, sources.moves(id) {
        moved[id] = try apply(operation, inputs, id)
      }
      for (known, _) in tangents where sources.lastUse[known] <= id { tangents[known] = nil }
    }
    for term in base.graph.terms {
      graph.addToCost(try whole(term.node), factor: term.factor)
    }
    let zeros = [Double](repeating: 0, count: graph.layout.count)
    return Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: zeros),
      values: values, moving: moving, variances: variances)
  }

  // MARK: Nodes that move

  /// A node of the network whose change is not linear in one tensor.
  private mutating func apply(_ operation: Operator, _ inputs: [Graph.NodeID], _ id: Graph.NodeID)
    throws -> Graph.NodeID
  {
    let roles = sources.roles(operation, inputs)
    let isStill = roles.still
    var parts: [Graph.NodeID] = []
    for (place, input) in inputs.enumerated() {
      parts.append(isStill.contains(place) ? constant(input) : try whole(input))
    }
    var result = constant(id)
    if isStill.count < inputs.count {
      result = append(
        try graph.apply(operation, parts, name: base.graph.nodes[id].name), base.values[id],
        base.variances[id])
    }
    var additions: [Graph.NodeID] = []
    for (segment, places) in roles.changes {
      additions.append(try change(segment, operation, inputs, places, id))
    }
    for (segment, place) in roles.products {
      additions += try productChanges(segment, operation, parts, place, inputs[place], id)
    }
    return try sum(additions, onto: result, like: id)
  }

  /// t·Z of an operator that is linear in some of its inputs.
  private mutating func change(
    _ segment: Int, _ operation: Operator, _ inputs: [Graph.NodeID], _ places: Set<Int>,
    _ id: Graph.NodeID
  ) throws -> Graph.NodeID {
    let moves = places.map { ($0, tangents(of: inputs[$0])) }
    return try along(segment, id) { [self] number in
      change(
        operation, inputs, Dictionary(uniqueKeysWithValues: moves.map { ($0.0, $0.1[number]) }))
    }
  }

  private func change(
    _ operation: Operator, _ inputs: [Graph.NodeID], _ moves: [Int: [Double]]
  ) -> [Double] {
    LinearInputs(operation, inputs: inputs.count).change(
      operation, inputs.map { base.values[$0] }, inputs.map { base.graph.nodes[$0].shape },
      moves: moves)
  }

  /// For every direction t·(the product with its Z in the place of the factor): together the change
  /// that the factor makes, whatever the other one does.
  private mutating func productChanges(
    _ segment: Int, _ operation: Operator, _ parts: [Graph.NodeID], _ place: Int,
    _ input: Graph.NodeID, _ id: Graph.NodeID
  ) throws -> [Graph.NodeID] {
    let shape = base.graph.nodes[id].shape
    let zeros = [Double](repeating: 0, count: base.graph.nodes[id].count)
    let t = try parameter(segment)
    var additions: [Graph.NodeID] = []
    for (number, direction) in tangents(of: input).enumerated() {
      var parts = parts
      parts[place] = constant(shape: base.graph.nodes[input].shape, direction)
      let value = operation.primitive.forward(
        parts.map { values[$0] }, shapes: parts.map { graph.nodes[$0].shape })
      let product = append(try graph.apply(operation, parts, name: graph.nodes[t].name), value, nil)
      var unit = [Double](repeating: 0, count: counts[segment])
      unit[number] = 1
      let own = append(
        try graph.apply(
          .matrixProduct(MatrixProductForm()),
          [t, constant(shape: [counts[segment], 1], unit)], name: graph.nodes[t].name), [0], nil)
      let scalar = try reshape(own, [1])
      additions.append(
        append(
          try graph.apply(
            .combine(.multiply), [product, scalar], name: graph.nodes[t].name), zeros, nil))
    }
    precondition(additions.allSatisfy { graph.nodes[$0].shape == shape })
    return additions
  }

  /// A node as it moves: what was made of it, or the value at θ and t·Z.
  private mutating func whole(_ id: Graph.NodeID) throws -> Graph.NodeID {
    if let known = moved[id] { return known }
    guard let segment = sources.segment[id] else { return constant(id) }
    let changes = tangents(of: id)
    let result = try sum([along(segment, id) { changes[$0] }], onto: constant(id), like: id)
    moved[id] = result
    return result
  }

  // MARK: Changes

  /// Z of every direction, for a source.
  private mutating func tangents(of id: Graph.NodeID) -> [[Double]] {
    if let known = tangents[id] { return known }
    var result: [[Double]] = []
    switch base.graph.nodes[id].definition {
    case .constant: break
    case .parameter(let segment): result = directions(segment)
    case .apply(let operation, let inputs):
      let moves = inputs.indices.filter { sources.segment[inputs[$0]] != nil }
        .map { ($0, tangents(of: inputs[$0])) }
      result = (0..<counts[sources.segment[id] ?? 0]).map { number in
        change(
          operation, inputs, Dictionary(uniqueKeysWithValues: moves.map { ($0.0, $0.1[number]) }))
      }
    }
    tangents[id] = result
    return result
  }

  /// t·Z in the shape of a node.
  private mutating func along(_ segment: Int, _ id: Graph.NodeID, _ z: (Int) -> [Double]) throws
    -> Graph.NodeID
  {
    let node = base.graph.nodes[id]
    let t = try parameter(segment)
    var table: [Double] = []
    table.reserveCapacity(counts[segment] * node.count)
    for number in 0..<counts[segment] { table += z(number) }
    let product = append(
      try graph.apply(
        .matrixProduct(MatrixProductForm()),
        [t, constant(shape: [counts[segment], node.count], table)], name: graph.nodes[t].name),
      [Double](repeating: 0, count: node.count), nil)
    return try reshape(product, node.shape)
  }

  private mutating func sum(
    _ additions: [Graph.NodeID], onto result: Graph.NodeID, like id: Graph.NodeID
  ) throws -> Graph.NodeID {
    // Changes are added up first: lanes from further up then pass one sum only.
    guard var total = additions.first else { return result }
    let name = base.graph.nodes[id].name
    for addition in additions.dropFirst() {
      total = append(
        try graph.apply(.combine(.add), [total, addition], name: name), values[total], nil)
    }
    return append(
      try graph.apply(.combine(.add), [result, total], name: name), base.values[id],
      base.variances[id])
  }

  private mutating func reshape(_ id: Graph.NodeID, _ shape: [Int]) throws -> Graph.NodeID {
    append(
      try graph.apply(.reshape(shape), [id], name: graph.nodes[id].name), values[id],
      variances[id])
  }

  // MARK: The graph

  /// t of a tensor, `[1, directions]`.
  private mutating func parameter(_ segment: Int) throws -> Graph.NodeID {
    if let known = parameters[segment] { return known }
    guard let place = places[segment] else {
      throw InputError(
        "a tensor without directions would move",
        remedy: "check it with --sample, and report it")
    }
    let all = try group(place.group)
    let (columns, count) = (graph.nodes[all].count, counts[segment])
    guard count < columns else { return all }
    let own = Int32(place.offset)..<Int32(place.offset + count)
    let map = GatherMap(outputShape: [1, count], columns: columns, inner: 1, taking: Array(own))
    let node = append(
      try graph.apply(.gather(map, .sum), [all], name: base.graph.layout.segments[segment].name),
      [Double](repeating: 0, count: count), nil)
    parameters[segment] = node
    return node
  }

  /// t of all tensors of a group.
  private mutating func group(_ number: Int) throws -> Graph.NodeID {
    if let known = groups[number] { return known }
    let node = graph.parameter(segment: number)
    values.append([Double](repeating: 0, count: graph.nodes[node].count))
    moving.append(true)
    variances.append(nil)
    groups[number] = node
    return node
  }

  /// A node of the network as it stands at θ.
  private mutating func constant(_ id: Graph.NodeID) -> Graph.NodeID {
    if let known = still[id] { return known }
    let node = base.graph.nodes[id]
    let result = constant(shape: node.shape, base.values[id], node.name)
    variances[result] = base.variances[id]
    still[id] = result
    return result
  }

  private mutating func constant(
    shape: [Int], _ numbers: [Double], _ name: String = "direction"
  ) -> Graph.NodeID {
    append(
      graph.constant(name, Tensor(shape: shape, values: numbers)), numbers, nil, isMoving: false)
  }

  /// Notes the value of the node that was added last.
  private mutating func append(
    _ node: Graph.NodeID, _ value: [Double], _ variance: [Double]?, isMoving: Bool = true
  ) -> Graph.NodeID {
    values.append(value)
    moving.append(isMoving)
    variances.append(variance)
    return node
  }
}

extension Baseline {
  /// A forward pass whose values are known.
  fileprivate init(
    graph: Graph, parameters: ParameterVector, values: [[Double]], moving: [Bool],
    variances: [[Double]?]
  ) {
    self.graph = graph
    self.parameters = parameters
    self.values = values
    self.moving = moving
    self.variances = variances
  }
}
