/// The cost as a function of the pre-activations of a layer, unit by unit and sample by sample.
///
/// With t added to z[s, o] the cost of sample s changes by f(t). Central differences see its odd part,
/// d(t) = (f(t) − f(−t)) / 2t, which is evaluated at h and h/2; the parabola through the two,
///
///     d(t) ≈ c₁ + c₃·t²,  c₁ = (4·d(h/2) − d(h)) / 3,  c₃·h² = 4·(d(h) − d(h/2)) / 3,
///
/// gives it for every t up to h (Richardson's extrapolation, and what it takes away).
struct UnitCurves {
  /// c₁, `[samples, units]`.
  var slope: [Double]
  /// c₃·ε², `[samples, units]`: an input a of a weight that moves by ε makes a step t = ε·a.
  var bend: [Double]
  /// ε of each unit.
  var epsilon: [Double]
  /// By how much of its size the parabola misses d, in the root mean square of the units and samples
  /// that were looked at, and beyond what rounding explains.
  var miss = 0.0
}

/// Evaluates the curves of a layer.
struct UnitCurveReader {
  let units: UnitGraph
  /// A lane evaluator of the unit graph's.
  let lanes: UnitLanes

  /// The curves of a layer's units.
  ///
  /// - Parameters:
  ///   - reach: the largest |a| that the layer's parameters are multiplied with: h is ε·reach.
  ///   - advance: told how many units were done.
  ///
  /// Throws an `InputError` where a unit meets a kink within the smallest step that is tried.
  func curves(
    layer: Int, reach: Double, epsilon: Double, advance: (Int) throws -> Void
  ) throws -> UnitCurves {
    let count = units.layers[layer].units
    let zeros = [Double](repeating: 0, count: units.samples * count)
    var curves = UnitCurves(
      slope: zeros, bend: zeros, epsilon: [Double](repeating: 0, count: count))
    var miss = RelativeMiss()
    var waiting = Array(0..<count)
    var h = lanes.precision.rounded(epsilon * reach)
    for _ in 0...Self.retries where !waiting.isEmpty {
      try StepSize.check(h, .difference, lanes.precision)
      var met: [Int] = []
      for first in stride(from: 0, to: waiting.count, by: Self.together) {
        let group = waiting[first..<min(first + Self.together, waiting.count)]
        let metBefore = met.count
        for (unit, found) in zip(group, try differences(layer, group, h)) {
          guard found.flags.isEmpty else {
            met.append(unit)
            continue
          }
          curves.epsilon[unit] = h / reach
          for (sample, d) in found.values.enumerated() {
            let place = sample * count + unit
            let bend = 4 * (d[0] - d[1]) / 3
            curves.slope[place] = (4 * d[1] - d[0]) / 3
            curves.bend[place] = bend / (reach * reach)
            if d.count > 2 { miss.add(d[2], expected: curves.slope[place] + bend / 16) }
          }
        }
        try advance(group.count - (met.count - metBefore))
      }
      waiting = met
      h /= 16
    }
    if let unit = waiting.first { throw refusal(layer, unit, among: waiting.count) }
    // At h/4 a fifth power misses 0.18 of what it adds at h, at 0 it misses 0.25.
    curves.miss = 1.5 * miss.beyond(Self.roundings * lanes.precision.unitRoundoff)
    return curves
  }

  /// The steps of a unit's lanes, in units of h: each with its opposite. Some units of a layer are
  /// looked at a third time.
  private func factors(_ unit: Int, of count: Int) -> [Double] {
    unit % max(1, count / Self.probes) == 0 ? [1, 0.5, 0.25] : [1, 0.5]
  }

  /// d at each of its steps in every sample, `[samples][steps]`, and what a unit's lanes met.
  private func differences(_ layer: Int, _ group: ArraySlice<Int>, _ h: Double) throws
    -> [(values: [[Double]], flags: LaneFlags)]
  {
    let count = units.layers[layer].units
    let steps = group.map { unit in factors(unit, of: count).map { $0 * h } }
    var batch = LaneBatch(segment: layer)
    for (unit, steps) in zip(group, steps) {
      batch.components += steps.flatMap { _ in [Int32(unit), Int32(unit)] }
      batch.moves += steps.flatMap { [$0, -$0] }
    }
    let costs = try lanes.costs(batch, in: units)
    var lane = 0
    return steps.map { steps in
      defer { lane += 2 * steps.count }
      let flags = costs.flags[lane..<lane + 2 * steps.count].reduce(into: LaneFlags()) {
        $0.formUnion($1)
      }
      let values = (0..<units.samples).map { sample in
        steps.indices.map { step in
          let (up, down) = (lane + 2 * step, lane + 2 * step + 1)
          return (costs[up, sample] - costs[down, sample]) / (2 * steps[step])
        }
      }
      return (values, flags)
    }
  }

  private func refusal(_ layer: Int, _ unit: Int, among count: Int) -> InputError {
    let found = units.layers[layer]
    let others = count > 1 ? " and \(count - 1) more of its units" : ""
    return InputError(
      "the cost has a kink (of a ReLU or the like) nearer than the smallest step that is tried for "
        + "unit \(unit)\(others), expected a smooth function of each unit",
      tensor: found.name, remedy: "leave --per-unit out")
  }

  /// How often the step is divided by 16 where a kink is met.
  private static let retries = 6
  /// Units of one batch.
  private static let together = 64
  /// Units of a layer, about, whose parabola is held against a third step.
  private static let probes = 16
  /// Units of the last place by which rounding may put d off.
  private static let roundings = 16.0
}

/// The size of errors relative to that of what they are errors of, in the root mean square.
private struct RelativeMiss {
  private var errors = ScaledNorm()
  private var sizes = ScaledNorm()

  mutating func add(_ value: Double, expected: Double) {
    errors.add(value - expected)
    sizes.add(value)
  }

  /// What lies beyond a part that is explained.
  func beyond(_ explained: Double) -> Double {
    sizes.value > 0 ? max(0, errors.value / sizes.value - explained) : 0
  }
}
