import Foundation
import GPUCheck
import Kernels
import Testing

/// Chains: what counts as one, and that lanes through one are those that go step by step.
@Suite struct LaneChainTests {
  // MARK: What is a chain

  /// x `[3, 4]` → layers with tanh → the cost, as JSON networks and as ONNX models have them.
  private func graph(
    _ sizes: [Int], dense: Bool, function: ElementFunction = .tanh,
    cost: Operator = .softmaxCrossEntropy, x values: [Double]? = nil, y labels: [Int] = []
  ) throws -> Graph {
    let shapes = zip(sizes, sizes.dropFirst()).enumerated().flatMap { number, size in
      [("W\(number)", dense ? [size.1, size.0] : [size.0, size.1]), ("b\(number)", [size.1])]
    }
    var graph = Graph(layout: ParameterLayout(shapes))
    let samples = labels.isEmpty ? 3 : labels.count
    var x = graph.constant(
      "x",
      try values.map { try Tensor(shape: [samples, sizes[0]], values: $0) }
        ?? .zeros([samples, sizes[0]]))
    for number in 0..<sizes.count - 1 {
      let (w, b) = (
        graph.parameter(segment: 2 * number), graph.parameter(segment: 2 * number + 1)
      )
      if dense {
        x = try graph.apply(.dense(.outIn), [x, w, b], name: "z\(number)")
      } else {
        x = try graph.apply(.matrixProduct(MatrixProductForm()), [x, w], name: "p\(number)")
        x = try graph.apply(.combine(.add), [b, x], name: "z\(number)")
      }
      if number < sizes.count - 2 {
        x = try graph.apply(.element(function), [x], name: "a\(number)")
      }
    }
    var targets = Tensor.zeros(graph.nodes[x].shape).values
    for (sample, label) in labels.enumerated() { targets[sample * (sizes.last ?? 1) + label] = 1 }
    let y = graph.constant("y", try Tensor(shape: graph.nodes[x].shape, values: targets))
    graph.addToCost(try graph.apply(cost, [x, y], name: "cost"), factor: 1)
    return graph
  }

  @Test(
    "Dense layers up to a cost are a chain, as JSON and as ONNX have them",
    arguments: [true, false])
  func found(dense: Bool) throws {
    for cost in [Operator.softmaxCrossEntropy, .element(.squaredError)] {
      let graph = try graph([4, 5, 6, 2], dense: dense, cost: cost)
      let chain = try #require(LaneChain(graph))
      #expect(chain.entries.map { $0?.layer } == [0, 0, 1, 1, 2, 2])
      #expect(chain.entries.map { $0?.isBias } == [false, true, false, true, false, true])
      for segment in graph.layout.segments.indices {
        let plan = try LanePlan(graph: graph, segment: segment, mode: .difference, chain: chain)
        #expect(plan.steps.isEmpty)
        #expect(
          try LanePlan(graph: graph, segment: segment, mode: .value, chain: chain).chain == nil)
      }
    }
  }

  @Test("What branches, mixes samples or has two functions is no chain from there on")
  func notFound() throws {
    // A layer that two others read.
    var branching = try graph([4, 5, 2], dense: true)
    let a = try #require(branching.nodes.firstIndex { $0.name == "a0" })
    let side = try branching.apply(.element(.square), [a], name: "side")
    branching.addToCost(side, factor: 1)
    let cut = try #require(LaneChain(branching))
    #expect(cut.entries.map { $0?.layer } == [nil, nil, 0, 0])
    // Another function before the last layer but one.
    let layout = ParameterLayout([("W0", [4, 4]), ("W1", [4, 4]), ("W2", [4, 4])])
    var mixed = Graph(layout: layout)
    var x = mixed.constant("x", .zeros([3, 4]))
    for (segment, function) in [ElementFunction.relu, .tanh, nil].enumerated() {
      x = try mixed.apply(.dense(.outIn), [x, mixed.parameter(segment: segment)], name: "z")
      if let function { x = try mixed.apply(.element(function), [x], name: "a") }
    }
    let y = mixed.constant("y", .zeros([3, 4]))
    mixed.addToCost(try mixed.apply(.softmaxCrossEntropy, [x, y], name: "cost"), factor: 1)
    #expect(try #require(LaneChain(mixed)).entries.map { $0?.layer } == [nil, 0, 1])
    // The same weights twice.
    var tied = Graph(layout: ParameterLayout([("W", [4, 4])]))
    let w = tied.parameter(segment: 0)
    var z = tied.constant("x", .zeros([3, 4]))
    for _ in 0..<2 { z = try tied.apply(.dense(.outIn), [z, w], name: "z") }
    let label = tied.constant("y", .zeros([3, 4]))
    tied.addToCost(try tied.apply(.softmaxCrossEntropy, [z, label], name: "cost"), factor: 1)
    #expect(LaneChain(tied)?.entries[0] == nil)
  }

  // MARK: Its lanes

  private static let backends = Result {
    let device = try TestBackend.poclDevice()
    let open = { (words: String) in
      try OpenCLBackend(device, text: KernelText(), cache: nil, choice: KernelChoice(words))
    }
    // Step by step and one lane a work-item, as a GPU does it.
    return (
      chain: try open("chains"), scalar: try open("chains,width=1"),
      // Moments, and what they do not serve step by step.
      gpu: try open("-chains,moments,width=1"), steps: try open("-chains,width=1")
    )
  }
  private static let cpu = CPUBackend()

  private func lanes(
    _ baseline: Baseline, _ backend: any Backend, _ precision: Precision
  ) throws -> any LaneEvaluator {
    try backend.prepare(
      baseline, mode: .difference, precision: precision, tieRoundoff: precision.unitRoundoff)
  }

  /// Every component of a segment by two steps.
  private func batch(_ segment: Int, _ count: Int, step: Double) -> LaneBatch {
    LaneBatch(
      segment: segment, components: (0..<count).flatMap { [Int32($0), Int32($0)] },
      moves: (0..<count).flatMap { _ in [step, -step] })
  }

  /// The same, listed and as runs: all of them, and a part that begins and ends within a component.
  private func batches(_ segment: Int, _ count: Int, step: Double) -> [LaneBatch] {
    let ranges = [0..<2 * count, 1..<max(2, 2 * count - 1)]
    let runs = ranges.map { range in
      LaneBatch(segment: segment, run: ComponentRun(range, moves: [step, -step]))
    }
    return [batch(segment, count, step: step)] + runs
  }

  /// Functions with and without kinks, costs, layouts, terms on the side; programs take long to build.
  private static let networks = [
    "activation-gelu", "activation-identity", "activation-leaky-relu", "activation-silu",
    "activation-softmax", "activation-tanh", "layout-in-out", "l1-l2-everything-per-sample",
    "loss-cross-entropy-smoothed", "loss-huber-mean-sum", "no-bias", "one-layer", "tied-relu",
  ].compactMap { try? NetworkFixture.named($0) }

  @Test("Lanes through a chain are those that go step by step", arguments: networks)
  func sameAsSteps(fixture: NetworkFixture) throws {
    let problem = try fixture.problem()
    let (chain, scalar, gpu, steps) = try Self.backends.get()
    for precision in [Precision.f64, .f32] {
      let baseline = try Baseline(graph: problem.graph, parameters: problem.parameters)
        .formingMoments(
          for: problem.graph.layout.count, tieRoundoff: precision.unitRoundoff)
      let expected = try lanes(baseline, steps, precision)
      for backend in [chain, scalar, gpu, Self.cpu] as [any Backend] {
        let found = try lanes(baseline, backend, precision)
        for segment in problem.graph.layout.segments.indices {
          for step in [Double(Float(1e-3)), 0.5] {
            for batch in batches(
              segment, problem.graph.layout.segments[segment].count, step: step)
            {
              let (a, b) = (try found.evaluate(batch), try expected.evaluate(batch))
              let size = b.values.map(\.magnitude).max() ?? 0
              for (x, y) in zip(a.values, b.values) {
                #expect(
                  (x - y).magnitude <= 64 * precision.unitRoundoff * size,
                  "\(fixture) \(precision) \(segment) \(step): \(x) and \(y)")
              }
              #expect(a.flags == b.flags)
            }
          }
        }
      }
    }
  }

  @Test(
    "Layers of several blocks of units, whole and in part, with samples that do not move",
    arguments: [[6, 24, 3], [6, 24, 19, 3], [5, 17, 21, 9, 4]],
    [(ElementFunction.tanh, true), (.tanh, false), (.relu, false)])
  func blocks(sizes: [Int], layers: (function: ElementFunction, areDense: Bool)) throws {
    var random = SplitMix64(seed: 7)
    let labels = (0..<5).map { _ in Int.random(in: 0..<(sizes.last ?? 1), using: &random) }
    // Two of three inputs are 0.
    let x = (0..<labels.count * sizes[0]).map { _ in
      Int.random(in: 0..<3, using: &random) == 0 ? Double.random(in: -2...2, using: &random) : 0
    }
    let graph = try graph(
      sizes, dense: layers.areDense, function: layers.function, x: x, y: labels)
    let theta = (0..<graph.layout.count).map { _ in Double.random(in: -1...1, using: &random) }
    let parameters = try ParameterVector(layout: graph.layout, values: theta)
    let (chain, scalar, gpu, steps) = try Self.backends.get()
    for precision in [Precision.f64, .f32] {
      let baseline = try Baseline(graph: graph, parameters: parameters)
        .formingMoments(for: graph.layout.count, tieRoundoff: precision.unitRoundoff)
      let expected = try lanes(baseline, steps, precision)
      for backend in [chain, scalar, gpu, Self.cpu] as [any Backend] {
        let found = try lanes(baseline, backend, precision)
        for (segment, part) in graph.layout.segments.enumerated() {
          for step in [1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 0.25].map({ Double(Float($0)) }) {
            for batch in batches(segment, part.count, step: step) {
              let (a, b) = (try found.evaluate(batch), try expected.evaluate(batch))
              let size = b.values.map(\.magnitude).max() ?? 0
              for (lane, (x, y)) in zip(a.values, b.values).enumerated() {
                #expect(
                  (x - y).magnitude <= 64 * precision.unitRoundoff * size,
                  "\(precision) \(part.name) lane \(lane) step \(step): \(x) and \(y)")
              }
              #expect(a.flags == b.flags, "\(precision) \(part.name) step \(step)")
            }
          }
        }
      }
    }
  }

  @Test("A layer too wide for the chain's kernel has moments")
  func wide() throws {
    var random = SplitMix64(seed: 5)
    let graph = try graph(
      [3, 1040, 2], dense: true,
      x: (0..<6).map { _ in Double.random(in: -1...1, using: &random) }, y: [0, 1])
    let theta = (0..<graph.layout.count).map { _ in Double.random(in: -1...1, using: &random) }
    let parameters = try ParameterVector(layout: graph.layout, values: theta)
    let baseline = try Baseline(graph: graph, parameters: parameters)
      .formingMoments(for: graph.layout.count, tieRoundoff: 0)
    let (chain, _, gpu, steps) = try Self.backends.get()
    let expected = try lanes(baseline, steps, .f64)
    for backend in [chain, gpu, Self.cpu] as [any Backend] {
      let found = try lanes(baseline, backend, .f64)
      for (segment, part) in graph.layout.segments.enumerated() {
        for step in [1e-5, 0.25] {
          let batch = LaneBatch(
            segment: segment, run: ComponentRun(0..<2 * part.count, moves: [step, -step]))
          let (a, b) = (try found.evaluate(batch).values, try expected.evaluate(batch).values)
          let size = b.map(\.magnitude).max() ?? 0
          for (x, y) in zip(a, b) { #expect((x - y).magnitude <= 64 * 0x1p-53 * size) }
        }
      }
    }
  }

  @Test(
    "A lane gives the same bits whatever else is in its batch",
    arguments: ["activation-tanh", "activation-relu", "activation-gelu", "l2-everything"])
  func sameBits(name: String) throws {
    let problem = try NetworkFixture.named(name).problem()
    let backends = try Self.backends.get()
    for backend in [backends.chain, backends.gpu, backends.steps, Self.cpu] as [any Backend] {
      for precision in [Precision.f64, .f32] {
        let baseline = try Baseline(graph: problem.graph, parameters: problem.parameters)
          .formingMoments(
            for: problem.graph.layout.count, tieRoundoff: precision.unitRoundoff)
        let evaluator = try lanes(baseline, backend, precision)
        for segment in problem.graph.layout.segments.indices {
          let count = problem.graph.layout.segments[segment].count
          let small = batch(segment, count, step: 1e-5)
          // Neighbours whose steps are too large for the series.
          let mixed = LaneBatch(
            segment: segment, components: small.components,
            moves: small.moves.enumerated().map { $1 * ($0 % 3 == 0 ? 1e5 : 1) })
          let step = small.moves[0]
          let runs = [[step], [step, -step], [step, -step, 2 * step]].map { moves in
            LaneBatch(
              segment: segment, run: ComponentRun(0..<moves.count * count, moves: moves))
          }
          for batch in [mixed] + runs {
            let together = try evaluator.evaluate(batch).values
            for lane in stride(from: 0, to: batch.count, by: 7) {
              let alone = try evaluator.evaluate(batch.picking([lane]))
              #expect(alone.values[0].bitPattern == together[lane].bitPattern)
            }
          }
        }
      }
    }
  }
}
