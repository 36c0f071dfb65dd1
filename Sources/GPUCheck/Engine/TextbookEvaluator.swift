import Foundation
import Kernels

/// The textbook as an evaluator of lanes: each lane is a whole forward pass with θ_i moved.
package struct TextbookEvaluator: LaneEvaluator {
  package let graph: Graph
  package let theta: [Double]

  package init(_ baseline: Baseline) {
    graph = baseline.graph
    theta = baseline.parameters.values
  }

  package var mode: LaneMode { .value }
  package var precision: Precision { .f64 }

  package func wantedLanes(segment: Int) -> Int {
    4 * HostCores.count
  }

  package func evaluate(_ batch: LaneBatch) -> LaneResults {
    let offset = graph.layout.segments[batch.segment].offset
    return costs(of: batch) { lane in
      let (component, move) = batch.lane(lane)
      return Textbook.cost(graph, theta, component: offset + Int(component), movedTo: move)
    }
  }
}

/// J of every lane of a batch, computed on all cores.
func costs(of batch: LaneBatch, _ cost: @Sendable (Int) -> Double) -> LaneResults {
  var values = [Double](repeating: 0, count: batch.count)
  values.withUnsafeMutableBufferPointer { values in
    // Each lane writes a place of its own.
    nonisolated(unsafe) let values = values
    DispatchQueue.concurrentPerform(iterations: batch.count) { values[$0] = cost($0) }
  }
  return LaneResults(values: values, flags: [LaneFlags](repeating: [], count: batch.count))
}
