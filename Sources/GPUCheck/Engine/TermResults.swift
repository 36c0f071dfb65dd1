/// What lanes made of the elements of J's terms, not yet summed.
package struct TermResults: Sendable {
  /// For each term of J how its elements are laid out; nil where the term does not move.
  package let layouts: [LaneLayout?]
  /// For each term the stored elements of every lane, lane by lane: `[lanes, elements]`; empty where
  /// the term does not move.
  package var elements: [[Double]]
  package var flags: [LaneFlags] = []

  /// Nothing yet, of the terms of a plan.
  init(_ plan: LanePlan) {
    layouts = plan.terms.map { $0?.layout }
    elements = plan.terms.map { _ in [] }
  }

  /// Adds lanes of a term from a lane array, whose rows of `width` lanes hold an element each; what
  /// lies beyond `count` is padding.
  mutating func append(term: Int, _ array: [Double], width: Int, count: Int) {
    let stored = array.count / max(width, 1)
    elements[term].reserveCapacity(elements[term].count + stored * count)
    for lane in 0..<count {
      for element in 0..<stored { elements[term].append(array[element * width + lane]) }
    }
  }
}
