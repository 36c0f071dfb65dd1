/// The way of the lanes of one parameter tensor through a graph: which nodes they meet, in which
/// layout, and which buffers hold them. Nothing upstream of the tensor is computed again.
package struct LanePlan: Sendable {
  /// The segment of θ that is perturbed.
  package var segment: Int
  package var steps: [LaneStep]
  /// Elements per lane of each buffer; buffers are shared by nodes that do not live together.
  package var slots: [Int]
  /// For each term of J, where its node's lanes are; nil where the term does not move.
  package var terms: [LaneOperand?]
  /// The positions along axes that steps and terms ask for, each once.
  package var indices: [LaneIndex]
  /// Where the lanes enter a chain, which then takes them to its term without steps of the plan's.
  package var chain: ChainEntry?

  /// As `LaneChain.Entry`; the positions by their number in the plan.
  package struct ChainEntry: Sendable {
    package var layer: Int
    package var isBias: Bool
    package var unit: Int
    package var input: Int
    package var term: Int
  }

  /// Where a slice's index stands among `indices`.
  package func number(of slice: LaneLayout.Slice) -> Int {
    indices.firstIndex(of: slice.index) ?? 0
  }

  /// Where an index stands among `indices`, which it joins if it must.
  private mutating func number(adding index: LaneIndex) -> Int {
    if let known = indices.firstIndex(of: index) { return known }
    indices.append(index)
    return indices.count - 1
  }

  /// Whether a chain takes the lanes all the way.
  package var isAllChain: Bool { chain != nil && steps.isEmpty }

  /// Elements held for one lane in all buffers.
  package var elementsPerLane: Int { slots.reduce(0, +) + 2 * terms.count + 2 + indices.count }
  /// The largest buffer's elements per lane.
  package var widestSlot: Int { slots.max() ?? 1 }
}

/// Lanes of one value: where they are and how they are laid out.
package struct LaneOperand: Sendable, Equatable {
  package enum Place: Sendable, Equatable {
    /// The perturbed parameter itself: `[1, lanes]`.
    case moves
    case slot(Int)
  }
  package var node: Graph.NodeID
  package var place: Place
  package var layout: LaneLayout

  /// The slice that moves; nil where all elements do.
  package var slice: LaneLayout.Slice? {
    if case .slice(let slice) = layout { slice } else { nil }
  }
}

/// One step of a plan.
package struct LaneStep: Sendable {
  package enum Action: Sendable {
    /// The operator of the node.
    case apply(Operator)
    /// A slice of the node's value becomes the whole of it.
    case expand
  }
  package var action: Action
  package var node: Graph.NodeID
  package var inputs: [LaneOperand?]
  package var inputShapes: [[Int]]
  package var outputShape: [Int]
  package var output: LaneOperand
  /// Which of the plan's indices the step takes, in its kernels' order.
  package var indices: [Int] = []

  /// Elements stored for each lane of the output.
  package var outputElements: Int {
    output.layout.stored(of: outputShape.reduce(1, *))
  }

  /// Whether all of it moves, and goes by a rule of elements.
  var goesByElements: Bool {
    guard case .apply(let operation) = action, operation.fusedRule != nil else { return false }
    return output.layout == .full && inputs.allSatisfy { $0 == nil || $0?.layout == .full }
  }

  /// Whether a device may take the step in one kernel with another and what stands between them: all go
  /// element by element, through outputs of one shape (kernels/fused.cl).
  func joins(rowOf first: LaneStep) -> Bool { goesByElements && outputShape == first.outputShape }

  /// Whether an element of the output needs, of an input, the element at its own place only.
  package func isElementwise(in input: Int) -> Bool {
    switch action {
    case .apply(.element), .apply(.combine), .apply(.select):
      inputs[input]?.layout == output.layout && inputShapes[input] == outputShape
    default: false
    }
  }

  /// Multiply-adds of one lane, as `Primitive.work` counts them.
  package var work: Double {
    switch action {
    case .apply(let operation): operation.primitive.work(self)
    case .expand: Double(outputElements)
    }
  }
}

extension LanePlan {
  /// Whether the components of a tensor can be numbered as lanes number them.
  static func canPerturb(_ shape: [Int]) -> Bool {
    elementCount(ofShape: shape).map { $0 <= Int32.max } ?? false
  }

  /// Plans the way of a segment's lanes. Throws an `InputError` where an operator cannot take the
  /// combination of moving inputs.
  ///
  /// - Parameter chain: what takes lanes that enter it to its term; nil to go step by step.
  package init(graph: Graph, segment: Int, mode: LaneMode, chain: LaneChain? = nil) throws {
    let part = graph.layout.segments[segment]
    guard part.count <= Int32.max else {
      throw InputError(
        "found \(part.count) components, expected at most \(Int32.max)", tensor: part.name,
        remedy: "check a smaller network of the same kind")
    }
    var builder = LanePlanBuilder(graph: graph, segment: segment, mode: mode)
    let entry = mode == .difference ? chain?.entries[segment] : nil
    if entry != nil { builder.skipped = chain?.nodes ?? [] }
    try builder.build()
    self.init(
      segment: segment, steps: builder.steps, slots: builder.slots, terms: builder.terms,
      indices: builder.indices)
    if let entry, let chain {
      self.chain = ChainEntry(
        layer: entry.layer, isBias: entry.isBias, unit: number(adding: entry.unit),
        input: number(adding: entry.input), term: chain.term)
    }
  }
}

private struct LanePlanBuilder {
  let graph: Graph
  let segment: Int
  let mode: LaneMode
  var steps: [LaneStep] = []
  var slots: [Int] = []
  var terms: [LaneOperand?] = []
  var indices: [LaneIndex] = []
  /// Nodes that are another's business.
  var skipped: Set<Graph.NodeID> = []
  /// The lanes of each node that moves; `expanded` holds the full form of a slice.
  private var lanes: [Graph.NodeID: LaneOperand] = [:]
  private var expanded: [Graph.NodeID: LaneOperand] = [:]

  init(graph: Graph, segment: Int, mode: LaneMode) {
    self.graph = graph
    self.segment = segment
    self.mode = mode
  }

  mutating func build() throws {
    let needed = graph.needed(for: graph.terms)
    for (id, node) in graph.nodes.enumerated() {
      switch node.definition {
      case .constant: continue
      case .parameter(let part):
        guard part == segment else { continue }
        let slice = LaneLayout.Slice(
          axisLength: node.count, inner: 1, index: LaneIndex(divisor: 1, modulus: node.count))
        lanes[id] = LaneOperand(node: id, place: .moves, layout: .slice(slice))
      case .apply(let operation, let inputs):
        guard inputs.contains(where: { lanes[$0] != nil }), !skipped.contains(id),
          needed.contains(id)
        else { continue }
        try apply(operation, inputs, to: id)
      }
    }
    terms = graph.terms.map { lanes[$0.node] }
    for term in terms {
      if let slice = term?.slice { _ = number(of: slice.index) }
    }
    shareSlots()
  }

  private mutating func apply(_ operation: Operator, _ inputs: [Graph.NodeID], to id: Graph.NodeID)
    throws
  {
    if let operand = passedOn(operation, inputs, to: id) {
      lanes[id] = LaneOperand(node: id, place: operand.place, layout: operand.layout)
      return
    }
    let shapes = inputs.map { graph.nodes[$0].shape }
    var operands = inputs.map { lanes[$0] }
    let primitive = operation.primitive
    var layout = try primitive.outputLayout(
      operands.map { $0?.layout }, shapes: shapes, mode: mode)
    // Slices are expanded where there is no rule for them, single elements last: a parameter may
    // be too large to be held for every lane.
    for isLast in [false, true] where layout == nil {
      operands = inputs.map { input in
        lanes[input].flatMap { isLast || $0.place != .moves ? expand(input) : $0 }
      }
      layout = try primitive.outputLayout(operands.map { $0?.layout }, shapes: shapes, mode: mode)
    }
    guard let layout else {
      throw InputError(
        "cannot be perturbed through \(operation.primitive.name): this combination of moving "
          + "inputs has no rule",
        tensor: graph.nodes[id].name)
    }
    append(.apply(operation), id, operands, shapes, layout)
    lanes[id] = steps.last?.output
  }

  /// The lanes of an input that are those of the output: the elements keep their order, and what is
  /// done to them adds nothing that moves.
  private func passedOn(
    _ operation: Operator, _ inputs: [Graph.NodeID], to id: Graph.NodeID
  ) -> LaneOperand? {
    let moving = inputs.indices.filter { lanes[inputs[$0]] != nil }
    guard moving.count == 1, let input = moving.first else { return nil }
    switch operation {
    case .reshape: return lanes[inputs[input]]
    case .combine(.add) where mode == .difference,
      .combine(.subtract) where mode == .difference && input == 0:
      return graph.nodes[inputs[input]].shape == graph.nodes[id].shape
        ? lanes[inputs[input]] : nil
    default: return nil
    }
  }

  /// The full form of a node's lanes, by an extra step where they are a slice.
  private mutating func expand(_ id: Graph.NodeID) -> LaneOperand? {
    guard let operand = lanes[id], operand.layout != .full else { return lanes[id] }
    if let done = expanded[id] { return done }
    append(.expand, id, [operand], [graph.nodes[id].shape], .full)
    expanded[id] = steps.last?.output
    return steps.last?.output
  }

  private mutating func append(
    _ action: LaneStep.Action, _ id: Graph.NodeID, _ inputs: [LaneOperand?], _ shapes: [[Int]],
    _ layout: LaneLayout
  ) {
    // A buffer for each step at first; shareSlots puts together those that never live together.
    let output = LaneOperand(node: id, place: .slot(steps.count), layout: layout)
    var step = LaneStep(
      action: action, node: id, inputs: inputs, inputShapes: shapes,
      outputShape: graph.nodes[id].shape, output: output)
    let wanted: [LaneIndex] =
      switch action {
      case .apply(let operation): operation.primitive.laneIndices(step)
      case .expand: inputs.compactMap { $0?.slice?.index }
      }
    step.indices = wanted.map { number(of: $0) }
    steps.append(step)
  }

  /// Where an index stands among the plan's.
  private mutating func number(of index: LaneIndex) -> Int {
    if let known = indices.firstIndex(of: index) { return known }
    indices.append(index)
    return indices.count - 1
  }

  /// The last of the steps that a device may take together with one that goes element by element.
  private func endOfRow(_ position: Int) -> Int {
    var end = position
    while end + 1 < steps.count, steps[end + 1].joins(rowOf: steps[position]) { end += 1 }
    return end
  }

  /// Gives each step's output the first buffer that is free from there to its last use. What takes
  /// element by element what nobody needs any more writes where it reads: that is in the caches.
  private mutating func shareSlots() {
    var lastUse = [Int](repeating: -1, count: steps.count)
    func slot(of operand: LaneOperand?) -> Int? {
      if case .slot(let number) = operand?.place { number } else { nil }
    }
    for (position, step) in steps.enumerated() {
      for (number, input) in step.inputs.enumerated() {
        // A device may take all steps of such a row at once, and read what is repeated until the last.
        let isRepeated = step.goesByElements && step.inputShapes[number] != step.outputShape
        if let used = slot(of: input) {
          lastUse[used] = max(lastUse[used], isRepeated ? endOfRow(position) : position)
        }
      }
    }
    for term in terms {
      if let used = slot(of: term) { lastUse[used] = steps.count }
    }
    var home = [Int](repeating: 0, count: steps.count)
    var busyUntil: [Int] = []
    for (position, step) in steps.enumerated() {
      let own = step.inputs.indices.lazy.filter { step.isElementwise(in: $0) }
        .compactMap { slot(of: step.inputs[$0]) }
        .first { lastUse[$0] == position }.map { home[$0] }
      let free = own ?? busyUntil.firstIndex { $0 < position }
      let chosen = free ?? busyUntil.count
      if free == nil {
        busyUntil.append(0)
        slots.append(0)
      }
      busyUntil[chosen] = max(lastUse[position], position)
      slots[chosen] = max(slots[chosen], step.outputElements)
      home[position] = chosen
    }
    func settled(_ operand: LaneOperand) -> LaneOperand {
      var operand = operand
      if let number = slot(of: operand) { operand.place = .slot(home[number]) }
      return operand
    }
    for position in steps.indices {
      steps[position].inputs = steps[position].inputs.map { $0.map(settled) }
      steps[position].output = settled(steps[position].output)
    }
    terms = terms.map { $0.map(settled) }
  }
}
