import GPUCheck
import Kernels
import Testing

/// The way of a tensor's lanes: which nodes, in which layout, in which buffers.
@Suite struct LanePlanTests {
  /// x `[3, 2]` → dense(W1, b1) → tanh → dense(W2, b2) → softmax cross-entropy, and W2² on the side.
  private func network(_ layout: WeightLayout = .outIn) throws -> Graph {
    let w = { (outs: Int, ins: Int) in layout == .outIn ? [outs, ins] : [ins, outs] }
    var graph = Graph(
      layout: ParameterLayout([("W1", w(4, 2)), ("b1", [4]), ("W2", w(5, 4)), ("b2", [5])]))
    let x = graph.constant("x", .zeros([3, 2]))
    let segments = (0..<4).map { graph.parameter(segment: $0) }
    let z1 = try graph.apply(.dense(layout), [x, segments[0], segments[1]], name: "z1")
    let a1 = try graph.apply(.element(.tanh), [z1], name: "a1")
    let z2 = try graph.apply(.dense(layout), [a1, segments[2], segments[3]], name: "z2")
    let y = graph.constant("y", .zeros([3, 5]))
    let loss = try graph.apply(.softmaxCrossEntropy, [z2, y], name: "loss")
    graph.addToCost(loss, factor: 1)
    graph.addToCost(
      try graph.apply(.element(.square), [segments[2]], name: "penalty"), factor: 0.1)
    return graph
  }

  /// `full`, or the slice's axis and inner extent, and which position moves.
  private func words(_ layout: LaneLayout) -> String {
    guard case .slice(let slice) = layout else { return "full" }
    let index = slice.index.steps.map { step in
      switch step {
      case .digit(let divisor, let modulus): "component / \(divisor) mod \(modulus)"
      case .move: "where it goes"
      case .isMoved: "whether it goes anywhere"
      }
    }
    return "\(slice.axisLength) by \(slice.inner), " + index.joined(separator: ", ")
  }

  /// The steps as `name` or `expand name`, with the layout of each.
  private func way(_ graph: Graph, _ segment: Int) throws -> [(name: String, layout: String)] {
    try LanePlan(graph: graph, segment: segment, mode: .difference).steps.map { step in
      let name = graph.nodes[step.node].name
      let isExpanding = if case .expand = step.action { true } else { false }
      return ((isExpanding ? "expand " : "") + name, words(step.output.layout))
    }
  }

  @Test("A slice stays one through elements, and is full after the next contraction")
  func layouts() throws {
    let graph = try network()
    let first = try way(graph, 0)
    #expect(first.map(\.name) == ["z1", "a1", "z2", "loss"])
    let moving = "4 by 1, component / 2 mod 4"
    #expect(first.map(\.layout) == [moving, moving, "full", "full"])
    let bias = try way(graph, 1)
    #expect(bias.map(\.name) == ["z1", "a1", "z2", "loss"])
    #expect(bias[0].layout == "4 by 1, component / 1 mod 4")
  }

  @Test("Nothing upstream is computed again; rows of classes get the whole tensor")
  func nothingUpstream() throws {
    let graph = try network()
    let second = try way(graph, 2)
    #expect(second.map(\.name) == ["z2", "expand z2", "loss", "penalty"])
    #expect(second[0].layout == "5 by 1, component / 4 mod 5")
    #expect(second[1].layout == "full")
    #expect(second[3].layout == "20 by 1, component / 1 mod 20")
    #expect(try way(graph, 3).map(\.name) == ["z2", "expand z2", "loss"])
    #expect(
      try LanePlan(graph: graph, segment: 3, mode: .difference).terms.map { $0 == nil } == [
        false, true,
      ])
    // In the other layout of W the unit is the column.
    #expect(try way(network(.inOut), 2)[0].layout == "5 by 1, component / 1 mod 5")
  }

  @Test("Every step finds its inputs in their buffers", arguments: everyLayer)
  func slotsHold(operation: Operator) throws {
    for shape in TableShape.all {
      try checkSlots(TableRow(operation, shape).graph)
    }
    try checkSlots(network())
  }

  private func checkSlots(_ graph: Graph) throws {
    for segment in graph.layout.segments.indices {
      let plan = try LanePlan(graph: graph, segment: segment, mode: .difference)
      var held = [LaneOperand?](repeating: nil, count: plan.slots.count)
      for step in plan.steps {
        for input in step.inputs.compactMap({ $0 }) {
          if case .slot(let slot) = input.place { #expect(held[slot] == input) }
        }
        guard case .slot(let slot) = step.output.place else {
          Issue.record("a step that writes the parameter")
          continue
        }
        for input in step.inputs.indices where step.inputs[input]?.place == step.output.place {
          #expect(step.isElementwise(in: input))
        }
        #expect(plan.slots[slot] >= step.outputElements)
        held[slot] = step.output
      }
      for term in plan.terms.compactMap({ $0 }) {
        if case .slot(let slot) = term.place { #expect(held[slot] == term) }
      }
    }
  }

  @Test("A long chain needs two buffers, and one where it goes element by element")
  func slotsAreShared() throws {
    for (operation, slots) in [(Operator.element(.tanh), [1]), (.softmax, [7, 7])] {
      var graph = Graph(layout: ParameterLayout([("a", [7])]))
      var node = graph.parameter(segment: 0)
      for number in 0..<6 { node = try graph.apply(operation, [node], name: "a\(number)") }
      graph.addToCost(node, factor: 1)
      let plan = try LanePlan(graph: graph, segment: 0, mode: .difference)
      #expect(plan.slots == slots)
    }
  }

  @Test("What is needed again is not written over, nor what is read elsewhere")
  func slotsAreKept() throws {
    var graph = Graph(layout: ParameterLayout([("a", [2, 3])]))
    let a = try graph.apply(.softmax, [graph.parameter(segment: 0)], name: "a")
    let b = try graph.apply(.element(.tanh), [a], name: "b")
    let c = try graph.apply(.combine(.multiply), [a, b], name: "c")
    let d = try graph.apply(.element(.square), [c], name: "d")
    graph.addToCost(c, factor: 1)
    graph.addToCost(d, factor: 1)
    try checkSlots(graph)
    let plan = try LanePlan(graph: graph, segment: 0, mode: .difference)
    #expect(plan.terms[0]?.place != plan.terms[1]?.place)
  }

  @Test("What adds nothing that moves takes no step")
  func passedOn() throws {
    var graph = Graph(layout: ParameterLayout([("a", [2, 3])]))
    let a = graph.parameter(segment: 0)
    let bias = graph.constant("bias", .zeros([3]))
    let b = try graph.apply(.combine(.add), [a, bias], name: "b")
    let c = try graph.apply(.combine(.subtract), [b, bias], name: "c")
    let d = try graph.apply(.combine(.subtract), [bias, c], name: "d")
    graph.addToCost(d, factor: 1)
    let names = { (mode: LaneMode) in
      try LanePlan(graph: graph, segment: 0, mode: mode).steps.map { graph.nodes[$0.node].name }
    }
    #expect(try names(.difference) == ["d"])
    #expect(try names(.value) == ["b", "c", "d"])
  }

  @Test("A parameter that is a term of J itself", arguments: TestBackend.allCases)
  func termOfParameter(on backend: TestBackend) throws {
    var graph = Graph(layout: ParameterLayout([("a", [3])]))
    graph.addToCost(graph.parameter(segment: 0), factor: 2)
    #expect(try LanePlan(graph: graph, segment: 0, mode: .difference).terms.first??.place == .moves)
    let baseline = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: [1, 2, 4]))
    for (mode, moves, expected) in [
      (LaneMode.difference, [0.5, 1, -1], [1, 2, -2]), (.value, [1.5, 3, 3], [15, 16, 12.0]),
    ] {
      let evaluator = try backend.open().prepare(
        baseline, mode: mode, precision: .f32, tieRoundoff: 0)
      #expect(
        try evaluator.evaluate(LaneBatch(segment: 0, components: [0, 1, 2], moves: moves)).values
          == expected)
    }
  }

  @Test("A combination of moving inputs without a rule is refused")
  func refusals() throws {
    let square = ParameterLayout([("W", [2, 2])])
    var tied = Graph(layout: square)
    let w = tied.parameter(segment: 0)
    let z = try tied.apply(
      .dense(.outIn), [tied.constant("x", .zeros([3, 2])), w], name: "z")
    tied.addToCost(try tied.apply(.dense(.outIn), [z, w], name: "again"), factor: 1)
    #expect(throws: InputError.self) { try LanePlan(graph: tied, segment: 0, mode: .difference) }

    let binary: [Operator] = everyOperator.filter {
      switch $0 {
      case .softmaxCrossEntropy, .multiclassHinge: true
      case .element(let function): function.isBinary
      default: false
      }
    }
    for operation in binary {
      for order in [[0, 1], [1, 0], [1, 1]] {
        var graph = Graph(layout: square)
        let nodes = [graph.constant("c", .zeros([2, 2])), graph.parameter(segment: 0)]
        graph.addToCost(try graph.apply(operation, order.map { nodes[$0] }, name: "f"), factor: 1)
        if order == [1, 0] {
          #expect(throws: Never.self) { try LanePlan(graph: graph, segment: 0, mode: .difference) }
        } else {
          #expect(throws: InputError.self, "\(operation) \(order)") {
            try LanePlan(graph: graph, segment: 0, mode: .difference)
          }
        }
      }
    }
  }
}
