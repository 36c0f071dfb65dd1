import Kernels

/// Evaluates dθ_approx of all compared components, with the same steps on every device, and how far
/// rounding may have moved each.
///
/// Nothing is evaluated a second time elsewhere, as a check does: what is compared is what the device
/// itself computed.
struct RunEvaluation {
  let baseline: Baseline
  let scales: ErrorScales
  /// Positions in θ, ascending.
  let components: [Int]
  let scheme: Scheme
  let epsilon: Double
  let seed: UInt64
  let tieRoundoff: Double

  private var layout: ParameterLayout { baseline.graph.layout }
  private var steps: [Double] { scheme.steps.map { $0 * epsilon } }
  /// Of a run that subtracts.
  private static let noiseSample = 128

  /// What came of a run.
  struct Result {
    var numeric: [Double]
    var bars: [Double]
    var flags: [LaneFlags]
  }

  /// Lanes of a backend, ready to go: what takes time once is done.
  func perturbation(
    _ backend: any Backend, _ mode: LaneMode, _ precision: Precision
  ) throws -> Perturbation {
    try backend.build(
      baseline.graph, mode: mode, precision: precision, components: components.count)
    let lanes = try backend.prepare(
      baseline, mode: mode, precision: precision, tieRoundoff: tieRoundoff)
    return perturbation(lanes, name: backend.name)
  }

  func perturbation(_ lanes: any LaneEvaluator, name: String) -> Perturbation {
    Perturbation(
      pool: LanePool(lanes, name: name), layout: layout, theta: baseline.parameters.values,
      cost: baseline.cost, oneSided: scheme != .central)
  }

  /// dθ_approx, bars and kinks of some of the components.
  ///
  /// - Parameters:
  ///   - positions: which of the components.
  ///   - noise: the standard error of J(θ) where costs are subtracted and it is known; nil to measure
  ///     what subtraction leaves.
  func evaluate(
    _ perturbation: Perturbation, at positions: [Int], noise: Double? = nil,
    advance: (Int) throws -> Void
  ) throws -> Result {
    let chosen = positions.map { components[$0] }
    let empty = [Double](repeating: .nan, count: chosen.count)
    var result = Result(
      numeric: empty, bars: empty, flags: [LaneFlags](repeating: [], count: chosen.count))
    var uneven = [Double](repeating: 0, count: chosen.count)
    let steps = steps
    try perturbation.forEach(of: chosen, .same(steps), advance: advance) { i, list in
      result.numeric[i] = scheme.slope(list)
      result.flags[i] = list.reduce(into: []) { $0.formUnion($1.flags) }
      uneven[i] = unevenness(list)
    }
    let rounding = perturbation.precision.unitRoundoff
    guard perturbation.mode == .value else {
      for (i, component) in chosen.enumerated() {
        result.bars[i] = CheckRun.numericWidth * rounding * scales.lanes[component]
      }
      widenAtKinks(&result, chosen, rounding)
      return result
    }
    let left =
      try noise.map { known in
        // Two costs, each with its error, over the steps between them.
        layout.segments.map { _ in
          2.0.squareRoot() * known / (Double(scheme.steps.count) * epsilon)
        }
      } ?? subtractionNoise(perturbation, chosen, result.numeric)
    for part in layout.positions(of: chosen) {
      for i in part.range {
        // A whole forward pass at this precision rounds what a back-propagation there rounds.
        let systematic = rounding * scales.gradient[chosen[i]]
        let all = (systematic * systematic + left[part.segment] * left[part.segment]).squareRoot()
        result.bars[i] = CheckRun.gradientWidth * all + uneven[i]
      }
    }
    return result
  }

  /// The rounding model takes the slopes at θ; beyond a kink there are others, and at a tie it may
  /// take the one that is 0. There a component is given what its tensor's largest would have.
  private func widenAtKinks(_ result: inout Result, _ chosen: [Int], _ rounding: Double) {
    for part in layout.positions(of: chosen) {
      let met = part.range.filter { !result.flags[$0].isEmpty }
      guard !met.isEmpty else { continue }
      let sizes = part.range.map { max(result.numeric[$0].magnitude, scales.gradient[chosen[$0]]) }
      let least = CheckRun.gradientWidth * rounding * (sizes.filter(\.isFinite).max() ?? 0)
      for i in met { result.bars[i] = max(result.bars[i], least) }
    }
  }

  /// Where θ + ε and θ − ε were rounded unequally a central difference keeps a part of the second
  /// derivative: (ε⁺ − ε⁻)/2 · J″.
  private func unevenness(_ list: Perturbation.Changes) -> Double {
    guard scheme == .central else { return 0 }
    let bend = (list[0].value + list[1].value) / (epsilon * epsilon)
    return ((list[0].step + list[1].step) / 2 * bend).magnitude
  }

  /// The standard error that the subtraction of costs leaves in each tensor's dθ_approx: measured, by
  /// how much halving the step changes it beyond what it changes exact differences. No tensor's is
  /// less than that of all together, of which more is known.
  private func subtractionNoise(
    _ perturbation: Perturbation, _ chosen: [Int], _ numeric: [Double]
  ) throws -> [Double] {
    var random = SplitMix64(seed: seed ^ 0x6e6f_6973_6500_0000)
    let parts = layout.positions(of: chosen).map { part in
      (part.segment, draw(Self.noiseSample, of: part.range, using: &random).map { chosen[$0] })
    }
    let sampled = parts.flatMap(\.1)
    let twoSteps = steps + steps.map { $0 / 2 }
    let ours = try perturbation.changes(of: sampled, .same(twoSteps))
    let taken = Dictionary(uniqueKeysWithValues: zip(sampled, ours.map { $0.map(\.step) }))
    let exact = try self.perturbation(CPUBackend(), .difference, .f64)
      .changes(of: sampled, .own { taken[$0] ?? twoSteps })
    var changes: [Int: Double] = [:]
    for (component, (ours, exact)) in zip(sampled, zip(ours, exact)) {
      // A component that does not move J at all says nothing.
      if ours.contains(where: { $0.value != 0 }) {
        changes[component] = halving(ours) - halving(exact)
      }
    }
    let least =
      SubtractionNoise.least(cost: baseline.cost, perturbation.precision) / epsilon
    let overall = SubtractionNoise.standardError(ofHalving: Array(changes.values), scheme)
    var noise = [Double](repeating: max(least, overall), count: layout.segments.count)
    for (segment, components) in parts {
      let own = SubtractionNoise.standardError(
        ofHalving: components.compactMap { changes[$0] }, scheme)
      noise[segment] = max(noise[segment], own)
    }
    return noise
  }

  /// What halving the step changes.
  private func halving(_ list: [Perturbation.Change]) -> Double {
    let each = scheme.steps.count
    return scheme.slope(list[..<each]) - scheme.slope(list[each...])
  }

  /// J(θ) on a backend at a precision: a lane that does not move its component, sent through the
  /// tensor whose lanes meet most of the network. What stands before them is the baseline's.
  func cost(_ backend: any Backend, _ precision: Precision) throws -> Double {
    let lanes = try perturbation(backend, .value, precision).pool
    let plans = try layout.segments.indices.filter { layout.segments[$0].count > 0 }.map {
      (
        segment: $0,
        steps: try LanePlan(graph: baseline.graph, segment: $0, mode: .value).steps.count
      )
    }
    guard let longest = plans.max(by: { ($0.steps, $1.segment) < ($1.steps, $0.segment) }) else {
      return baseline.cost
    }
    let still = baseline.parameters.values[layout.segments[longest.segment].offset]
    let batch = LaneBatch(
      segment: longest.segment, components: [0], moves: [precision.rounded(still)])
    return try lanes.evaluate([batch])[0].values[0]
  }
}
