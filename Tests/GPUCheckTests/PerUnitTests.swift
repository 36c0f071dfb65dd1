import Foundation
import GPUCheck
import Kernels
import Synchronization
import Testing

/// Checks that move units in the place of parameters.
@Suite("Checks per unit")
struct PerUnitTests {
  /// A check per unit, and how many components were looked at again by exact differences: what the
  /// units alone got wrong is among them.
  static func check(
    _ problem: Problem, on checker: Checker = TestCheckers.cpu, _ precision: PrecisionChoice = .f64,
    epsilon: Double? = nil
  ) throws -> (report: CheckReport, again: Int) {
    var options = CheckOptions()
    options.isPerUnit = true
    options.precision = precision
    options.epsilon = epsilon
    let again = Mutex(0)
    let report = try checker.check(problem, options) { progress in
      if progress.stage == "looking again" { again.withLock { $0 = progress.total } }
    }
    return (report, again.withLock(\.self))
  }

  private func expectPass(_ found: (report: CheckReport, again: Int), _ what: String) {
    let report = found.report
    #expect(
      report.passed && report.textbookAgreement.passed && report.isPerUnit && found.again == 0,
      """
      \(what): \(report.verdict), distance \(report.relativeDifference), floor \
      \(report.noiseFloor), \(report.wrong) wrong, \(found.again) again, agreement \
      \(report.textbookAgreement), worst \(report.worst.first.map { "\($0)" } ?? "none"), warnings \
      \(report.warnings)
      """)
  }

  // MARK: Right and wrong gradients

  /// Every fixture but the one that stands on a kink.
  private static let smooth = NetworkFixture.all.filter { $0.name != "tied-relu" }

  @Test(
    "A right gradient passes by the units alone, computed in float64 or in float32 throughout",
    arguments: smooth, TestCheckers.Name.allCases)
  func right(fixture: NetworkFixture, backend: TestCheckers.Name) throws {
    let checker = try backend.checker()
    for file in ["gradient.npz", "gradient-f32.npz"] {
      let problem = try fixture.problem(gradient: fixture.path(file))
      for precision in backend.precisions {
        for epsilon in [nil, 1e-2] {
          expectPass(
            try Self.check(problem, on: checker, precision, epsilon: epsilon),
            "\(fixture.name) \(file) \(backend) \(precision) \(epsilon ?? 0)")
        }
      }
    }
  }

  @Test("It is the difference that the ordinary check takes, within both bars", arguments: smooth)
  func sameDifference(fixture: NetworkFixture) throws {
    let problem = try fixture.problem()
    for precision in [PrecisionChoice.f64, .f32] {
      for epsilon in [nil, 0.03] {
        var options = CheckOptions()
        options.precision = precision
        options.epsilon = epsilon
        let ordinary = try TestCheckers.cpu.check(problem, options)
        let (report, _) = try Self.check(problem, precision, epsilon: epsilon)
        for i in ordinary.numeric.indices {
          let (one, other) = (report.numeric[i], ordinary.numeric[i])
          #expect(
            (one - other).magnitude <= report.uncertainty[i] + ordinary.uncertainty[i],
            "\(fixture.name) \(precision) \(epsilon ?? 0) component \(i): \(one), \(other)")
        }
      }
    }
  }

  @Test("A tensor whose gradient is wrong is named, and no other", arguments: smooth)
  func wrongTensor(fixture: NetworkFixture) throws {
    let right = try fixture.problem()
    for (number, part) in right.gradient.layout.segments.enumerated() {
      let size = right.gradient[segment: number].map(\.magnitude).max() ?? 0
      // Nothing can be told of tensors whose gradient is rounding noise.
      guard size > 1e-6 else { continue }
      var problem = right
      for i in part.range { problem.gradient.values[i] *= 1.01 }
      let (report, again) = try Self.check(problem)
      #expect(!report.passed && again > 0)
      for tensor in report.tensors where tensor.kinks == 0 {
        #expect(tensor.passed == (tensor.name != part.name), "\(fixture.name) \(tensor.name)")
      }
    }
  }

  @Test(
    "One wrong component among thousands is found, and the steps' errors stay within the bars",
    arguments: TestCheckers.Name.allCases)
  func needle(backend: TestCheckers.Name) throws {
    let network = HandWrittenNetwork([64, 48, 24, 10])
    var gradient = network.gradient
    for precision in backend.precisions {
      let right = try Self.check(network.problem(), on: backend.checker(), precision)
      expectPass(right, "\(backend) \(precision)")
      let errors = zip(right.report.numeric, gradient).map { ($0 - $1).magnitude }.sorted()
      let bars = right.report.uncertainty.sorted()
      let ratio = bars[bars.count / 2] / errors[errors.count / 2]
      #expect(1 < ratio && ratio < 30, "\(backend) \(precision): \(ratio)")
    }
    let component = 1234
    gradient[component] += 1e-4 * gradient.map(\.magnitude).reduce(0, max)
    let (report, again) = try Self.check(
      network.problem(gradient: gradient), on: backend.checker(), backend.precisions[0])
    #expect(!report.passed && report.wrong == 1 && again == 1)
    #expect(report.worst.first?.index == [component / 64, component % 64])
  }

  @Test(
    "Large steps and inputs of very different sizes: what the parabola misses is in the bars",
    arguments: [0.03, 0.3, 1, 3], [PrecisionChoice.f64, .f32])
  func largeSteps(epsilon: Double, precision: PrecisionChoice) throws {
    let network = HandWrittenNetwork([12, 16, 8, 4])
    var problem = try network.problem()
    problem = Problem(
      graph: problem.graph.replacingBatch { value, element in
        element % 12 == 0 ? 20 * value : element % 12 == 1 ? 1e-3 * value : value
      }, parameters: problem.parameters, gradient: problem.gradient)
    // The gradient of the changed batch, from exact differences.
    var options = CheckOptions()
    options.precision = .f64
    let exact = try TestCheckers.cpu.check(problem, options)
    problem.gradient.values = exact.numeric
    let (report, _) = try Self.check(problem, precision, epsilon: epsilon)
    #expect(report.wrong == 0 && report.textbookAgreement.passed, "\(report)")
  }

  // MARK: Kinks

  @Test(
    "A ReLU network passes at every step: where a kink is met the step shrinks",
    arguments: [1e-2, 1e-4, nil], TestCheckers.Name.allCases)
  func kinks(epsilon: Double?, backend: TestCheckers.Name) throws {
    let problem = try HandWrittenNetwork([24, 32, 16, 5], relu: true, batch: 48).problem()
    for precision in backend.precisions {
      expectPass(
        try Self.check(problem, on: backend.checker(), precision, epsilon: epsilon),
        "\(backend) \(precision) \(epsilon ?? 0)")
    }
  }

  @Test("What stands on a kink, or meets one within the smallest step, is refused in one line")
  func nearKink() throws {
    let tied = try NetworkFixture.named("tied-relu").problem()
    let line = inputErrorMessage { try Self.check(tied).report }
    #expect(line.hasPrefix("z2: the cost has a kink") && line.contains("leave --per-unit out"))
    // One unit of which one sample is 1e-9 from its kink.
    let problem = try network("relu", of: [2, 1]) { graph, z in
      try graph.apply(.element(.relu), [z], name: "a")
    } weights: {
      [1e-9, 1]
    }
    #expect(try Self.check(problem, epsilon: 1e-4).report.checked == 3)
    let far = inputErrorMessage { try Self.check(problem, epsilon: 1).report }
    #expect(far.contains("kink") && far.contains("unit 0"), "\(far)")
  }

  // MARK: Which graphs

  /// x `[4, ins]` → dense(W) → something, and J the sum of its elements' squares. dθ is 0.
  private func network(
    _ name: String, of sizes: [Int] = [3, 6], samples: Int = 4,
    _ body: (inout Graph, Graph.NodeID) throws -> Graph.NodeID,
    weights: () -> [Double] = { [] }
  ) throws -> Problem {
    var random = SplitMix64(seed: 3)
    let (ins, outs) = (sizes[0], sizes[1])
    let layout = ParameterLayout([("W", [outs, ins]), ("b", [outs])])
    var graph = Graph(layout: layout)
    let x = graph.constant(
      "x",
      Tensor(
        shape: [samples, ins],
        values: (0..<samples * ins).map {
          $0 < 2 ? Double(1 - $0) : .random(in: -1...1, using: &random)
        }))
    let z = try graph.apply(
      .matrixProduct(MatrixProductForm(transposeB: true)), [x, graph.parameter(segment: 0)],
      name: "product")
    let shifted = try graph.apply(
      .combine(.add), [z, graph.parameter(segment: 1)], name: "z")
    let y = try body(&graph, shifted)
    graph.addToCost(try graph.apply(.element(.square), [y], name: "cost"), factor: 0.7)
    let given = weights()
    let theta = (0..<layout.count).map {
      $0 < given.count ? given[$0] : Double.random(in: -1...1, using: &random)
    }
    let bias = given.isEmpty ? theta : theta.enumerated().map { $0 < outs * ins ? $1 : 0 }
    return Problem(
      graph: graph, parameters: try ParameterVector(layout: layout, values: bias),
      gradient: try ParameterVector(
        layout: layout, values: [Double](repeating: 0, count: layout.count)))
  }

  /// An operator, or a few, between units and the cost.
  struct Passage: Sendable, CustomTestStringConvertible {
    var name: String
    var body: @Sendable (inout Graph, Graph.NodeID) throws -> Graph.NodeID
    var testDescription: String { name }

    init(
      _ name: String,
      _ body: @escaping @Sendable (inout Graph, Graph.NodeID) throws -> Graph.NodeID
    ) {
      (self.name, self.body) = (name, body)
    }
  }

  private static func constant(_ graph: inout Graph, _ shape: [Int]) -> Graph.NodeID {
    let count = shape.reduce(1, *)
    return graph.constant(
      "c", Tensor(shape: shape, values: (0..<count).map { 0.3 + 0.1 * Double($0 % 5) }))
  }

  /// What keeps the samples of z `[4, 6]` apart.
  static let apart = [
    Passage("tanh") { try $0.apply(.element(.tanh), [$1], name: "y") },
    Passage("softmax") { try $0.apply(.softmax, [$1], name: "y") },
    Passage("log-softmax") { try $0.apply(.logSoftmax, [$1], name: "y") },
    Passage("reshape") { try $0.apply(.reshape([4, 2, 3]), [$1], name: "y") },
    Passage("times a row") {
      try $0.apply(.combine(.multiply), [$1, constant(&$0, [6])], name: "y")
    },
    Passage("over a column") {
      try $0.apply(.combine(.divide), [$1, constant(&$0, [4, 1])], name: "y")
    },
    Passage("times itself") { try $0.apply(.combine(.multiply), [$1, $1], name: "y") },
    Passage("product with a constant") {
      try $0.apply(.matrixProduct(MatrixProductForm()), [$1, constant(&$0, [6, 5])], name: "y")
    },
    Passage("attention to itself") {
      let rows = try $0.apply(.reshape([4, 2, 3]), [$1], name: "rows")
      return try $0.apply(
        .matrixProduct(MatrixProductForm(transposeB: true)), [rows, rows], name: "y")
    },
    Passage("columns side by side") {
      try $0.apply(.concatenate(axis: 1), [$1, $1], name: "y")
    },
    Passage("convolution") {
      let image = try $0.apply(.reshape([4, 2, 3]), [$1], name: "image")
      return try $0.apply(
        .convolution(ConvolutionForm(strides: [1], dilations: [1], padding: [(1, 1)])),
        [image, constant(&$0, [3, 2, 2])], name: "y")
    },
    Passage("sums of columns") {
      let map = GatherMap(
        outputShape: [4, 2], columns: 6, inner: 1, starts: [0, 3, 6], sources: [0, 1, 2, 3, 4, 5])
      return try $0.apply(.gather(map, .sum), [$1], name: "y")
    },
    Passage("one element of each sample") {
      let map = GatherMap(
        outputShape: [4], columns: 24, inner: 1, taking: [2, 7, 17, 18])
      return try $0.apply(.gather(map, .sum), [$1], name: "y")
    },
    Passage("another layer without parameters") {
      try $0.apply(.dense(.inOut), [$1, constant(&$0, [6, 3])], name: "y")
    },
  ]

  /// What does not.
  static let together = [
    Passage("mean over samples") {
      let map = GatherMap(
        outputShape: [1, 6], columns: 4, inner: 6, starts: [0, 4], sources: [0, 1, 2, 3],
        weights: [0.25, 0.25, 0.25, 0.25])
      let mean = try $0.apply(.gather(map, .sum), [$1], name: "y")
      return try $0.apply(.combine(.subtract), [$1, mean], name: "centred")
    },
    Passage("reshape across samples") { try $0.apply(.reshape([2, 12]), [$1], name: "y") },
    Passage("another sample's element") {
      let map = GatherMap(
        outputShape: [4], columns: 24, inner: 1, taking: [6, 0, 12, 18])
      return try $0.apply(.gather(map, .sum), [$1], name: "y")
    },
    Passage("transposed") {
      let map = GatherMap(
        outputShape: [6, 4], columns: 24, inner: 1,
        taking: (0..<24).map { Int32($0 % 4 * 6 + $0 / 4) })
      return try $0.apply(.gather(map, .sum), [$1], name: "y")
    },
    Passage("samples below each other") {
      try $0.apply(.concatenate(axis: 0), [$1, $1], name: "y")
    },
    Passage("every sample with every other") {
      try $0.apply(.matrixProduct(MatrixProductForm(transposeB: true)), [$1, $1], name: "y")
    },
    Passage("a product from the left") {
      try $0.apply(.matrixProduct(MatrixProductForm()), [constant(&$0, [4, 4]), $1], name: "y")
    },
    Passage("samples on the last axis") {
      let map = GatherMap(
        outputShape: [4], columns: 6, inner: 1, starts: [0, 6], sources: [0, 1, 2, 3, 4, 5])
      let sums = try $0.apply(.gather(map, .sum), [$1], name: "sums")
      return try $0.apply(.combine(.multiply), [sums, constant(&$0, [4, 4])], name: "y")
    },
  ]

  @Test("Operators that keep samples apart are passed, with the same differences", arguments: apart)
  func keepsApart(passage: Passage) throws {
    var problem = try network("z", passage.body)
    var options = CheckOptions()
    options.precision = .f64
    problem.gradient.values = try TestCheckers.cpu.check(problem, options).numeric
    #expect(problem.gradient.values.contains { $0.magnitude > 1e-3 })
    for backend in TestCheckers.Name.allCases {
      for precision in backend.precisions {
        expectPass(
          try Self.check(problem, on: backend.checker(), precision), "\(passage.name) \(backend)")
      }
    }
  }

  @Test("Operators that take samples together are refused by name", arguments: together)
  func takesTogether(passage: Passage) throws {
    let problem = try network("z", passage.body)
    let line = inputErrorMessage { try Self.check(problem).report }
    #expect(line.hasPrefix("'y' ("), "\(line)")
    #expect(line.contains("takes samples together") && line.contains("leave --per-unit out"))
  }

  @Test("A single sample has no other that it could be taken together with")
  func singleSample() throws {
    var problem = try network("z", samples: 1) { graph, z in
      let map = GatherMap(outputShape: [6, 1], columns: 6, inner: 1, taking: [0, 1, 2, 3, 4, 5])
      let column = try graph.apply(.gather(map, .sum), [z], name: "column")
      let square = try graph.apply(.matrixProduct(MatrixProductForm()), [column, z], name: "y")
      return try graph.apply(.softmax, [square], name: "softmax")
    }
    var options = CheckOptions()
    options.precision = .f64
    problem.gradient.values = try TestCheckers.cpu.check(problem, options).numeric
    expectPass(try Self.check(problem), "one sample")
  }

  @Test("Parameters that are not the weights of one layer are refused by name")
  func otherParameters() throws {
    let layout = ParameterLayout([("W", [3, 3]), ("g", [3])])
    var values = (0..<12).map { 0.1 * Double($0) - 0.4 }
    values[0] = 0.3
    func line(_ body: (inout Graph, _ x: Graph.NodeID, _ w: Graph.NodeID) throws -> Graph.NodeID)
      throws -> String
    {
      var graph = Graph(layout: layout)
      let x = Self.constant(&graph, [4, 3])
      let w = graph.parameter(segment: 0)
      graph.addToCost(try body(&graph, x, w), factor: 1)
      let theta = try ParameterVector(layout: layout, values: values)
      let problem = Problem(graph: graph, parameters: theta, gradient: theta)
      return inputErrorMessage { try Self.check(problem).report }
    }
    let tied = try line { graph, x, w in
      let z = try graph.apply(.dense(.outIn), [x, w], name: "z1")
      return try graph.apply(.dense(.outIn), [z, w], name: "z2")
    }
    #expect(tied.hasPrefix("W: found it used twice, in 'z1' and 'z2'"), "\(tied)")
    let scale = try line { graph, x, w in
      let z = try graph.apply(.dense(.outIn), [x, w], name: "z1")
      return try graph.apply(.combine(.multiply), [z, graph.parameter(segment: 1)], name: "scaled")
    }
    #expect(scale.hasPrefix("g: found it used by 'scaled' (multiply)"), "\(scale)")
    let function = try line { graph, x, w in
      let s = try graph.apply(.element(.square), [w], name: "squares")
      return try graph.apply(.dense(.outIn), [x, s], name: "z1")
    }
    #expect(function.hasPrefix("W: found it used by 'z1' (dense)"), "\(function)")
    let rows = try line { graph, x, w in
      let z = try graph.apply(.dense(.outIn), [x, w], name: "z1")
      let row = try graph.apply(
        .combine(.add), [Self.constant(&graph, [2, 3]), graph.parameter(segment: 1)], name: "row")
      graph.addToCost(z, factor: 1)
      return row
    }
    #expect(rows.contains("'row' has 2 rows, expected the 4 samples"), "\(rows)")
  }

  @Test("Options that ask for something else are refused")
  func options() throws {
    let problem = try HandWrittenNetwork([4, 3, 2]).problem()
    let changes: [(String, (inout CheckOptions) -> Void)] = [
      ("--evaluator direct", { $0.evaluator = .direct }),
      ("--evaluator textbook", { $0.evaluator = .textbook }),
      ("--scheme forward", { $0.scheme = .forward }), ("--sample", { $0.sample = 5 }),
      ("--journal", { $0.journal = "/nowhere/at/all" }),
    ]
    for (name, change) in changes {
      var options = CheckOptions()
      options.isPerUnit = true
      change(&options)
      let line = inputErrorMessage { try TestCheckers.cpu.check(problem, options) }
      #expect(line.contains("--per-unit") && line.contains(name), "\(line)")
    }
  }
}

extension Graph {
  /// The same graph with the batch's x, its first constant, changed element by element.
  fileprivate func replacingBatch(_ change: (Double, Int) -> Double) -> Graph {
    var result = Graph(layout: layout)
    var isFirst = true
    for node in nodes {
      switch node.definition {
      case .constant(var tensor):
        if isFirst { tensor.values = tensor.values.enumerated().map { change($1, $0) } }
        isFirst = false
        _ = result.constant(node.name, tensor)
      case .parameter(let segment): _ = result.parameter(segment: segment)
      case .apply(let operation, let inputs):
        _ = try? result.apply(operation, inputs, name: node.name)
      }
    }
    for term in terms { result.addToCost(term.node, factor: term.factor) }
    return result
  }
}
