import Kernels

/// Rays of one or several tensors, and the lanes that measure them.
struct RayBundle {
  /// Ordered by tensor.
  let rays: [Ray]
  let perturbation: Perturbation

  /// Measures every ray by exact central differences. Where a kink lies within the steps they are made
  /// smaller; halving the step of some rays, or of all, tells what truncation leaves.
  ///
  /// - Parameter halved: how many rays are measured with half the step too.
  func measure(
    epsilon: Double, halved: Int, seed: UInt64, _ progress: StageProgress, stage name: String
  ) throws -> [RayMeasurement] {
    var measured = [RayMeasurement](repeating: RayMeasurement(), count: rays.count)
    var stage = progress.stage(name, total: rays.count)
    var open = try measure(
      Array(rays.indices), epsilon, into: &measured, advance: { try stage.advance($0) })
    var random = SplitMix64(seed: seed)
    let smooth = rays.indices.filter { measured[$0].flags.isEmpty }
    try measureTruncation(
      draw(halved, of: smooth.indices, using: &random).map { smooth[$0] }, epsilon, &measured)
    var step = epsilon
    while !open.isEmpty, step > CheckRun.smallestStep {
      step /= 16
      var stage = progress.stage("kinks", total: open.count)
      open = try measure(open, step, into: &measured, advance: { try stage.advance($0) })
    }
    return measured
  }

  /// Measures some rays with a step; returns those that crossed a kink.
  private func measure(
    _ chosen: [Int], _ step: Double, into measured: inout [RayMeasurement],
    advance: (Int) throws -> Void
  ) throws -> [Int] {
    let changes = try perturbation.changes(of: chosen, .same([step, -step]), advance: advance)
    var crossed: [Int] = []
    for (i, list) in zip(chosen, changes) {
      let flags = list.reduce(into: LaneFlags()) { $0.formUnion($1.flags) }
      if flags.contains(.crossed) { crossed.append(i) }
      measured[i].flags.formUnion(flags)
      measured[i].numeric = Scheme.central.slope(list)
      measured[i].rounding = perturbation.precision.unitRoundoff * rays[i].laneScale
      measured[i].slopes = flags.isEmpty ? nil : Self.accepted(list.map { $0.value / $0.step })
    }
    return crossed
  }

  /// What halving the step changes is three quarters of the truncation error. Where it was not tried a
  /// ray is taken to have three times the worst, relative to the size of what is summed.
  private func measureTruncation(
    _ chosen: [Int], _ epsilon: Double, _ measured: inout [RayMeasurement]
  ) throws {
    let half = epsilon / 2
    let changes = try perturbation.changes(of: chosen, .same([half, -half]))
    var worst = 0.0
    for (i, list) in zip(chosen, changes) {
      let change = (measured[i].numeric - Scheme.central.slope(list)).magnitude
      measured[i].truncation = 2 * change
      if rays[i].laneScale > 0 { worst = max(worst, change / rays[i].laneScale) }
    }
    let known = Set(chosen)
    for i in rays.indices where !known.contains(i) {
      measured[i].truncation = 3 * worst * rays[i].laneScale
    }
  }

  /// What is accepted where elements stand on a kink: the slopes on both sides, and as much again
  /// twice beyond them, since each of several elements may have taken either branch.
  private static func accepted(_ sides: [Double]) -> ClosedRange<Double>? {
    guard let least = sides.min(), let most = sides.max(), (most - least).isFinite else {
      return nil
    }
    return least - 2 * (most - least)...most + 2 * (most - least)
  }
}
