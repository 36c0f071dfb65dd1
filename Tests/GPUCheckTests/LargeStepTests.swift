import GPUCheck
import Kernels
import Testing

/// At large steps an exact difference is the textbook's J(θ + step) − J(θ), and a linearisation is not:
/// whole networks, all of their tensors.
@Suite("Large steps through whole networks")
struct LargeStepTests {
  private static let steps = [1.0, -1.0, 0.5, -0.5, 0.1, -0.1, 1e-3]

  @Test(arguments: NetworkFixture.all, [TestCheckers.Name.cpu, .pocl, .poclScalar])
  func networks(fixture: NetworkFixture, backend: TestCheckers.Name) throws {
    let problem = try fixture.problem()
    let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
    let evaluator = try backend.backend().prepare(
      baseline, mode: .difference, precision: .f64, tieRoundoff: 0)
    let theta = problem.parameters.values
    let cost = Textbook.cost(problem.graph, theta)
    for (segment, part) in problem.graph.layout.segments.enumerated() {
      // Every third component of every tensor, and its last.
      let components = Set(stride(from: 0, to: part.count, by: 3)).union([part.count - 1]).sorted()
      let lanes = LaneBatch(
        segment: segment,
        components: components.flatMap {
          [Int32](repeating: Int32($0), count: Self.steps.count)
        },
        moves: components.flatMap { _ in Self.steps })
      let results = try evaluator.evaluate(lanes)
      for lane in 0..<lanes.count {
        let component = part.offset + Int(lanes.components[lane])
        let moved = Textbook.cost(
          problem.graph, theta, component: component,
          movedTo: theta[component] + lanes.moves[lane])
        let expected = moved - cost
        let found = results.values[lane]
        let bar = 1e-12 * max(cost.magnitude, expected.magnitude)
        let index = unravel(component - part.offset, shape: part.shape)
        #expect(
          (found - expected).magnitude <= bar,
          """
          \(fixture.name), \(backend), \(part.name)\(index), step \(lanes.moves[lane]): \
          \(found), textbook \(expected), bar \(bar)
          """)
      }
    }
  }

  @Test("Logits beyond the range of the exponential keep their cost")
  func hugeLogits() throws {
    var graph = Graph(layout: ParameterLayout([("z", [1, 2])]))
    let z = graph.parameter(segment: 0)
    let q = graph.constant("q", Tensor(shape: [1, 2], values: [1, 0]))
    graph.addToCost(try graph.apply(.softmaxCrossEntropy, [z, q], name: "loss"), factor: 1)
    #expect(Textbook.cost(graph, [0, 800]) == 800)
    let theta = try ParameterVector(layout: graph.layout, values: [0, 800])
    #expect(Baseline(graph: graph, parameters: theta).cost == 800)
  }
}
