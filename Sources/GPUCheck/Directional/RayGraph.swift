/// J along rays θ + t·v, as a graph of its own: its parameters are the t of some tensors' directions,
/// all 0 at θ, and a lane moves one of them. Every rule of the engine then serves whole tensors.
///
/// Where a parameter (or what is linear in it alone) meets an operator that is linear in it and whose
/// other inputs it does not move, the change of the output is t·Z exactly; Z is the operator's value
/// with v in the place of the parameter, without what it adds. The lanes begin there, and nothing of
/// the tensor's own size is held for them. Elsewhere the tensor itself moves, θ + t·v.
///
/// The graph is J where one t moves at a time, as in every lane.
struct RayGraph {
  /// At t = 0: every value is the one that the network has at θ.
  let baseline: Baseline

  /// - Parameters:
  ///   - base: of the network.
  ///   - counts: the number of directions of each segment of θ, in the network's order; 0 for none.
  ///   - directions: the v of a segment; asked once for each, when it is first needed.
  ///   - largest: a tensor of more elements is not moved itself in a product whose other factor moves
  ///     too: the product is taken with every direction, which costs work rather than memory.
  init(
    _ base: Baseline, counts: [Int], largest: Int = Self.largest,
    directions: @escaping (_ segment: Int) -> [[Double]]
  ) throws {
    var builder = RayGraphBuilder(
      base, counts: counts, largest: largest, directions: directions)
    baseline = try builder.build()
  }

  static let largest = 1 << 20

  /// The tensors that are better alone in a graph, since lanes of the others would go through a
  /// product with each of their directions for nothing.
  static func apart(_ base: Baseline) -> Set<Int> {
    var builder = RayGraphBuilder(
      base, counts: base.graph.layout.segments.map { _ in 1 }, largest: largest
    ) { _ in [] }
    return builder.largeFactors()
  }

  /// The layout of t: the tensors that have directions, under their names.
  static func layout(of base: ParameterLayout, counts: [Int]) -> ParameterLayout {
    ParameterLayout(
      zip(base.segments, counts).compactMap { part, count in
        count > 0 ? (part.name, [1, count]) : nil
      })
  }
}

private struct RayGraphBuilder {
  private let base: Baseline
  private var graph: Graph
  private var values: [[Double]] = []
  private var moving: [Bool] = []
  private var variances: [[Double]?] = []
  /// The segment of t that belongs to each segment of θ.
  private let rays: [Int?]
  private let counts: [Int]
  private let directions: (Int) -> [[Double]]
  /// On which tensors with directions a node of the network depends.
  private var dependence: [Set<Int>] = []
  /// The one tensor that a node is linear in and that nothing else of it depends on.
  private var source: [Int?] = []
  /// The last node that asks for the changes of a source.
  private var lastUse: [Int] = []
  private var tangents: [Graph.NodeID: [[Double]]] = [:]
  /// Nodes of the rays' graph: of each t, of the network's nodes as they stand, and as they move.
  private var parameters: [Int: Graph.NodeID] = [:]
  private var still: [Graph.NodeID: Graph.NodeID] = [:]
  private var moved: [Graph.NodeID: Graph.NodeID] = [:]

  private let largest: Int

  init(
    _ base: Baseline, counts: [Int], largest: Int, directions: @escaping (Int) -> [[Double]]
  ) {
    self.largest = largest
    self.base = base
    self.counts = counts
    self.directions = directions
    graph = Graph(layout: RayGraph.layout(of: base.graph.layout, counts: counts))
    var next = 0
    rays = counts.map { count in
      guard count > 0 else { return nil }
      defer { next += 1 }
      return next
    }
  }

  mutating func build() throws -> Baseline {
    findSources()
    for (id, node) in base.graph.nodes.enumerated() {
      if case .apply(let operation, let inputs) = node.definition, source[id] == nil,
        !dependence[id].isEmpty
      {
        moved[id] = try apply(operation, inputs, id)
      }
      for (known, _) in tangents where lastUse[known] <= id { tangents[known] = nil }
    }
    for term in base.graph.terms {
      graph.addToCost(try whole(term.node), factor: term.factor)
    }
    let zeros = [Double](repeating: 0, count: graph.layout.count)
    return Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: zeros),
      values: values, moving: moving, variances: variances)
  }

  private mutating func findSources() {
    let nodes = base.graph.nodes
    for node in nodes {
      switch node.definition {
      case .constant:
        dependence.append([])
        source.append(nil)
      case .parameter(let segment):
        dependence.append(rays[segment] == nil ? [] : [segment])
        source.append(rays[segment] == nil ? nil : segment)
      case .apply(let operation, let inputs):
        let all = inputs.reduce(into: Set<Int>()) { $0.formUnion(dependence[$1]) }
        dependence.append(all)
        let moving = Set(inputs.indices.filter { !dependence[inputs[$0]].isEmpty })
        let isSource =
          all.count == 1 && moving.allSatisfy { source[inputs[$0]] != nil }
          && LinearInputs(operation, inputs: inputs.count).contain(moving)
        source.append(isSource ? all.first : nil)
      }
    }
    lastUse = Array(nodes.indices)
    for (id, node) in nodes.enumerated().reversed() {
      guard case .apply(_, let inputs) = node.definition else { continue }
      for input in inputs { lastUse[input] = max(lastUse[input], lastUse[id]) }
    }
    for term in base.graph.terms { lastUse[term.node] = nodes.count }
  }

  // MARK: Nodes that move

  /// What the inputs of an operator are to it.
  private struct Roles {
    /// The tensors that it is linear in, and the inputs through which.
    var changes: [(segment: Int, moves: Set<Int>)] = []
    /// Large tensors that are one factor of it while they move the other one too.
    var products: [(segment: Int, input: Int)] = []
    /// The inputs that stand still in what is left.
    var still: Set<Int> = []
  }

  private func roles(_ operation: Operator, _ inputs: [Graph.NodeID]) -> Roles {
    let linear = LinearInputs(operation, inputs: inputs.count)
    var roles = Roles()
    roles.still = Set(inputs.indices.filter { dependence[inputs[$0]].isEmpty })
    for segment in Set(inputs.compactMap { source[$0] }).sorted() {
      let places = Set(inputs.indices.filter { source[inputs[$0]] == segment })
      let moveOthers = inputs.indices.contains {
        !places.contains($0) && dependence[inputs[$0]].contains(segment)
      }
      if linear.contain(places), !moveOthers {
        roles.changes.append((segment, places))
        roles.still.formUnion(places)
      } else if let place = places.first, places.count == 1, operation.isProduct,
        base.graph.nodes[inputs[place]].count > largest
      {
        roles.products.append((segment, place))
        roles.still.insert(place)
      }
    }
    return roles
  }

  /// The tensors that are a large factor somewhere while they move the other one.
  mutating func largeFactors() -> Set<Int> {
    findSources()
    var found: Set<Int> = []
    for (id, node) in base.graph.nodes.enumerated() where source[id] == nil {
      guard case .apply(let operation, let inputs) = node.definition else { continue }
      for product in roles(operation, inputs).products { found.insert(product.segment) }
    }
    return found
  }

  /// A node of the network whose change is not linear in one tensor.
  private mutating func apply(_ operation: Operator, _ inputs: [Graph.NodeID], _ id: Graph.NodeID)
    throws -> Graph.NodeID
  {
    let roles = roles(operation, inputs)
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
    guard let segment = source[id] else { return constant(id) }
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
      let moves = inputs.indices.filter { source[inputs[$0]] != nil }
        .map { ($0, tangents(of: inputs[$0])) }
      result = (0..<counts[source[id] ?? 0]).map { number in
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

  private mutating func parameter(_ segment: Int) throws -> Graph.NodeID {
    if let known = parameters[segment] { return known }
    guard let ray = rays[segment] else {
      preconditionFailure("a tensor without directions does not move")
    }
    let node = append(
      graph.parameter(segment: ray), [Double](repeating: 0, count: counts[segment]), nil)
    parameters[segment] = node
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

extension Operator {
  /// Whether it is linear in each of two factors.
  fileprivate var isProduct: Bool {
    switch self {
    case .matrixProduct, .convolution: true
    default: false
    }
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
