import Foundation
import Kernels

/// Lanes in plain Swift on the host's cores: runs everywhere, and is the twin of every kernel.
package struct CPUBackend: Backend {
  /// Without, every operator is evaluated by itself and no moments are taken: another way to the same numbers, for whoever looks
  /// results over.
  package let takesChains: Bool

  package init(takesChains: Bool = true) { self.takesChains = takesChains }

  package var name: String {
    "CPU without OpenCL, \(HostCores.count) threads"
  }

  package var supportsDouble: Bool { true }

  package var takesMoments: Bool { takesChains }

  package func build(_ graph: Graph, mode: LaneMode, precision: Precision, components: Int) {}

  package func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    guard takesChains, mode == .difference, let layout = try MomentLayout(baseline) else {
      return try lanes(baseline, mode, precision, tieRoundoff)
    }
    return try MomentLanes(
      CPUMomentEngine(baseline, layout.chain, precision), layout, baseline, precision
    ) { try lanes($0, .difference, precision, tieRoundoff) }
  }

  /// Lanes that take no moments.
  private func lanes(
    _ baseline: Baseline, _ mode: LaneMode, _ precision: Precision, _ tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    let chain = takesChains && mode == .difference ? LaneChain.ofKernel(baseline.graph) : nil
    // The closures are where generic code meets its precision: the compiler specialises from here.
    switch precision {
    case .f64:
      let lanes = try CPULanes<Double>(baseline, mode, chain: chain, tieRoundoff: tieRoundoff)
      return CPUEvaluator(
        mode: mode, precision: precision, run: { lanes.run($0) }, runTerms: { lanes.runTerms($0) },
        chunks: { lanes.chunks($0) })
    case .f32:
      let lanes = try CPULanes<Float>(baseline, mode, chain: chain, tieRoundoff: tieRoundoff)
      return CPUEvaluator(
        mode: mode, precision: precision, run: { lanes.run($0) }, runTerms: { lanes.runTerms($0) },
        chunks: { lanes.chunks($0) })
    }
  }
}

private struct CPUEvaluator: LaneEvaluator {
  let mode: LaneMode
  let precision: Precision
  let run: @Sendable (LaneBatch) -> LaneResults
  let runTerms: @Sendable (LaneBatch) -> TermResults
  /// How many pieces a batch is shared among the cores in.
  let chunks: @Sendable (LaneBatch) -> Int

  func wantedLanes(segment: Int) -> Int { 4096 }

  func batchesAtOnce(_ batch: LaneBatch) -> Int {
    max(1, HostCores.count / chunks(batch))
  }

  func evaluate(_ batch: LaneBatch) throws -> LaneResults { run(batch) }

  func evaluateTerms(_ batch: LaneBatch) throws -> TermResults { runTerms(batch) }
}
