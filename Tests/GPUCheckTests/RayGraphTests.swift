import Foundation
import GPUCheck
import Kernels
import Testing

/// Whole tensors through every operator: J along a ray against the textbook's J(θ + t·v).
@Suite(.serialized) struct RayGraphTests {
  /// One way to run the tables.
  struct Run: Sendable, CustomTestStringConvertible {
    var backend: TestBackend
    var precision: Precision
    /// Tensors of more elements are a factor for each direction, not moved themselves.
    var largest: Int

    var testDescription: String { "\(backend.rawValue) \(precision), whole up to \(largest)" }

    static let all = TestBackend.allCases.flatMap { backend in
      backend.precisions.flatMap { precision in
        [0, RayGraph.largest].map { Run(backend: backend, precision: precision, largest: $0) }
      }
    }
  }

  private static let directions = 2
  /// As float32 holds them.
  private static let steps = [1e-4, -1e-4, 0.01, -0.01, 0.3, -0.3].map { Double(Float($0)) }

  /// Directions whose numbers are at most 1, with zeros among them.
  private static func directions(_ count: Int, _ segment: Int) -> [[Double]] {
    var random = SplitMix64(seed: UInt64(segment))
    return (0..<directions).map { _ in
      (0..<count).map { _ in
        Bool.random(using: &random) ? Double(Float.random(in: -1...1, using: &random)) : 0
      }
    }
  }

  /// Compares ΔJ of every ray and step with the textbook's, row by row.
  ///
  /// The bars are those of `TableComparison`: 1e-12·max(|J|, |ΔJ|) in f64, two units of roundoff for
  /// each rounding in f32, of which there is one more for every component that moves.
  private func compare(_ network: TableNetwork, _ run: Run) throws {
    let base = Baseline(graph: network.graph, parameters: network.parameters)
    let segments = network.graph.layout.segments
    // Lanes of a group travel together; three tensors need not be of one row.
    let groups = stride(from: 0, to: segments.count, by: 3).map {
      Array($0..<min($0 + 3, segments.count))
    }
    let rays = try RayGraph(
      base, groups: groups, counts: segments.map { _ in Self.directions }, largest: run.largest
    ) { Self.directions(segments[$0].count, $0) }
    #expect((rays.baseline.cost - base.cost).magnitude <= 1e-12 * base.cost.magnitude)
    let evaluator = try run.backend.open().prepare(
      rays.baseline, mode: .difference, precision: run.precision,
      tieRoundoff: run.precision.unitRoundoff)
    var compared = 0
    for (row, first) in zip(network.rows, network.firstSegments) {
      let still = Textbook.cost(row.graph, row.parameters.values)
      for (number, part) in row.graph.layout.segments.enumerated() {
        let v = Self.directions(part.count, first + number)
        let lanes = Self.steps.flatMap { step in v.indices.map { (ray: $0, step: step) } }
        let expected = lanes.map { lane in
          var theta = row.parameters.values
          for (at, v) in v[lane.ray].enumerated() { theta[part.offset + at] += lane.step * v }
          return Textbook.cost(row.graph, theta) - still
        }
        let slope = zip(lanes, expected).reduce(0) {
          $1.1.isFinite ? max($0, ($1.1 / $1.0.step).magnitude) : $0
        }
        let found = try evaluator.evaluate(
          LaneBatch(
            segment: (first + number) / 3,
            components: lanes.map {
              Int32((first + number) % 3 * Self.directions + $0.ray)
            }, moves: lanes.map(\.step))
        ).values
        for (at, lane) in lanes.enumerated() where expected[at].isFinite {
          let bar =
            run.precision == .f64
            ? 1e-12 * max(still.magnitude, expected[at].magnitude)
            : 2 * (row.roundings + Double(part.count)) * run.precision.unitRoundoff * slope
              * lane.step.magnitude
          let error = (found[at] - expected[at]).magnitude
          if !(error <= bar) {
            Issue.record(
              """
              \(row.name) \(part.name) ray \(lane.ray), step \(lane.step): \(found[at]) ± \(bar), \
              textbook \(expected[at])
              """)
          }
          compared += 1
        }
      }
    }
    // Outside an operator's domain there is nothing to compare.
    let all = network.graph.layout.segments.count * Self.directions * Self.steps.count
    #expect(10 * compared >= 9 * all, "\(compared) of \(all)")
  }

  @Test("Through the operators of dense networks", arguments: Run.all, TableShape.all)
  func layers(run: Run, shape: TableShape) throws {
    try compare(TableNetwork(everyLayer, shape), run)
  }

  @Test("Through operators over tensors of any shape", arguments: Run.all)
  func tensors(run: Run) throws {
    try compare(TableNetwork(OperatorCase.all), run)
  }

  @Test("A change that is linear in the step only is found out")
  func linearised() throws {
    // J = (w·x)²: along v it is t·2(w·x)(v·x) + t²(v·x)², and the square must not be lost.
    var graph = Graph(layout: ParameterLayout([("w", [1, 3])]))
    let x = graph.constant("x", Tensor(shape: [1, 3], values: [1, 2, 3]))
    let z = try graph.apply(.dense(.outIn), [x, graph.parameter(segment: 0)], name: "z")
    graph.addToCost(try graph.apply(.element(.square), [z], name: "J"), factor: 1)
    let base = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: [1, 0, -1]))
    let rays = try RayGraph(base, groups: [[0]], counts: [1]) { _ in [[0.5, 0.25, -1]] }
    let lanes = try CPUBackend().prepare(
      rays.baseline, mode: .difference, precision: .f64, tieRoundoff: 0)
    let found = try lanes.evaluate(LaneBatch(segment: 0, components: [0], moves: [2])).values
    // w·x = -2 and v·x = -2: (-2 - 4)² - 4.
    #expect(found == [32])
  }

  @Test("Nothing of a tensor's size is held for its lanes where all that meets it is linear in it")
  func elements() throws {
    var graph = Graph(layout: ParameterLayout([("W", [40, 50]), ("b", [40])]))
    let x = graph.constant("x", Tensor(shape: [2, 50], values: (0..<100).map(Double.init)))
    let z = try graph.apply(
      .dense(.outIn), [x, graph.parameter(segment: 0), graph.parameter(segment: 1)], name: "z")
    graph.addToCost(try graph.apply(.element(.tanh), [z], name: "a"), factor: 1)
    let zeros = [Double](repeating: 0, count: graph.layout.count)
    let base = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: zeros))
    let rays = try RayGraph(base, groups: [[0], [1]], counts: [3, 3]) { segment in
      [[Double]](repeating: [Double](repeating: 1, count: segment == 0 ? 2000 : 40), count: 3)
    }
    for segment in 0..<2 {
      let plan = try LanePlan(graph: rays.baseline.graph, segment: segment, mode: .difference)
      #expect(plan.widestSlot == 80)
    }
  }
}
