import Kernels

/// Rays of one or several tensors, and the lanes that measure them.
struct RayBundle {
  /// Ordered by tensor.
  let rays: [Ray]
  let perturbation: Perturbation

  /// Measures every ray by exact central differences with a step and its half. Where a kink lies
  /// within the steps they are made smaller.
  func measure(epsilon: Double, _ progress: StageProgress, stage name: String) throws
    -> [RayMeasurement]
  {
    var measured = [RayMeasurement](repeating: RayMeasurement(), count: rays.count)
    var stage = progress.stage(name, total: rays.count)
    var open = try measure(
      Array(rays.indices), epsilon, into: &measured, advance: { try stage.advance($0) })
    var step = epsilon
    while !open.isEmpty, step > CheckRun.smallestStep {
      step /= 16
      var stage = progress.stage("kinks", total: open.count)
      open = try measure(open, step, into: &measured, advance: { try stage.advance($0) })
    }
    return measured
  }

  /// Measures some rays with a step and its half; returns those that crossed a kink.
  private func measure(
    _ chosen: [Int], _ step: Double, into measured: inout [RayMeasurement],
    advance: (Int) throws -> Void
  ) throws -> [Int] {
    let changes = try perturbation.changes(
      of: chosen, steps: [step, -step, step / 2, -step / 2], advance: advance)
    var crossed: [Int] = []
    for (i, list) in zip(chosen, changes) {
      let flags = list.reduce(into: LaneFlags()) { $0.formUnion($1.flags) }
      if flags.contains(.crossed) { crossed.append(i) }
      let full = Scheme.central.slope(list[0...1])
      let half = Scheme.central.slope(list[2...3])
      measured[i].flags.formUnion(flags)
      measured[i].numeric = half
      measured[i].truncation = (full - half).magnitude
      measured[i].rounding = perturbation.precision.unitRoundoff * rays[i].laneScale
      measured[i].slopes =
        flags.isEmpty ? nil : Self.accepted(list[2...3].map { $0.value / $0.step })
    }
    return crossed
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
