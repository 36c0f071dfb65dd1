import Kernels
import Synchronization

/// Looks a few lanes of every batch over on another path: the CPU's twin of the kernels, at the same
/// precision. A launch that went wrong does not get past it.
package final class LaneAudit: Sendable {
  private let twin: any LaneEvaluator
  /// The host's way through moments, which looks at every batch that they serve: it takes next to no time.
  /// Whether the moments themselves are right is seen of a segment's first batch.
  private let moments: MomentTwin?
  private let layout: ParameterLayout
  /// The standard rounding error of each component's derivative in units of u.
  private let scales: ComponentValues
  private let cost: Double
  private let costDeviation: Double
  private let seed: UInt64
  private let costly: Set<Int>

  private let spent = Mutex(Spent())

  private struct Spent {
    /// How many audits there were, and how long they took.
    var count = 0
    var seconds = 0.0
    /// How many lanes the next one looks at that move J.
    var telling = LaneAudit.telling.least
    /// Segments whose moments were looked over.
    var moments: Set<Int> = []
  }

  /// So many batches are looked over, unless that takes too many seconds, and from then on as long as
  /// it takes no more than a share of what the device took: on large networks the CPU is far behind it.
  private static let always = (count: 48, seconds: 0.02)
  /// Of a batch that moments have looked at one lane in so many.
  private static let besideMoments = 3
  private static let share = 0.03
  /// Lanes looked at of each batch: some that move J, as many as take no longer than so many seconds, and
  /// some of all. With a batch's last one the least of them fill a vector.
  private static let telling = (least: 2, most: 24, seconds: 0.005)
  private static let any = 1
  /// Lanes among which those that move J are looked for.
  private static let tries = 256
  /// Standard errors that two honest evaluations may lie apart.
  private static let width = 16.0
  /// Units of the last place they may lie apart besides, of whatever is largest: what the scales,
  /// which belong to small steps, do not know of large ones.
  private static let slack = 256.0

  /// - Parameters:
  ///   - twin: of the mode and precision of what is looked at.
  ///   - moments: of the same precision, where lanes may take them.
  ///   - scales: `ErrorScales.lanes`.
  ///   - costDeviation: the standard rounding error of J in units of u.
  ///   - costly: segments whose lanes take the CPU so long that none of them is looked at.
  package init(
    twin: any LaneEvaluator, moments: MomentTwin? = nil, layout: ParameterLayout,
    scales: ComponentValues, cost: Double, costDeviation: Double, seed: UInt64,
    costly: Set<Int> = []
  ) {
    self.twin = twin
    self.moments = moments
    self.layout = layout
    self.scales = scales
    self.cost = cost
    self.costDeviation = costDeviation
    self.seed = seed
    self.costly = costly
  }

  /// What is wrong with a batch's results, in words; nil where nothing was found.
  ///
  /// - Parameter seconds: how long the device has worked in all; 0 to look in any case.
  func complaint(about results: LaneResults, of lanes: LaneBatch, after seconds: Double) throws
    -> String?
  {
    guard results.values.count == lanes.count, results.flags.count == lanes.count else {
      return "\(results.values.count) results for \(lanes.count) lanes"
    }
    if let odd = results.flags.first(where: { !$0.isSubset(of: .ofKernels) }) {
      return "flags \(odd.rawValue), which no kernel sets"
    }
    // Either branch of a tie is taken throughout: where rounding decides what is a tie, two honest
    // paths may differ.
    guard lanes.tiePolicy == .natural else { return nil }
    var chosen = chooseLanes(lanes)
    var isServed = false
    if let moments, moments.serves(lanes) {
      let again = moments.values(lanes.picking(chosen))
      let served = again.indices.filter { !again[$0].isNaN }
      let first = complaint(
        about: results, of: lanes, at: served.map { chosen[$0] }, again: served.map { again[$0] })
      if let first { return first }
      isServed = served.count == chosen.count
      if isServed {
        // The last of the lanes is the last that tells.
        chosen = stride(from: chosen.count - 1, through: 0, by: -Self.besideMoments).map {
          chosen[$0]
        }
      }
    }
    guard !costly.contains(lanes.segment) else { return nil }
    let mayLook = spent.withLock { spent in
      if isServed { return spent.moments.insert(lanes.segment).inserted || seconds == 0 }
      return seconds == 0 || spent.seconds < Self.share * seconds
        || (spent.count < Self.always.count && spent.seconds < Self.always.seconds)
    }
    guard mayLook else { return nil }
    let start = ContinuousClock.now
    defer { note((ContinuousClock.now - start).seconds, lanes: chosen.count) }
    let again = try twin.evaluate(lanes.picking(chosen))
    return complaint(about: results, of: lanes, at: chosen, again: again.values)
  }

  /// The first of some lanes that is not what was found again, in words.
  private func complaint(
    about results: LaneResults, of lanes: LaneBatch, at chosen: [Int], again: [Double]
  ) -> String? {
    for (lane, expected) in zip(chosen, again) {
      let found = results.values[lane]
      if found.bitPattern == expected.bitPattern || (found.isNaN && expected.isNaN) { continue }
      let bar = bar(lanes, lane, expected)
      guard !((found - expected).magnitude <= bar) else { continue }
      let part = layout.segments[lanes.segment]
      let place = unravel(Int(lanes.lane(lane).component), shape: part.shape)
      return "\(part.name)\(place): \(found) where the CPU finds \(expected), bar \(bar)"
    }
    return nil
  }

  private func note(_ took: Double, lanes: Int) {
    spent.withLock {
      let fit = Int(Self.telling.seconds * Double(lanes) / max(took, 1e-9))
      $0.count += 1
      $0.seconds += took
      $0.telling = min(max(fit, Self.telling.least), Self.telling.most)
    }
  }

  /// A lane that does not move J (the weight of an input that is 0) gives 0 whatever it was told: most
  /// of the sample are others, as far as they are met.
  private func chooseLanes(_ lanes: LaneBatch) -> [Int] {
    guard lanes.count > 0 else { return [] }
    let component = lanes.lane(0).component
    var random = SplitMix64(
      seed: seed ^ UInt64(lanes.segment) << 40 ^ UInt64(UInt32(bitPattern: component)))
    // What a write or a read leaves out lies at a batch's end, mostly.
    let end = (0..<lanes.count).suffix(Self.tries).last { scale(lanes, $0) > 0 }
    var chosen = [end].compactMap(\.self)
    for _ in 0..<Self.any { chosen.append(Int.random(in: 0..<lanes.count, using: &random)) }
    let most = chosen.count + spent.withLock(\.telling)
    for _ in 0..<Self.tries where chosen.count < most {
      let lane = Int.random(in: 0..<lanes.count, using: &random)
      if scale(lanes, lane) > 0 { chosen.append(lane) }
    }
    return Set(chosen).sorted()
  }

  private func scale(_ lanes: LaneBatch, _ lane: Int) -> Double {
    scales[layout.segments[lanes.segment].offset + Int(lanes.lane(lane).component)]
  }

  private func bar(_ lanes: LaneBatch, _ lane: Int, _ expected: Double) -> Double {
    let u = twin.precision.unitRoundoff
    switch twin.mode {
    case .value:
      return u * (Self.width * costDeviation + Self.slack * max(expected.magnitude, cost.magnitude))
    case .difference:
      let step = lanes.lane(lane).move.magnitude
      return u
        * (Self.width * scale(lanes, lane) * step
          + Self.slack * (expected.magnitude + min(1, step) * cost.magnitude))
    }
  }
}
