import GPUCheck
import Kernels
import Testing

/// Lanes say where they crossed a kink and where they were tied at one.
@Suite(.serialized) struct KinkTests {
  /// A function with a kink where the margin m is 0, and its slopes by m on both sides of it.
  struct Kinked: Sendable {
    var function: ElementFunction
    /// dm/dx, and m at x = 0.
    var scale = 1.0
    var offset = 0.0
    var slopes: (low: Double, high: Double)

    static let all = [
      Kinked(function: .relu, slopes: (0, 1)),
      Kinked(function: .leakyRelu(slope: 0.25), slopes: (0.25, 1)),
      Kinked(function: .absolute, slopes: (-1, 1)),
      Kinked(function: .elu(alpha: 0.75), slopes: (0.75, 1)),
      Kinked(
        function: .selu,
        slopes: (
          ElementFunction.seluScale * ElementFunction.seluAlpha, ElementFunction.seluScale
        )),
      Kinked(function: .hinge(margin: 1), scale: -1, offset: 1, slopes: (0, 1)),
      Kinked(function: .hinge(margin: 0.5), scale: 1, offset: 0.5, slopes: (0, 1)),
    ]
    /// Functions that have none: of a family with kinks, of one without, and one whose slope
    /// bends but does not jump.
    static let smooth: [ElementFunction] = [.elu(alpha: 1), .tanh, .huber(delta: 0.5)]
  }

  /// Elements with margins around and at the kink.
  private static let margins = [-1, -0.25, 0, 0.25, 1]
  private static let steps = [-2, -0.25, -0.125, 0.125, 0.25, 2]

  /// All functions, each of a parameter of its own whose elements have the margins.
  private static func baseline() throws -> Baseline {
    let members = Kinked.all + Kinked.smooth.map { Kinked(function: $0, slopes: (0, 0)) }
    let layout = ParameterLayout(members.map { ($0.function.name, [margins.count]) })
    var graph = Graph(layout: layout)
    var theta: [Double] = []
    for (segment, member) in members.enumerated() {
      var inputs = [graph.parameter(segment: segment)]
      if member.function.isBinary {
        let y = [Double](repeating: -member.scale, count: margins.count)
        inputs.append(graph.constant("y", Tensor(shape: [margins.count], values: y)))
      }
      graph.addToCost(
        try graph.apply(.element(member.function), inputs, name: "f"), factor: 1)
      theta += margins.map { ($0 - member.offset) / member.scale }
    }
    return Baseline(graph: graph, parameters: try ParameterVector(layout: layout, values: theta))
  }

  @Test("Crossed and tied are set exactly where they are", arguments: PrimitiveTests.Run.all)
  func flags(run: PrimitiveTests.Run) throws {
    let baseline = try Self.baseline()
    let evaluator = try run.backend.open().prepare(
      baseline, mode: run.mode, precision: run.precision,
      tieRoundoff: run.precision.unitRoundoff)
    for segment in baseline.graph.layout.segments.indices {
      let theta = baseline.parameters[segment: segment]
      let components = Self.steps.flatMap { _ in Self.margins.indices.map { Int32($0) } }
      let steps = Self.steps.flatMap { step in Self.margins.map { _ in step } }
      let moves = zip(components, steps).map {
        run.mode == .difference ? $1 : theta[theta.startIndex + Int($0)] + $1
      }
      let found = try evaluator.evaluate(
        LaneBatch(segment: segment, components: components, moves: moves)
      ).flags
      for (lane, component) in components.enumerated() {
        let margin = Self.margins[Int(component)]
        var expected: LaneFlags = []
        var name = "\(Kinked.smooth)"
        if segment < Kinked.all.count {
          let member = Kinked.all[segment]
          name = "\(member.function)"
          let moved = margin + member.scale * steps[lane]
          if margin == 0 {
            expected = .tied
          } else if (margin > 0) != (moved > 0) {
            expected = .crossed
          }
        }
        #expect(
          found[lane] == expected,
          "\(run.testDescription) \(name): margin \(margin), step \(steps[lane])")
      }
    }
  }

  @Test("At a tie, either branch has its own slope", arguments: TestBackend.allCases)
  func tiePolicies(on backend: TestBackend) throws {
    let baseline = try Self.baseline()
    let tie = Int32(Self.margins.firstIndex(of: 0) ?? 0)
    for precision in backend.precisions {
      let evaluator = try backend.open().prepare(
        baseline, mode: .difference, precision: precision, tieRoundoff: precision.unitRoundoff)
      for (segment, member) in Kinked.all.enumerated() {
        for (policy, slope) in [(TiePolicy.low, member.slopes.low), (.high, member.slopes.high)] {
          let batch = LaneBatch(
            segment: segment, components: [tie, tie], moves: [0.125, -0.25], tiePolicy: policy)
          let found = try evaluator.evaluate(batch).values
          for (found, step) in zip(found, batch.moves) {
            let expected = slope * member.scale * step
            #expect(
              (found - expected).magnitude <= 2 * precision.unitRoundoff * expected.magnitude,
              "\(member.function) \(policy) \(step): \(found), expected \(expected)")
          }
          // Elsewhere the policy changes nothing.
          var other = LaneBatch(
            segment: segment, components: [0, 1, 3, 4], moves: [2, 0.5, -0.5, -2])
          let natural = try evaluator.evaluate(other).values
          other.tiePolicy = policy
          #expect(try evaluator.evaluate(other).values == natural)
        }
      }
    }
  }

  @Test("Multiclass hinge: the margins of the classes that move", arguments: PrimitiveTests.Run.all)
  func multiclassHinge(run: PrimitiveTests.Run) throws {
    // Labels 0 and 2; margins z_c − z_y + 1: row 0 (·, 0, −0.5), row 1 (0.25, 3, ·).
    let scores = [1, 0, -0.5, 0.25, 3, 1]
    let labels = Tensor(shape: [2, 3], values: [1, 0, 0, 0, 0, 1])
    var graph = Graph(layout: ParameterLayout([("z", [2, 3])]))
    let inputs = [graph.parameter(segment: 0), graph.constant("y", labels)]
    graph.addToCost(
      try graph.apply(.multiclassHinge(margin: 1), inputs, name: "f"), factor: 1)
    let baseline = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: scores))
    let evaluator = try run.backend.open().prepare(
      baseline, mode: run.mode, precision: run.precision,
      tieRoundoff: run.precision.unitRoundoff)
    let cases: [(component: Int32, step: Double, flags: LaneFlags)] = [
      (0, 0.125, .tied), (0, -0.75, [.tied, .crossed]), (1, 0.125, .tied), (2, 0.25, []),
      (2, 0.75, .crossed), (3, 0.125, []), (3, -0.5, .crossed), (4, -1, []), (4, -4, .crossed),
      (5, 0.125, []), (5, 0.5, .crossed), (5, -1, []),
    ]
    let moves = cases.map {
      run.mode == .difference ? $0.step : scores[Int($0.component)] + $0.step
    }
    let found = try evaluator.evaluate(
      LaneBatch(segment: 0, components: cases.map(\.component), moves: moves)
    ).flags
    for (found, lane) in zip(found, cases) {
      #expect(found == lane.flags, "\(run.testDescription) \(lane)")
    }
  }

  @Test("Rounding of what leads to a kink makes a tie", arguments: TestBackend.allCases)
  func tolerance(on backend: TestBackend) throws {
    // z = 3·0.1 − 0.3 is 5.6e-17 in double; 1 − (1 − 1e-8) is nothing that float32 could tell.
    let cases: [(weights: [Double], x: [Double], f64: LaneFlags, f32: LaneFlags)] = [
      ([0.1, -0.3], [3, 1], .tied, .tied), ([1, -1 + 1e-8], [1, 1], .crossed, .tied),
      ([1, -1 + 1e-4], [1, 1], .crossed, .crossed),
    ]
    for (weights, x, f64, f32) in cases {
      var graph = Graph(layout: ParameterLayout([("W", [1, 2])]))
      let input = graph.constant("x", Tensor(shape: [1, 2], values: x))
      let z = try graph.apply(.dense(.outIn), [input, graph.parameter(segment: 0)], name: "z")
      graph.addToCost(try graph.apply(.element(.relu), [z], name: "a"), factor: 1)
      let baseline = Baseline(
        graph: graph, parameters: try ParameterVector(layout: graph.layout, values: weights))
      for precision in backend.precisions {
        for (tieRoundoff, expected) in [
          (Precision.f64.unitRoundoff, f64), (Precision.f32.unitRoundoff, f32),
        ] {
          let evaluator = try backend.open().prepare(
            baseline, mode: .difference, precision: precision, tieRoundoff: tieRoundoff)
          let found = try evaluator.evaluate(LaneBatch(segment: 0, components: [0], moves: [-0.5]))
            .flags
          #expect(found == [expected], "\(weights) \(precision) \(tieRoundoff)")
        }
      }
    }
  }
}
