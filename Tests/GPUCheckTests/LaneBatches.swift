import GPUCheck
import Kernels
import Testing

extension LaneBatch {
  /// The same lanes, listed, with other moves.
  func mapMoves(_ change: (_ component: Int32, _ move: Double) -> Double) -> LaneBatch {
    LaneBatch(
      segment: segment, components: components, moves: zip(components, moves).map(change),
      tiePolicy: tiePolicy)
  }

  /// So many lanes of a segment, spread over its components, each 0.01 from θ.
  static func spread(
    _ count: Int, segment: Int, of baseline: Baseline, _ mode: LaneMode, _ precision: Precision
  ) -> LaneBatch {
    let theta = baseline.parameters[segment: segment]
    let components = (0..<Int32(count)).map { $0 * 7 % Int32(theta.count) }
    let moves = components.map {
      precision.rounded((mode == .value ? theta[theta.startIndex + Int($0)] : 0) + 0.01)
    }
    return LaneBatch(segment: segment, components: components, moves: moves)
  }
}

/// Expects values that lie apart by rounding only, beside the largest of them.
func expectNear(
  _ found: [Double], _ expected: [Double], _ precision: Precision, _ name: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let size = expected.map(\.magnitude).max() ?? 0
  for (value, expected) in zip(found, expected) {
    #expect(
      (value - expected).magnitude <= 400 * precision.unitRoundoff * size,
      "\(name), \(precision)", sourceLocation: sourceLocation)
  }
}
