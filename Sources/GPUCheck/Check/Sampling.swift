/// SplitMix64 (Steele, Lea and Flood 2014): small, seedable, the same on every machine.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension ParameterLayout {
  /// Components to check, ascending: all, or about `count` of them, shared among the tensors by
  /// size, with at least four of every tensor so that biases do not vanish.
  package func sample(_ count: Int?, seed: UInt64) -> [Int] {
    guard let count, count < self.count else { return Array(0..<self.count) }
    var random = SplitMix64(seed: seed)
    return zip(segments, sampleCounts(count)).flatMap { part, wanted in
      draw(wanted, of: part.range, using: &random)
    }
  }

  /// How many components of each segment such a sample holds.
  package func sampleCounts(_ count: Int?) -> [Int] {
    guard let count, count < self.count else { return segments.map(\.count) }
    return segments.map { part in
      let share = (Double(count) * Double(part.count) / Double(self.count)).rounded()
      return min(part.count, max(Int(share), 4))
    }
  }
}

/// `count` different numbers of a range, ascending, in the time that so many take (Floyd's algorithm:
/// Bentley and Floyd, Communications of the ACM 30, 1987).
package func draw(_ count: Int, of range: Range<Int>, using random: inout SplitMix64) -> [Int] {
  guard count < range.count else { return Array(range) }
  var chosen: Set<Int> = []
  for last in (range.upperBound - max(count, 0))..<range.upperBound {
    let number = Int.random(in: range.lowerBound...last, using: &random)
    chosen.insert(chosen.contains(number) ? last : number)
  }
  return chosen.sorted()
}
