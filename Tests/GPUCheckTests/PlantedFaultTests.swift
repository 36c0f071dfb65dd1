import GPUCheck
import Kernels
import Testing

/// The comparison that the tables make reports faults that are planted on purpose.
@Suite(.serialized) struct PlantedFaultTests {
  /// One line of a kernel file, made wrong.
  struct Fault: Sendable, CustomTestStringConvertible {
    var what: String
    var file: String
    var right: String
    var wrong: String
    var operation: Operator
    /// Whether lanes go the one way that the file is for.
    var takesChains = false

    var testDescription: String { what }
  }

  /// Rules that are the derivative times the step, and indices that miss a term.
  static let faults = [
    Fault(
      what: "tanh, linearised", file: "tanh.cl",
      right:
        "if (ALL_SMALL(d))\n    return near;\n  return SELECT(tanh_long_step(d, c[0], c[1]), near, IS_SMALL(d));",
      wrong: "return c[1] * d;", operation: .element(.tanh)),
    Fault(
      what: "square, linearised", file: "cost.cl",
      right: "return d * ((realv)(2) * c[0] + d);", wrong: "return d * (realv)(2) * c[0];",
      operation: .element(.square)),
    Fault(
      what: "cross-entropy, linearised", file: "cross_entropy.cl",
      right: "total += p[c] * expm1(d);", wrong: "total += p[c] * d;     ",
      operation: .softmaxCrossEntropy),
    Fault(
      what: "a weight's input from the first sample", file: "dense.cl",
      right: "STORE(d * gather(x, s * in_features, 1, k)", wrong: "STORE(d * gather(x, 0, 1, k)",
      operation: .dense(.inOut)),
    Fault(
      what: "a weight's input from the first sample, in a chain", file: "chain.cl",
      right: "step[v] * gather(x, s * entry_ins, 1, input[v])",
      wrong: "step[v] * gather(x, 0, 1, input[v])", operation: .dense(.inOut), takesChains: true),
    Fault(
      what: "a column of the weights from the unit after", file: "dense.cl",
      right: "gather(w, o * out_stride, in_stride, unit)",
      wrong: "gather(w, o * out_stride, in_stride, (unit + 1) % (outs < 4 ? outs : 4))",
      operation: .dense(.outIn)),
    Fault(
      what: "a slice's coefficient from the first sample", file: "lanes.cl",
      right: "e : e / inner * axis_length * inner + e % inner;",
      wrong: "e : e % inner;", operation: .element(.sigmoid)),
  ]

  @Test("A kernel with a planted fault fails the tables at large steps", arguments: faults)
  func kernelFault(fault: Fault) throws {
    let text = try kernels(fault.file, replacing: fault.right, by: fault.wrong)
    let network = try TableNetwork([fault.operation], TableShape.all[1])
    let seen = try network.compare(
      TestBackend.open(text, takesChains: fault.takesChains), .f64, .difference,
      steps: tableSteps.filter { $0.magnitude >= 0.09 })
    #expect(seen[0].discrepancies.count > seen[0].lanes / 20)
  }

  @Test("A backend that scales derivatives fails on everything that is not linear")
  func linearisedBackend() throws {
    let network = try TableNetwork(everyLayer, TableShape.all[1])
    let large = tableSteps.filter { $0.magnitude >= 0.09 }
    let honest = try network.compare(CPUBackend(), .f64, .difference, steps: large)
    let linear = try network.compare(Linearised(), .f64, .difference, steps: large)
    for (operation, (honest, linear)) in zip(everyLayer, zip(honest, linear)) {
      #expect(honest.discrepancies.isEmpty)
      let shows = !linear.discrepancies.isEmpty
      switch operation {
      // Exactly linear, so that a tiny step tells all there is to know.
      case .dense, .element(.multiply): #expect(!shows, "\(linear.discrepancies)")
      // Nothing that is not 0 comes to be 0.
      case .element(.isNonZero): #expect(!shows)
      default: #expect(shows, "\(operation)")
      }
    }
  }
}

/// A backend whose lanes all take a tiny step, and whose differences are scaled to the step that
/// was wanted.
private struct Linearised: Backend {
  let name = "linearised"
  let supportsDouble = true

  func build(_ graph: Graph, mode: LaneMode, precision: Precision, components: Int) {}

  func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    Evaluator(
      exact: try CPUBackend().prepare(
        baseline, mode: mode, precision: precision, tieRoundoff: tieRoundoff))
  }

  struct Evaluator: LaneEvaluator {
    var exact: any LaneEvaluator
    var mode: LaneMode { exact.mode }
    var precision: Precision { exact.precision }

    func wantedLanes(segment: Int) -> Int { exact.wantedLanes(segment: segment) }

    func evaluate(_ batch: LaneBatch) throws -> LaneResults {
      var results = try exact.evaluate(batch.mapMoves { $1 * 0x1p-30 })
      results.values = results.values.map { $0 * 0x1p30 }
      return results
    }
  }
}
