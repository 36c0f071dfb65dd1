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
  private(set) var slope: [Double]
  /// c₃·ε², `[samples, units]`: an input a of a weight that moves by ε makes a step t = ε·a.
  private(set) var bend: [Double]
  /// ε of each unit.
  private(set) var epsilon: [Double]
  /// By how much the parabola misses d of a unit, as a norm over the samples.
  private(set) var miss: UnitMiss

  /// Nothing yet.
  ///
  /// - Parameter roundoff: of the lanes.
  init(samples: Int, units: Int, roundoff: Double) {
    slope = [Double](repeating: 0, count: samples * units)
    bend = slope
    epsilon = [Double](repeating: 0, count: units)
    miss = UnitMiss(roundoff: roundoff)
  }

  /// Enters a unit: d at h, h/2 and perhaps h/4 in every sample, `[samples][steps]`, for inputs up to
  /// `reach` = h/ε.
  mutating func enter(_ unit: Int, _ found: [[Double]], h: Double, reach: Double) {
    epsilon[unit] = h / reach
    for (sample, d) in found.enumerated() {
      let place = sample * epsilon.count + unit
      let atH = 4 * (d[0] - d[1]) / 3
      slope[place] = (4 * d[1] - d[0]) / 3
      bend[place] = atH / (reach * reach)
      if d.count > 2 { miss.add(d[2], expected: slope[place] + atH / 16, isNewUnit: sample == 0) }
    }
  }
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
    var curves = UnitCurves(
      samples: units.samples, units: count, roundoff: lanes.precision.unitRoundoff)
    var waiting = Array(0..<count)
    var h = lanes.precision.rounded(epsilon * reach)
    for _ in 0...Self.retries where !waiting.isEmpty {
      try StepSize.check(h, .difference, lanes.precision)
      var met: [Int] = []
      for first in stride(from: 0, to: waiting.count, by: together) {
        let group = waiting[first..<min(first + together, waiting.count)]
        let found = try differences(layer, group, h)
        for (unit, found) in zip(group, found) {
          if found.flags.isEmpty {
            curves.enter(unit, found.values, h: h, reach: reach)
          } else {
            met.append(unit)
          }
        }
        try advance(found.count { $0.flags.isEmpty })
      }
      waiting = met
      h /= 16
    }
    if let unit = waiting.first { throw refusal(layer, unit, among: waiting.count) }
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
    let batch = LaneBatch(
      segment: layer,
      components: zip(group, steps).flatMap { unit, steps in
        [Int32](repeating: Int32(unit), count: 2 * steps.count)
      },
      moves: steps.joined().flatMap { [$0, -$0] })
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
  /// Units of one batch: few where their lanes have many elements to bring home.
  private var together: Int {
    let elements = units.graph.terms.reduce(1) { $0 + units.graph.nodes[$1.node].count }
    return max(1, min(64, (1 << 22) / (6 * elements)))
  }
  /// Units of a layer, about, whose parabola is held against a third step.
  private static let probes = 16
}

/// What a third step says of the parabola of a layer's units.
struct UnitMiss {
  private var errors = ScaledNorm()
  private var sizes = ScaledNorm()
  /// How many units were looked at.
  private var units = 0
  private let roundoff: Double

  init(roundoff: Double) { self.roundoff = roundoff }

  mutating func add(_ value: Double, expected: Double, isNewUnit: Bool) {
    errors.add(value - expected)
    sizes.add(value)
    if isNewUnit { units += 1 }
  }

  /// The norm of the errors of a unit whose d has a given norm, beyond what rounding explains: the root
  /// mean square of the units that were looked at, and more for one that is larger than they are.
  func norm(ofSize size: Double) -> Double {
    guard units > 0, sizes.value > 0 else { return 0 }
    let root = Double(units).squareRoot()
    let error = max(0, errors.value - Self.roundings * roundoff * sizes.value) / root
    return Self.farthest * error * max(1, size * root / sizes.value)
  }

  /// Units of the last place by which rounding may put d off.
  private static let roundings = 16.0
  /// Of what a fifth power adds at h the parabola misses 0.18 at h/4, and 0.25 at 0.
  private static let farthest = 1.5
}
