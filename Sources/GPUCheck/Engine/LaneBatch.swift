/// Lanes through one parameter tensor: which component moves and by how much.
package struct LaneBatch: Sendable {
  /// The segment of θ.
  package var segment: Int
  package var tiePolicy = TiePolicy.natural
  private let lanes: Lanes

  private enum Lanes {
    case listed(components: [Int32], moves: [Double])
    case run(ComponentRun)
  }

  /// - Parameters:
  ///   - components: of each lane, within the segment.
  ///   - moves: in `difference`, the signed step of each lane; in `value`, the value the component moves
  ///     to. Both as the lanes' precision holds them.
  package init(
    segment: Int, components: [Int32], moves: [Double], tiePolicy: TiePolicy = .natural
  ) {
    self.segment = segment
    self.tiePolicy = tiePolicy
    lanes = .listed(components: components, moves: moves)
  }

  package init(segment: Int, run: ComponentRun, tiePolicy: TiePolicy = .natural) {
    self.segment = segment
    self.tiePolicy = tiePolicy
    lanes = .run(run)
  }

  package var count: Int {
    switch lanes {
    case .listed(let components, _): components.count
    case .run(let run): run.range.count
    }
  }

  /// The lanes as a run; nil where they are listed.
  package var run: ComponentRun? {
    if case .run(let run) = lanes { run } else { nil }
  }

  /// The component of each lane.
  package var components: [Int32] {
    switch lanes {
    case .listed(let components, _): components
    case .run(let run): run.range.map { Int32(truncatingIfNeeded: $0 / run.moves.count) }
    }
  }

  /// The move of each lane.
  package var moves: [Double] {
    switch lanes {
    case .listed(_, let moves): moves
    case .run(let run): run.range.map { run.moves[$0 % run.moves.count] }
    }
  }

  /// One lane's component and move.
  package func lane(_ lane: Int) -> (component: Int32, move: Double) {
    switch lanes {
    case .listed(let components, let moves): return (components[lane], moves[lane])
    case .run(let run):
      let (component, move) = (run.range.lowerBound + lane).quotientAndRemainder(
        dividingBy: run.moves.count)
      return (Int32(truncatingIfNeeded: component), run.moves[move])
    }
  }

  /// Some of the lanes.
  package subscript(range: Range<Int>) -> LaneBatch {
    switch lanes {
    case .listed(let components, let moves):
      if range == 0..<components.count { return self }
      return LaneBatch(
        segment: segment, components: Array(components[range]), moves: Array(moves[range]),
        tiePolicy: tiePolicy)
    case .run(var run):
      let first = run.range.lowerBound
      run.range = first + range.lowerBound..<first + range.upperBound
      return LaneBatch(segment: segment, run: run, tiePolicy: tiePolicy)
    }
  }

  /// The lanes at some places.
  package func picking(_ places: [Int]) -> LaneBatch {
    let chosen = places.map { lane($0) }
    return LaneBatch(
      segment: segment, components: chosen.map(\.component), moves: chosen.map(\.move),
      tiePolicy: tiePolicy)
  }
}

/// Neighbouring components by the same moves each: lane l of the segment is component l / moves.count by
/// move l % moves.count.
package struct ComponentRun: Sendable, Equatable {
  /// Lanes of the segment.
  package var range: Range<Int>
  /// At least one.
  package var moves: [Double]

  package init(_ range: Range<Int>, moves: [Double]) {
    self.range = range
    self.moves = moves
  }
}

/// What came back: ΔJ or J of every lane in double, and its flags.
package struct LaneResults: Sendable {
  package var values: [Double]
  package var flags: [LaneFlags]
}
