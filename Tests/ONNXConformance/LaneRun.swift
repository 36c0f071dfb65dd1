import GPUCheck
import Kernels

/// A node test through the lanes of a backend: every floating input gets one number t added, so that
/// all elements move in one lane, by kernels alone.
struct LaneRun {
  private let baseline: Baseline

  /// The graph of a test with t in the place of θ.
  init(_ lowered: ONNXProblemSource.Lowered) throws {
    var graph = Graph(layout: ParameterLayout([("t", [1])]))
    let t = graph.parameter(segment: 0)
    var moved: [Graph.NodeID] = []
    for node in lowered.graph.nodes {
      switch node.definition {
      case .constant(let tensor): moved.append(graph.constant(node.name, tensor))
      case .parameter(let segment):
        let values = Array(lowered.parameters[segment: segment])
        let still = graph.constant(node.name, Tensor(shape: node.shape, values: values))
        moved.append(try graph.apply(.combine(.add), [still, t], name: node.name))
      case .apply(let operation, let inputs):
        moved.append(try graph.apply(operation, inputs.map { moved[$0] }, name: node.name))
      }
    }
    for term in lowered.graph.terms { graph.addToCost(moved[term.node], factor: term.factor) }
    baseline = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: [0]))
  }

  /// What is wrong: J at t = 0, or what steps of t change of it, against the textbook.
  func problem(on backend: any Backend) throws -> String? {
    let graph = baseline.graph
    let scale = graph.terms.reduce(1e-3) { sum, term in
      baseline.values[term.node].reduce(sum) { $0 + abs(term.factor * $1) }
    }
    let still = Textbook.cost(graph, [0])
    let values = try backend.prepare(baseline, mode: .value, precision: .f64, tieRoundoff: 0)
    let found = try values.evaluate(LaneBatch(segment: 0, components: [0], moves: [0])).values[0]
    guard abs(found - still) <= 1e-11 * scale else { return "J is \(found), expected \(still)" }
    let steps = [1e-3, -1e-3]
    let lanes = try backend.prepare(baseline, mode: .difference, precision: .f64, tieRoundoff: 0)
    let changes = try lanes.evaluate(LaneBatch(segment: 0, components: [0, 0], moves: steps)).values
    for (step, change) in zip(steps, changes) {
      let expected = Textbook.cost(graph, [step]) - still
      guard expected.isFinite else { continue }
      guard abs(change - expected) <= 1e-10 * max(scale, abs(expected)) else {
        return "a step of \(step) changes J by \(change), expected \(expected)"
      }
    }
    return nil
  }

  /// The backends that the tests run on, by name.
  static let backends: [(name: String, backend: any Backend)] = {
    var all: [(String, any Backend)] = [("CPU", CPUBackend())]
    let device = Devices.all().devices.first { $0.description.kind == .cpu && !$0.isSimulator }
    if let device, let backend = try? OpenCLBackend(device, text: KernelText()) {
      all.append(("PoCL", backend))
    }
    return all
  }()
}
