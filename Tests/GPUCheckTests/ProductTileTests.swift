import GPUCheck
import Kernels
import Testing

/// Products in tiles, as a GPU may take them, are those without.
struct ProductTileTests {
  enum Net: CaseIterable { case products, convolutions }

  private static func baseline(_ net: Net) throws -> Baseline {
    switch net {
    case .products: try products()
    case .convolutions: try convolutions()
    }
  }

  /// Tiles of every height, filled and not, padding, one tap and many, groups.
  private static func convolutions() throws -> Baseline {
    let shapes = [[6, 2, 3, 3], [70, 6, 1, 1], [40, 35, 2, 3], [7, 40, 3, 2]]
    let layout = ParameterLayout(shapes.enumerated().map { ("W\($0 + 1)", $1) })
    var graph = Graph(layout: layout)
    var random = SplitMix64(seed: 12)
    let numbers = { (count: Int, size: Double) in
      (0..<count).map { _ in Double.random(in: -size...size, using: &random) }
    }
    var z = graph.constant("x", Tensor(shape: [3, 2, 5, 4], values: numbers(120, 1)))
    for segment in shapes.indices {
      let form = ConvolutionForm(
        strides: [1, segment == 0 ? 2 : 1], dilations: [1, 1], padding: [(1, 1), (1, 2)],
        groups: segment == 2 ? 2 : 1)
      z = try graph.apply(
        .convolution(form), [z, graph.parameter(segment: segment)], name: "z\(segment)")
      z = try graph.apply(.element(.tanh), [z], name: "a\(segment)")
    }
    graph.addToCost(try graph.apply(.element(.square), [z], name: "cost"), factor: 1)
    return Baseline(
      graph: graph,
      parameters: try ParameterVector(layout: layout, values: numbers(layout.count, 0.3)))
  }

  /// Layers and products larger than a tile, none of their extents a multiple of one.
  private static func products() throws -> Baseline {
    let layout = ParameterLayout([
      ("W1", [33, 37]), ("W2", [33, 70]), ("b2", [70]), ("W3", [40, 70]), ("b3", [40]),
    ])
    var graph = Graph(layout: layout)
    var random = SplitMix64(seed: 11)
    let numbers = { (count: Int, size: Double) in
      (0..<count).map { _ in Double.random(in: -size...size, using: &random) }
    }
    let w = layout.segments.indices.map { graph.parameter(segment: $0) }
    let x = graph.constant("x", Tensor(shape: [3, 37], values: numbers(3 * 37, 1)))
    var z = try graph.apply(.dense(.outIn), [x, w[0]], name: "z1")
    z = try graph.apply(.element(.tanh), [z], name: "a1")
    z = try graph.apply(.dense(.inOut), [z, w[1], w[2]], name: "z2")
    z = try graph.apply(.element(.tanh), [z], name: "a2")
    z = try graph.apply(.dense(.outIn), [z, w[3], w[4]], name: "z3")
    // A stack of matrices times what moves, either way round.
    let c = graph.constant("C", Tensor(shape: [2, 50, 3], values: numbers(300, 1)))
    z = try graph.apply(.matrixProduct(MatrixProductForm()), [c, z], name: "p1")
    let d = graph.constant("D", Tensor(shape: [35, 40], values: numbers(1400, 0.2)))
    z = try graph.apply(
      .matrixProduct(MatrixProductForm(transposeB: true)), [z, d], name: "p2")
    graph.addToCost(try graph.apply(.element(.square), [z], name: "cost"), factor: 1)
    return Baseline(
      graph: graph,
      parameters: try ParameterVector(layout: layout, values: numbers(layout.count, 0.3)))
  }

  private static let backends = Result {
    let device = try TestBackend.poclDevice()
    return try ["-tiles", "tiles"].map {
      try OpenCLBackend(
        device, text: KernelText(), cache: nil, choice: KernelChoice("width=1,-chains," + $0))
    }
  }

  @Test(
    "The same bits in tiles and without", arguments: Net.allCases, [LaneMode.difference, .value])
  func sameBits(net: Net, mode: LaneMode) throws {
    let baseline = try Self.baseline(net)
    for precision in [Precision.f64, .f32] {
      let evaluators = try Self.backends.get().map {
        try $0.prepare(baseline, mode: mode, precision: precision, tieRoundoff: 0)
      }
      let cpu = try CPUBackend(takesChains: false).prepare(
        baseline, mode: mode, precision: precision, tieRoundoff: 0)
      for (segment, part) in baseline.graph.layout.segments.enumerated() {
        // Lanes that fill no tile, and some more.
        let batch = LaneBatch.spread(150, segment: segment, of: baseline, mode, precision)
        let found = try evaluators.map { try $0.evaluate(batch).values }
        #expect(found[0] == found[1], "\(part.name), \(precision)")
        expectNear(found[1], try cpu.evaluate(batch).values, precision, part.name)
      }
    }
  }
}
