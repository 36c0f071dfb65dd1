import GPUCheck
import Kernels
import Testing

/// Every operator against the textbook: shapes × layouts × steps × precisions × backends × modes.
@Suite(.serialized) struct PrimitiveTests {
  /// One way to run the tables.
  struct Run: Sendable, CustomTestStringConvertible {
    var backend: TestBackend
    var precision: Precision
    var mode: LaneMode

    var testDescription: String { "\(backend.rawValue) \(precision) \(mode)" }

    static let all = TestBackend.allCases.flatMap { backend in
      backend.precisions.flatMap { precision in
        LaneMode.allCases.map { Run(backend: backend, precision: precision, mode: $0) }
      }
    }
  }

  @Test(
    "ΔJ through every operator is the textbook's, at steps from 1e-5 to 1",
    arguments: Run.all, TableShape.all)
  func lanesAgree(run: Run, shape: TableShape) throws {
    let network = try TableNetwork(everyLayer, shape)
    let seen = try network.compare(run.backend.open(), run.precision, run.mode)
    for (row, comparison) in zip(network.rows, seen) {
      #expect(comparison.lanes == row.graph.layout.count * tableSteps.count)
      for lane in comparison.discrepancies.prefix(5) { Issue.record("\(lane)") }
    }
  }

  @Test("The same of operators over tensors of any shape", arguments: Run.all)
  func tensorLanesAgree(run: Run) throws {
    let network = try TableNetwork(OperatorCase.all)
    let seen = try network.compare(run.backend.open(), run.precision, run.mode)
    for (row, comparison) in zip(network.rows, seen) {
      #expect(comparison.lanes == row.graph.layout.count * tableSteps.count)
      for lane in comparison.discrepancies.prefix(3) { Issue.record("\(lane)") }
    }
  }

  /// Functions that are constant but for jumps move J where a step meets one only.
  private static let smoothLayers = everyLayer.filter { operation in
    if case .element(let function) = operation { function.kernel.rule != "step" } else { true }
  }

  @Test("In every row most lanes move J", arguments: smoothLayers)
  func rowsAreNotVacuous(operation: Operator) throws {
    for shape in TableShape.all.dropFirst() {
      let row = try TableRow(operation, shape)
      let theta = row.parameters.values
      let still = Textbook.cost(row.graph, theta)
      let moving = theta.indices.filter {
        Textbook.cost(row.graph, theta, component: $0, movedTo: theta[$0] + 0.1) != still
      }
      #expect(still.magnitude > 1e-3)
      #expect(2 * moving.count >= theta.count, "\(moving.count) of \(theta.count) lanes move J")
    }
  }
}
