import Kernels

/// Sends components of θ through a pool of devices, each as a few lanes with steps of its own, and
/// brings back ΔJ for each.
package struct Perturbation: Sendable {
  package let pool: LanePool
  package let layout: ParameterLayout
  /// θ.
  package let theta: [Double]
  /// J(θ) in double.
  package let cost: Double
  /// Whether differences from θ itself are wanted of an evaluator that gives J: then J(θ) is one
  /// more lane, since it must come from the same arithmetic as J(θ + step).
  package let oneSided: Bool
  /// What else takes a step that is too small for J at θ + ε; nil where nothing does.
  package var alternative: String? = "--evaluator difference"

  package var mode: LaneMode { pool.mode }
  package var precision: Precision { pool.precision }

  /// ΔJ = J(θ + step·e_i) − J(θ) of the steps that were taken, as the evaluator's precision holds
  /// them.
  package struct Change: Sendable {
    package var step: Double
    package var value: Double
    package var flags: LaneFlags
  }

  /// The changes of one component, as its lanes brought them.
  package struct Changes: RandomAccessCollection {
    fileprivate let moves: UnsafePointer<Double>
    fileprivate let values: UnsafePointer<Double>
    fileprivate let lanes: UnsafePointer<LaneFlags>
    fileprivate let still: Double
    fileprivate let base: Double
    package let endIndex: Int
    package var startIndex: Int { 0 }

    package subscript(at: Int) -> Change {
      Change(step: moves[at] - still, value: values[at] - base, flags: lanes[at])
    }

    /// Those of all of them together.
    package var flags: LaneFlags {
      (0..<endIndex).reduce(into: LaneFlags()) { $0.formUnion(lanes[$1]) }
    }
  }

  /// The steps that components are taken by.
  package enum Steps {
    case same([Double])
    /// Of each component's own; all have the same number of them.
    case own((Int) -> [Double])
  }

  /// Components that are on their way at a time: what the host holds lanes for.
  private static let window = 1 << 18

  /// Takes every component by each of the steps; `[components][steps]`. `advance` is told how many
  /// components were done each time some come back.
  ///
  /// - Parameter components: positions in θ, ascending.
  package func changes(
    of components: [Int], _ steps: Steps, tiePolicy: TiePolicy = .natural,
    advance: (Int) throws -> Void = { _ in }
  ) throws -> [[Change]] {
    var changes: [[Change]] = []
    changes.reserveCapacity(components.count)
    try forEach(of: components, steps, tiePolicy: tiePolicy, advance: advance) {
      changes.append(Array($1))
    }
    return changes
  }

  /// As above, handing on each component's changes, in order, with its place in the list; they are to
  /// be used at once. A part of its caller, since it is called for every component.
  @inline(__always)
  package func forEach(
    of components: [Int], _ steps: Steps, tiePolicy: TiePolicy = .natural,
    advance: (Int) throws -> Void = { _ in }, deliver: (Int, Changes) -> Void
  ) throws {
    for start in stride(from: 0, to: components.count, by: Self.window) {
      let window = start..<min(start + Self.window, components.count)
      try evaluate(components[window], steps, tiePolicy, advance, deliver)
    }
  }

  private var needsStillLane: Bool { oneSided && mode == .value }

  @inline(__always)
  private func evaluate(
    _ components: ArraySlice<Int>, _ steps: Steps, _ tiePolicy: TiePolicy,
    _ advance: (Int) throws -> Void, _ deliver: (Int, Changes) -> Void
  ) throws {
    let (batches, lanesEach) = try batches(components, steps, tiePolicy)
    // Lanes come back in any order; components are counted as their lanes add up.
    var lanesDone = 0
    let results = try pool.evaluate(batches) { count in
      let before = lanesDone / lanesEach
      lanesDone += count
      try advance(lanesDone / lanesEach - before)
    }
    var place = components.startIndex
    for (batch, found) in zip(batches, results) {
      // A run's components have the same moves.
      let stride = batch.run == nil ? lanesEach : 0
      (batch.run?.moves ?? batch.moves).withUnsafeBufferPointer { moves in
        found.values.withUnsafeBufferPointer { values in
          found.flags.withUnsafeBufferPointer { flags in
            guard let moves = moves.baseAddress, let values = values.baseAddress,
              let flags = flags.baseAddress
            else { return }
            let first = needsStillLane ? 1 : 0
            for number in 0..<batch.count / lanesEach {
              let lane = number * lanesEach
              deliver(
                place,
                Changes(
                  moves: moves + number * stride + first, values: values + lane + first,
                  lanes: flags + lane + first, still: still(components[place]),
                  base: needsStillLane ? values[lane] : mode == .value ? cost : 0,
                  endIndex: lanesEach - first))
              place += 1
            }
          }
        }
      }
    }
  }

  /// The lanes of components, one batch for each segment they lie in, and how many lanes each
  /// component has. Throws an `InputError` where a step is too small to change its component.
  private func batches(
    _ components: ArraySlice<Int>, _ steps: Steps, _ tiePolicy: TiePolicy
  ) throws -> (batches: [LaneBatch], lanesEach: Int) {
    var batches: [LaneBatch] = []
    var lanesEach = 1
    var rest = components
    while let first = rest.first {
      let (segment, _) = layout.locate(first)
      let part = layout.segments[segment]
      let own = rest[..<rest.firstPlace(notBelow: part.range.upperBound)]
      rest = rest[own.endIndex...]
      var moves = try moves(of: first, steps)
      lanesEach = moves.count
      // Differences of the same steps are the same lanes for every component.
      let areSame = if case .same = steps { mode == .difference } else { false }
      let index = first - part.offset
      if areSame, own.last == first + own.count - 1 {
        let range = index * lanesEach..<(index + own.count) * lanesEach
        batches.append(
          LaneBatch(
            segment: segment, run: ComponentRun(range, moves: moves), tiePolicy: tiePolicy))
        continue
      }
      let lanes = own.count * lanesEach
      let indices = [Int32](unsafeUninitializedCapacity: lanes) { indices, count in
        for component in own {
          let index = Int32(truncatingIfNeeded: component - part.offset)
          for _ in 0..<lanesEach {
            indices[count] = index
            count += 1
          }
        }
      }
      let all = try [Double](unsafeUninitializedCapacity: lanes) { all, count in
        for component in own {
          if !areSame { moves = try self.moves(of: component, steps) }
          for move in 0..<lanesEach {
            all[count] = moves[move]
            count += 1
          }
        }
      }
      batches.append(
        LaneBatch(segment: segment, components: indices, moves: all, tiePolicy: tiePolicy))
    }
    return (batches, max(1, lanesEach))
  }

  /// The moves of a component's lanes.
  private func moves(of component: Int, _ steps: Steps) throws -> [Double] {
    let still = still(component)
    let own =
      switch steps {
      case .same(let steps): steps
      case .own(let steps): steps(component)
      }
    return try (needsStillLane ? [still] : [])
      + own.map { step in
        let move = precision.rounded(mode == .value ? theta[component] + step : step)
        guard move != still || step == 0 else { throw tooSmall(step, component) }
        return move
      }
  }

  /// What the move of a lane that does not move its component is.
  private func still(_ component: Int) -> Double {
    mode == .value ? precision.rounded(theta[component]) : 0
  }

  private func tooSmall(_ step: Double, _ component: Int) -> InputError {
    let (segment, index) = layout.locate(component)
    let part = layout.segments[segment]
    let least = 16 * theta[component].magnitude * precision.unitRoundoff
    return InputError(
      "a step of \(step.magnitude) does not change \(theta[component]) in \(precision.rawValue)",
      tensor: part.name, index: unravel(index, shape: part.shape),
      remedy: mode == .value
        ? "use --epsilon \(least) or more" + (alternative.map { ", or \($0)" } ?? "")
        : "use a larger --epsilon")
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
  func slope(_ changes: some BidirectionalCollection<Perturbation.Change>) -> Double {
    guard let first = changes.first, let last = changes.last else { return .nan }
    if self == .central { return (first.value - last.value) / (first.step - last.step) }
    return first.value / first.step
  }
}
