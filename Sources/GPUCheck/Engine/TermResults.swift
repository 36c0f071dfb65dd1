/// What lanes made of J's terms, not yet summed.
package struct TermResults: Sendable {
  /// What was kept of a term.
  package enum Kept: Sendable {
    /// The elements that its layout stores.
    case elements(LaneLayout)
    /// The sums over each position of its first axis, so many.
    case samples(Int)

    /// Values of one lane, for a term of `count` elements.
    package func stored(of count: Int) -> Int {
      switch self {
      case .elements(let layout): layout.stored(of: count)
      case .samples(let samples): samples
      }
    }
  }

  /// For each term of J; nil where the term does not move.
  package let kept: [Kept?]
  /// For each term what was kept of it in every lane, lane by lane: `[lanes, stored]`; empty where the
  /// term does not move.
  package var values: [[Double]]
  package var flags: [LaneFlags] = []

  /// Nothing yet, of the terms of a plan.
  ///
  /// - Parameter samples: of a chain.
  init(_ plan: LanePlan, samples: Int = 0) {
    kept = plan.terms.enumerated().map { term, operand in
      plan.chain?.term == term ? .samples(samples) : operand.map { .elements($0.layout) }
    }
    values = plan.terms.map { _ in [] }
  }

  /// Adds lanes of a term from a lane array, whose rows of `width` lanes hold a value each; what lies
  /// beyond `count` is padding.
  mutating func append(term: Int, _ array: [Double], width: Int, count: Int) {
    let stored = array.count / max(width, 1)
    values[term].reserveCapacity(values[term].count + stored * count)
    for lane in 0..<count {
      for row in 0..<stored { values[term].append(array[row * width + lane]) }
    }
  }
}
