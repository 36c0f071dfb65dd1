import Kernels

/// Sends components of θ through an evaluator, each as a few lanes with steps of its own, and brings
/// back ΔJ for each.
package struct Perturbation: Sendable {
  package let evaluator: any LaneEvaluator
  package let layout: ParameterLayout
  /// θ.
  package let theta: [Double]
  /// J(θ) in double.
  package let cost: Double
  /// Whether differences from θ itself are wanted of an evaluator that gives J: then J(θ) is one
  /// more lane, since it must come from the same arithmetic as J(θ + step).
  package let oneSided: Bool

  /// ΔJ = J(θ + step·e_i) − J(θ) of the steps that were taken, as the evaluator's precision holds
  /// them.
  package struct Change: Sendable {
    package var step: Double
    package var value: Double
    package var flags: LaneFlags
  }

  /// Takes every component by each of the steps; `[components][steps]`. `advance` is told how many
  /// components were done each time a batch comes back.
  ///
  /// - Parameter components: positions in θ, ascending.
  package func changes(
    of components: [Int], steps: [Double], tiePolicy: TiePolicy = .natural,
    advance: (Int) throws -> Void = { _ in }
  ) throws -> [[Change]] {
    try changes(of: components, stepsOf: { _ in steps }, tiePolicy: tiePolicy, advance: advance)
  }

  /// As above, with steps of each component's own; all have the same number of them.
  package func changes(
    of components: [Int], stepsOf: (Int) -> [Double], tiePolicy: TiePolicy = .natural,
    advance: (Int) throws -> Void = { _ in }
  ) throws -> [[Change]] {
    var changes: [[Change]] = []
    changes.reserveCapacity(components.count)
    var first = 0
    while first < components.count {
      let (segment, _) = layout.locate(components[first])
      let part = layout.segments[segment]
      let lanes = stepsOf(components[first]).count + (needsStillLane ? 1 : 0)
      let wanted = max(1, evaluator.wantedLanes(segment: segment) / max(lanes, 1))
      var last = first
      while last < components.count, last - first < wanted, part.range.contains(components[last]) {
        last += 1
      }
      changes += try batch(Array(components[first..<last]), segment, part, stepsOf, tiePolicy)
      try advance(last - first)
      first = last
    }
    return changes
  }

  private var needsStillLane: Bool { oneSided && evaluator.mode == .value }

  private func batch(
    _ components: [Int], _ segment: Int, _ part: ParameterLayout.Segment,
    _ stepsOf: (Int) -> [Double], _ tiePolicy: TiePolicy
  ) throws -> [[Change]] {
    let steps = components.map(stepsOf)
    var lanes = LaneBatch(segment: segment, tiePolicy: tiePolicy)
    let isValue = evaluator.mode == .value
    for (component, steps) in zip(components, steps) {
      for step in (needsStillLane ? [0] : []) + steps {
        lanes.components.append(Int32(component - part.offset))
        lanes.moves.append(
          evaluator.precision.rounded(isValue ? theta[component] + step : step))
      }
    }
    let results = try evaluator.evaluate(lanes)
    var at = 0
    return try zip(components, steps).map { component, steps in
      var still = (at: 0.0, value: 0.0)
      if isValue {
        still = (evaluator.precision.rounded(theta[component]), cost)
        if needsStillLane {
          still.value = results.values[at]
          at += 1
        }
      }
      return try steps.map { step in
        defer { at += 1 }
        let taken = lanes.moves[at] - still.at
        guard taken != 0 else { throw tooSmall(step, component, part) }
        return Change(
          step: taken, value: results.values[at] - still.value, flags: results.flags[at])
      }
    }
  }

  private func tooSmall(_ step: Double, _ component: Int, _ part: ParameterLayout.Segment)
    -> InputError
  {
    let size = theta[component].magnitude
    return InputError(
      "a step of \(step.magnitude) does not change \(theta[component]) in "
        + evaluator.precision.rawValue,
      tensor: part.name, index: unravel(component - part.offset, shape: part.shape),
      remedy: "use --epsilon \(16 * size * evaluator.precision.unitRoundoff) or more, "
        + "or --evaluator difference")
  }
}

extension Scheme {
  /// The steps whose differences are taken, in units of ε.
  var steps: [Double] {
    switch self {
    case .central: [1, -1]
    case .forward: [1]
    case .backward: [-1]
    }
  }

  /// The order of the truncation error: O(ε^order).
  var order: Int { self == .central ? 2 : 1 }

  /// dθ_approx from the changes of the scheme's steps. The step is the one that was taken.
  func slope(_ changes: some Collection<Perturbation.Change>) -> Double {
    let list = Array(changes)
    guard let first = list.first, let last = list.last else { return .nan }
    if self == .central { return (first.value - last.value) / (first.step - last.step) }
    return first.value / first.step
  }
}
