import GPUCheck
import Kernels

/// The extents of a small network.
struct TableShape: Sendable, Equatable {
  var samples: Int
  var ins: Int
  var hidden: Int
  var outs: Int

  /// One of everything; more outputs than a block of the matrix product holds (and more classes
  /// than a vector of doubles); a whole block of it, with rows longer than columns; fewer.
  static let all = [
    TableShape(samples: 1, ins: 1, hidden: 1, outs: 1),
    TableShape(samples: 3, ins: 2, hidden: 4, outs: 11),
    TableShape(samples: 2, ins: 5, hidden: 3, outs: 8),
    TableShape(samples: 4, ins: 2, hidden: 3, outs: 3),
  ]
}

/// A row of the tables: one operator in a small network with random numbers,
///
///     x → dense(W1, b1) → dense(W2, b2) → [sigmoid →] operator → · weights → Σ = J.
///
/// Lanes of W2 and b2 reach the operator as slices, those of W1 and b1 in full. A dense operator is
/// the third of three, so that its own W3 and b3 move too. All numbers are multiples of 2⁻¹², which
/// float32 holds exactly.
struct TableRow: Sendable {
  /// The operator, and its shape or what moves.
  let name: String
  let graph: Graph
  let parameters: ParameterVector
  /// How many roundings a lane's way through the network has, at most: a float32 error is held to
  /// this many units of roundoff.
  let roundings: Double

  init(_ operation: Operator, _ shape: TableShape) throws {
    name = "\(operation) \(shape)"
    var graph = Graph(layout: ParameterLayout(Self.tensors(operation, shape)))
    let values = try Self.add(operation, shape, to: &graph, firstSegment: 0)
    self.graph = graph
    parameters = try ParameterVector(layout: graph.layout, values: values)
    // Products and sums of the layers; the function, whose library may be off by 4 units, and its
    // coefficients; the row sums of softmax.
    let widths = Self.widths(operation, shape)
    roundings = Double(2 * widths.reduce(0, +) + 16 + 2 * shape.outs)
  }

  /// A case of an operator over tensors of any shape.
  init(_ row: OperatorCase) throws {
    name = row.name
    roundings = row.roundings
    var graph = Graph(layout: ParameterLayout(Self.tensors(row)))
    let values = try Self.add(row, to: &graph, firstSegment: 0)
    self.graph = graph
    parameters = try ParameterVector(layout: graph.layout, values: values)
  }

  fileprivate static func tensors(_ row: OperatorCase) -> [(name: String, shape: [Int])] {
    row.parameters.enumerated().map { ("p\($0)", $1) }
  }

  /// Adds a case to a graph that has its parameters from some segment on; returns their values.
  fileprivate static func add(_ row: OperatorCase, to graph: inout Graph, firstSegment: Int) throws
    -> [Double]
  {
    var builder = CaseBuilder(graph: graph, numbers: TableNumbers(), firstSegment: firstSegment)
    let node = try row.build(&builder)
    let weights = builder.graph.constant(
      "weights", builder.numbers.weights(builder.graph.nodes[node].shape))
    let weighted = try builder.apply(.combine(.multiply), node, weights)
    builder.graph.addToCost(weighted, factor: 0.5)
    graph = builder.graph
    return row.parameters.flatMap { builder.numbers.tensor($0).values }
  }

  private static func isDense(_ operation: Operator) -> Bool {
    if case .dense = operation { true } else { false }
  }

  /// The extents from the input to the last dense layer.
  private static func widths(_ operation: Operator, _ shape: TableShape) -> [Int] {
    let widths = [shape.ins, shape.hidden, shape.outs]
    return isDense(operation) ? widths + [shape.outs + 1] : widths
  }

  private static func weightLayout(_ operation: Operator) -> WeightLayout {
    if case .dense(let layout) = operation { layout } else { .outIn }
  }

  /// Functions that are told of positive numbers only.
  private static let needsPositive: [Operator] = [
    .element(.binaryCrossEntropy), .element(.log), .element(.squareRoot), .element(.reciprocal),
  ]

  /// The parameters of a row.
  fileprivate static func tensors(_ operation: Operator, _ shape: TableShape)
    -> [(name: String, shape: [Int])]
  {
    let widths = widths(operation, shape)
    return (1..<widths.count).flatMap { number -> [(name: String, shape: [Int])] in
      let (ins, outs) = (widths[number - 1], widths[number])
      let weight = weightLayout(operation) == .outIn ? [outs, ins] : [ins, outs]
      return [("W\(number)", weight), ("b\(number)", [outs])]
    }
  }

  /// Adds a row to a graph that has its parameters from some segment on; returns their values.
  fileprivate static func add(
    _ operation: Operator, _ shape: TableShape, to graph: inout Graph, firstSegment: Int
  ) throws -> [Double] {
    var numbers = TableNumbers()
    var node = graph.constant("x", numbers.tensor([shape.samples, shape.ins]))
    var weight = node
    let parts = tensors(operation, shape)
    for number in stride(from: 0, to: parts.count, by: 2) {
      weight = graph.parameter(segment: firstSegment + number)
      let bias = graph.parameter(segment: firstSegment + number + 1)
      node = try graph.apply(
        .dense(weightLayout(operation)), [node, weight, bias], name: "z\(number / 2 + 1)")
    }
    if !isDense(operation) {
      if Self.needsPositive.contains(operation) {
        node = try graph.apply(.element(.sigmoid), [node], name: "p")
      }
      let operand = numbers.operand(operation, shape).map { graph.constant("y", $0) }
      node = try graph.apply(operation, [node] + (operand.map { [$0] } ?? []), name: "f")
    }
    let weights = graph.constant("weights", numbers.weights(graph.nodes[node].shape))
    graph.addToCost(
      try graph.apply(.element(.multiply), [node, weights], name: "weighted"), factor: 0.5)
    // A penalty on W2, whose lanes reach J as slices.
    if operation == .element(.square) || operation == .element(.absolute) {
      graph.addToCost(try graph.apply(operation, [weight], name: "penalty"), factor: 0.25)
    }
    return numbers.tensor([parts.reduce(0) { $0 + $1.shape.reduce(1, *) }]).values
  }
}

/// Rows side by side in one graph, so that a device builds one program for all of them. J is the
/// sum of theirs; a lane moves its own row's share only.
struct TableNetwork: Sendable {
  let rows: [TableRow]
  let graph: Graph
  let parameters: ParameterVector
  /// Where each row's parameters begin among the segments.
  let firstSegments: [Int]

  init(_ operations: [Operator], _ shape: TableShape) throws {
    rows = try operations.map { try TableRow($0, shape) }
    let tensors = operations.map { TableRow.tensors($0, shape) }
    var graph = Graph(layout: ParameterLayout(tensors.flatMap { $0 }))
    var first = 0
    var firstSegments: [Int] = []
    for (operation, tensors) in zip(operations, tensors) {
      firstSegments.append(first)
      _ = try TableRow.add(operation, shape, to: &graph, firstSegment: first)
      first += tensors.count
    }
    self.graph = graph
    self.firstSegments = firstSegments
    parameters = try ParameterVector(
      layout: graph.layout, values: rows.flatMap(\.parameters.values))
  }

  init(_ cases: [OperatorCase]) throws {
    rows = try cases.map { try TableRow($0) }
    let tensors = cases.map { TableRow.tensors($0) }
    var graph = Graph(layout: ParameterLayout(tensors.flatMap { $0 }))
    var first = 0
    var firstSegments: [Int] = []
    for (row, tensors) in zip(cases, tensors) {
      firstSegments.append(first)
      _ = try TableRow.add(row, to: &graph, firstSegment: first)
      first += tensors.count
    }
    self.graph = graph
    self.firstSegments = firstSegments
    parameters = try ParameterVector(
      layout: graph.layout, values: rows.flatMap(\.parameters.values))
  }
}

/// The random numbers of a case.
struct TableNumbers {
  private var random = SplitMix64(seed: 7)

  mutating func number(_ range: ClosedRange<Double>) -> Double {
    (Double.random(in: range, using: &random) * 4096).rounded() / 4096
  }

  mutating func tensor(_ shape: [Int], _ range: ClosedRange<Double> = -1...1) -> Tensor {
    Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in number(range) })
  }

  /// Positive, so that J does not cancel; different, so that a value in the wrong place shows.
  mutating func weights(_ shape: [Int]) -> Tensor { tensor(shape, 0.5...1.5) }

  /// The constant second operand, in the operator's domain.
  mutating func operand(_ operation: Operator, _ shape: TableShape) -> Tensor? {
    let full = [shape.samples, shape.outs]
    switch operation {
    case .softmaxCrossEntropy: return labels(shape, sharing: true)
    case .multiclassHinge: return labels(shape, sharing: false)
    case .element(.hinge):
      return Tensor(shape: full, values: tensor(full).values.map { $0 < 0 ? -1 : 1 })
    case .element(.binaryCrossEntropy), .element(.binaryCrossEntropyWithLogits):
      // A third 0, a third 1, a third in between.
      return Tensor(
        shape: full, values: tensor(full, -1...2).values.map { min(max($0, 0), 1) })
    case .element(let function) where function.isBinary: return tensor(full)
    default: return nil
    }
  }

  /// One-hot rows and, with `sharing`, every other row probabilities.
  private mutating func labels(_ shape: TableShape, sharing: Bool) -> Tensor {
    var values: [Double] = []
    for sample in 0..<shape.samples {
      var row = [Double](repeating: 0, count: shape.outs)
      row[Int.random(in: 0..<shape.outs, using: &random)] = 1
      if sharing, sample % 2 == 1 {
        row = row.map { _ in number(0...0.08) }
        row[0] += 1 - row.reduce(0, +)
      }
      values += row
    }
    return Tensor(shape: [shape.samples, shape.outs], values: values)
  }
}
