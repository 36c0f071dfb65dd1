import GPUCheck
import Kernels
import Testing

/// What a lane's steps take, against counts made by hand; what its tables hold, against the tables.
@Suite struct WorkTests {
  /// A parameter's lanes through an operator, and the work of each of its steps there.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var parameters: [[Int]]
    var of: String
    var work: [Double]
    var build: @Sendable (inout CaseBuilder) throws -> Graph.NodeID
    var testDescription: String { name }

    init(
      _ name: String, _ parameters: [[Int]], of operation: String, _ work: Double...,
      build: @escaping @Sendable (inout CaseBuilder) throws -> Graph.NodeID
    ) {
      self.name = name
      self.parameters = parameters
      self.of = operation
      self.work = work
      self.build = build
    }
  }

  private static let product = Operator.matrixProduct(MatrixProductForm())
  private static let (a, b) = ([4, 5], [5, 9])

  static let products: [Row] = [
    Row("an element of A: a row of C", [a], of: "matrix-product", 9) {
      try $0.apply(product, $0.single(0), $0.constant(b))
    },
    Row("an element of B: a column of C", [b], of: "matrix-product", 4) {
      try $0.apply(product, $0.constant(a), $0.single(0))
    },
    Row("all of A", [a], of: "matrix-product", 20, 4 * 5 * 9) {
      // The first product makes all of it move: 20 by 20 times one element.
      try $0.apply(product, $0.full(0), $0.constant(b))
    },
    Row("a row of A", [[4]], of: "matrix-product", 5 * 9) {
      try $0.apply(product, $0.slice(0, a, axis: 0), $0.constant(b))
    },
    Row("a column of B", [[9]], of: "matrix-product", 5 * 4) {
      try $0.apply(product, $0.constant(a), $0.slice(0, b, axis: 1))
    },
    Row("a position of the sum", [[5]], of: "matrix-product", 4 * 9) {
      try $0.apply(product, $0.slice(0, a, axis: 1), $0.constant(b))
    },
    Row("both", [[1]], of: "matrix-product", 2 * 4 * 5 * 9) {
      let left = try $0.apply(.combine(.add), $0.constant(a), $0.single(0))
      let right = try $0.apply(.combine(.add), $0.constant(b), $0.single(0))
      return try $0.apply(product, left, right)
    },
    Row("both, stacks of two", [[1]], of: "matrix-product", 2 * 2 * 4 * 5 * 9) {
      let left = try $0.apply(.combine(.add), $0.constant([2] + a), $0.single(0))
      let right = try $0.apply(.combine(.add), $0.constant([2] + b), $0.single(0))
      return try $0.apply(product, left, right)
    },
    Row("an element of A and all of B", [a], of: "matrix-product", 4 * 5 * 9 + 9) {
      let shared = try $0.apply(.gather(.mean(of: a), .sum), $0.single(0))
      let moving = try $0.apply(.combine(.add), $0.constant(b), shared)
      return try $0.apply(product, $0.single(0), moving)
    },
    Row("all of A and an element of B", [b], of: "matrix-product", 4 * 5 * 9 + 4) {
      let shared = try $0.apply(.gather(.mean(of: b), .sum), $0.single(0))
      let moving = try $0.apply(.combine(.add), $0.constant(a), shared)
      return try $0.apply(product, moving, $0.single(0))
    },
  ]

  // MARK: Convolutions

  /// 3 by 2 positions. Along the first axis 5 of 6 pairs of a tap and a position lie inside x, along
  /// the second 4 of 6.
  private static let window = ConvolutionForm(
    strides: [1, 2], dilations: [2, 1], padding: [(1, 0), (1, 1)])
  private static let (x, w) = ([2, 2, 4, 3], [3, 2, 2, 3])
  private static let inside = 5.0 * 4
  private static let convolution = Operator.convolution(window)

  static let convolutions: [Row] = [
    Row("one weight: a channel of y", [w], of: "convolution", 2 * 6) {
      try $0.apply(convolution, $0.constant(x), $0.single(0))
    },
    Row("x", [[1]], of: "convolution", 2 * 3 * 2 * inside) {
      try $0.apply(
        convolution, $0.apply(.combine(.add), $0.constant(x), $0.single(0)), $0.constant(w))
    },
    Row("all weights", [[1]], of: "convolution", 2 * 3 * 2 * inside) {
      try $0.apply(
        convolution, $0.constant(x), $0.apply(.combine(.add), $0.constant(w), $0.single(0)))
    },
    Row("x and all weights", [[1]], of: "convolution", 2 * 2 * 3 * 2 * inside) {
      try $0.apply(
        convolution, $0.apply(.combine(.add), $0.constant(x), $0.single(0)),
        $0.apply(.combine(.add), $0.constant(w), $0.single(0)))
    },
    Row("x and one weight", [w], of: "convolution", 2 * 3 * 2 * inside + 2 * 6) {
      let shared = try $0.apply(.gather(.mean(of: w), .sum), $0.single(0))
      let moving = try $0.apply(.combine(.add), $0.constant(x), shared)
      return try $0.apply(convolution, moving, $0.single(0))
    },
    Row("a channel of x", [[2]], of: "convolution", 2 * 3 * inside) {
      try $0.apply(convolution, $0.slice(0, x, axis: 1), $0.constant(w))
    },
    // 2 by 3 positions; all 4 pairs inside along the first axis, 5 of 6 along the second.
    Row("a channel that is a group", [[3]], of: "convolution", 2 * 4 * 5) {
      let form = ConvolutionForm(
        strides: [1, 1], dilations: [1, 1], padding: [(0, 0), (1, 0)], groups: 3)
      return try $0.apply(
        .convolution(form), $0.slice(0, [2, 3, 3, 3], axis: 1), $0.constant([3, 1, 2, 2]))
    },
  ]

  // MARK: Gathers

  private static let sums = Operator.gather(
    GatherMap(
      outputShape: [2, 3, 2], columns: 4, inner: 2, starts: [0, 2, 2, 5],
      sources: [0, 3, 1, 0, 2], weights: [0.5, -1.25, 2, 0.75, 1]), .sum)
  private static let embedding = Operator.gather(
    GatherMap(outputShape: [5, 3], columns: 4, inner: 3, taking: [2, 0, 2, 1, 2]), .sum)

  static let gathers: [Row] = [
    Row("sums: 5 terms in each of 2 blocks by 2", [[1]], of: "gather-sum", 5 * 2 * 2) {
      try $0.apply(sums, $0.apply(.combine(.add), $0.constant([2, 4, 2]), $0.single(0)))
    },
    Row("sums of one element", [[2, 4, 2]], of: "gather-sum", 5 * 2) {
      try $0.apply(sums, $0.single(0))
    },
    Row("sums, a position of an inner axis", [[2]], of: "gather-sum", 5 * 2) {
      try $0.apply(sums, $0.slice(0, [2, 4, 2], axis: 2))
    },
    Row("an embedding of 5 rows of 3", [[1]], of: "gather-sum", 5 * 3) {
      try $0.apply(embedding, $0.apply(.combine(.add), $0.constant([4, 3]), $0.single(0)))
    },
    Row("an element that goes to one place", [[2, 3, 2]], of: "gather-sum", 1) {
      try $0.apply(.gather(.transpose([2, 3, 2]), .sum), $0.single(0))
    },
  ]

  @Test(arguments: products + convolutions + gathers)
  func work(_ row: Row) throws {
    let layout = ParameterLayout(row.parameters.enumerated().map { ("p\($0)", $1) })
    var builder = CaseBuilder(
      graph: Graph(layout: layout), numbers: TableNumbers(), firstSegment: 0)
    let node = try row.build(&builder)
    builder.graph.addToCost(node, factor: 1)
    let plan = try LanePlan(graph: builder.graph, segment: 0, mode: .difference)
    let found = plan.steps.compactMap { step -> Double? in
      guard case .apply(let operation) = step.action, operation.primitive.name == row.of else {
        return nil
      }
      return step.work
    }
    // What makes the operand move comes first.
    #expect(found.suffix(row.work.count) == row.work[...])
  }

  /// x `[3, 2]` → dense 4 → tanh → dense 5 → dense 2 → softmax cross-entropy.
  @Test("A dense network, weight by weight")
  func dense() throws {
    var graph = Graph(
      layout: ParameterLayout([("W1", [4, 2]), ("W2", [5, 4]), ("b2", [5]), ("W3", [2, 5])]))
    let p = (0..<4).map { graph.parameter(segment: $0) }
    let x = graph.constant("x", .zeros([3, 2]))
    let z1 = try graph.apply(.dense(.outIn), [x, p[0]], name: "z1")
    let a1 = try graph.apply(.element(.tanh), [z1], name: "a1")
    let z2 = try graph.apply(.dense(.outIn), [a1, p[1], p[2]], name: "z2")
    let z3 = try graph.apply(.dense(.outIn), [z2, p[3]], name: "z3")
    let y = graph.constant("y", .zeros([3, 2]))
    graph.addToCost(
      try graph.apply(.softmaxCrossEntropy, [z3, y], name: "loss"), factor: 1)
    let works = try (0..<4).map {
      try LanePlan(graph: graph, segment: $0, mode: .difference).steps.map(\.work)
    }
    // One unit of 3 samples; its tanh; 5 units of it; 2 of all 5; 3 rows of 2 classes.
    #expect(works[0] == [3, 3, 15, 30, 6])
    #expect(works[1] == [3, 6, 6])
    #expect(works[2] == [3, 6, 6])
    // One unit, spread out to both, since a loss takes rows.
    #expect(works[3] == [3, 6, 6])
    let estimate = CheckEstimate(graph, InspectOptions(), devices: [])
    #expect(estimate.segments.map(\.workPerLane) == works.map { $0.reduce(0, +) })
    // The layers' products, tanh and the loss.
    let products = 3 * 2 * 4 + 3 * 4 * 5 + 3 * 5 * 2
    #expect(estimate.forwardWork == Double(products + 12 + 6))
  }

  @Test("What lanes of a chain share is in the estimate of all components, not in that of few")
  func shared() throws {
    let width = 64
    var graph = Graph(
      layout: ParameterLayout((0..<4).map { ("W\($0)", [width, width]) }))
    var x = graph.constant("x", .zeros([8, width]))
    for segment in 0..<4 {
      x = try graph.apply(.dense(.outIn), [x, graph.parameter(segment: segment)], name: "z")
      if segment < 3 { x = try graph.apply(.element(.relu), [x], name: "a") }
    }
    let y = graph.constant("y", .zeros([8, width]))
    graph.addToCost(try graph.apply(.softmaxCrossEntropy, [x, y], name: "loss"), factor: 1)
    var options = InspectOptions()
    options.sample = 40
    let estimate = CheckEstimate(graph, options, devices: [])
    let host = try #require(estimate.devices.last)
    let sample = try #require(estimate.sample)
    let sampleSeconds = try #require(host.sampleSeconds)
    #expect(host.fullSeconds < 0.2 * estimate.full.work / host.rate)
    #expect(sampleSeconds >= sample.work / host.rate)
  }

  // MARK: Tables

  /// Bytes of the tables that are made of a baseline.
  private func bytes(_ baseline: Baseline, moving: Set<Graph.NodeID>) -> Int {
    var values: Set<Graph.NodeID> = []
    var (reals, integers) = (0, 0)
    for node in moving {
      for table in baseline.coefficients(node, mode: .difference, tieRoundoff: 0) {
        switch table {
        case .value(let of): values.insert(of)
        case .values(let numbers): reals += numbers.count
        case .none: break
        }
      }
      integers += baseline.integerTables(node).reduce(0) { $0 + $1.count }
    }
    reals += values.reduce(0) { $0 + baseline.values[$1].count }
    return 8 * reals + 4 * integers
  }

  private func expectTables(_ row: TableRow) throws {
    let plans = try row.graph.layout.segments.indices.map {
      try LanePlan(graph: row.graph, segment: $0, mode: .difference)
    }
    let moving = Set(plans.flatMap { $0.steps.map(\.node) })
    let baseline = Baseline(graph: row.graph, parameters: row.parameters)
    // Node by node, so that nothing makes up for anything else.
    for node in moving {
      let told = LaneTableMemory(row.graph, moving: [node]).bytes(.f64)
      #expect(told == bytes(baseline, moving: [node]), "\(row.name), \(row.graph.nodes[node].name)")
    }
    #expect(
      LaneTableMemory(row.graph, moving: moving).bytes(.f64) == bytes(baseline, moving: moving))
  }

  @Test("Shapes tell what the tables of every operator hold")
  func tables() throws {
    for operation in everyLayer {
      try expectTables(TableRow(operation, TableShape(samples: 3, ins: 2, hidden: 4, outs: 11)))
    }
    for row in OperatorCase.all { try expectTables(TableRow(row)) }
  }
}
