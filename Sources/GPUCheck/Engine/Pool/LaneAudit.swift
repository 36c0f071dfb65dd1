import Kernels

/// Looks a few lanes of every batch over on another path: the CPU's twin of the kernels, at the same
/// precision. A launch that went wrong does not get past it.
package struct LaneAudit: Sendable {
  private let twin: any LaneEvaluator
  private let layout: ParameterLayout
  /// The standard rounding error of each component's derivative in units of u, `[parameters]`.
  private let scales: [Double]
  private let cost: Double
  private let costDeviation: Double
  private let seed: UInt64

  /// Lanes looked at of each batch.
  private static let sample = 4
  /// Standard errors that two honest evaluations may lie apart.
  private static let width = 16.0
  /// Units of the last place they may lie apart besides, of whatever is largest: what the scales,
  /// which belong to small steps, do not know of large ones.
  private static let slack = 256.0

  /// - Parameters:
  ///   - twin: of the mode and precision of what is looked at.
  ///   - scales: `ErrorScales.lanes`.
  ///   - costDeviation: the standard rounding error of J in units of u.
  package init(
    twin: any LaneEvaluator, layout: ParameterLayout, scales: [Double], cost: Double,
    costDeviation: Double, seed: UInt64
  ) {
    self.twin = twin
    self.layout = layout
    self.scales = scales
    self.cost = cost
    self.costDeviation = costDeviation
    self.seed = seed
  }

  /// What is wrong with a batch's results, in words; nil where nothing was found.
  func complaint(about results: LaneResults, of lanes: LaneBatch) throws -> String? {
    guard results.values.count == lanes.count, results.flags.count == lanes.count else {
      return "\(results.values.count) results for \(lanes.count) lanes"
    }
    // Either branch of a tie is taken throughout: where rounding decides what is a tie, two honest
    // paths may differ.
    guard lanes.tiePolicy == .natural, let component = lanes.components.first else { return nil }
    var random = SplitMix64(
      seed: seed ^ UInt64(lanes.segment) << 40 ^ UInt64(UInt32(bitPattern: component)))
    let chosen = draw(Self.sample, of: lanes.components.indices, using: &random)
    let again = try twin.evaluate(
      LaneBatch(
        segment: lanes.segment, components: chosen.map { lanes.components[$0] },
        moves: chosen.map { lanes.moves[$0] }))
    for (at, lane) in chosen.enumerated() {
      let (found, expected) = (results.values[lane], again.values[at])
      if found.bitPattern == expected.bitPattern || (found.isNaN && expected.isNaN) { continue }
      let bar = bar(lanes, lane, expected)
      guard !((found - expected).magnitude <= bar) else { continue }
      let part = layout.segments[lanes.segment]
      let place = unravel(Int(lanes.components[lane]), shape: part.shape)
      return "\(part.name)\(place): \(found) where the CPU finds \(expected), bar \(bar)"
    }
    return nil
  }

  private func bar(_ lanes: LaneBatch, _ lane: Int, _ expected: Double) -> Double {
    let u = twin.precision.unitRoundoff
    switch twin.mode {
    case .value:
      return u * (Self.width * costDeviation + Self.slack * max(expected.magnitude, cost.magnitude))
    case .difference:
      let step = lanes.moves[lane].magnitude
      let scale = scales[layout.segments[lanes.segment].offset + Int(lanes.components[lane])]
      return u
        * (Self.width * scale * step
          + Self.slack * (expected.magnitude + min(1, step) * cost.magnitude))
    }
  }
}
