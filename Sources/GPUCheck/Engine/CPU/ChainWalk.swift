/// Numbers of a baseline as lanes of a precision read them, rounded once.
final class ChainTable<T: LaneReal>: @unchecked Sendable {
  let start: UnsafePointer<T>
  private let memory: UnsafeMutablePointer<T>

  init(_ values: [Double]) {
    memory = .allocate(capacity: values.count)
    for (at, value) in values.enumerated() { memory[at] = T(value) }
    start = UnsafePointer(memory)
  }

  deinit { memory.deallocate() }

  subscript(at: Int) -> T { memory[at] }
}

/// Two vectors of lanes on their way through a chain.
final class ChainWalk<T: LaneReal> {
  static var width: Int { LaneVector<T>.scalarCount }
  static var pair: Int { 2 * width }

  let units = UnsafeMutablePointer<Int32>.allocate(capacity: pair)
  let inputs = UnsafeMutablePointer<Int32>.allocate(capacity: pair)
  let steps = UnsafeMutablePointer<T>.allocate(capacity: pair)
  let flags = UnsafeMutablePointer<UInt32>.allocate(capacity: pair)
  /// The cost's sums, the high parts and then the low ones.
  private let sums = UnsafeMutablePointer<T>.allocate(capacity: 2 * pair)
  /// Of one sample: the moved units' steps, and what becomes of the cost.
  let moved = UnsafeMutablePointer<T>.allocate(capacity: pair)
  let changes = UnsafeMutablePointer<T>.allocate(capacity: pair)
  /// Where each vector's units have their terms, `[terms, width]`; memory for those that were gathered.
  var leftTerms: UnsafePointer<T>
  var rightTerms: UnsafePointer<T>
  let gathered: UnsafeMutablePointer<T>
  /// `[outs, pair]`: weights from the moved units to the next layer; the steps of two layers.
  let column: UnsafeMutablePointer<T>
  let first: UnsafeMutablePointer<T>
  let second: UnsafeMutablePointer<T>

  /// - Parameter widest: units of the widest layer, and the most terms that a unit has.
  init(widest: Int) {
    let room = { UnsafeMutablePointer<T>.allocate(capacity: widest * Self.pair) }
    (gathered, column, first, second) = (room(), room(), room(), room())
    leftTerms = UnsafePointer(gathered)
    rightTerms = leftTerms
  }

  deinit {
    for memory in [steps, sums, moved, changes, gathered, column, first, second] {
      memory.deallocate()
    }
    units.deallocate()
    inputs.deallocate()
    flags.deallocate()
  }

  /// Lanes that do not move, of unit 0.
  func clear() {
    units.update(repeating: 0, count: Self.pair)
    inputs.update(repeating: 0, count: Self.pair)
    steps.update(repeating: 0, count: Self.pair)
    flags.update(repeating: 0, count: Self.pair)
    sums.update(repeating: 0, count: 2 * Self.pair)
  }

  /// Whether all lanes weigh one input, and each vector's units are the same block.
  var isBlock: Bool {
    let first = units[0] / Int32(Self.width) * Int32(Self.width)
    return (0..<Self.pair).allSatisfy {
      inputs[$0] == inputs[0] && units[$0] == first + Int32($0 % Self.width)
    }
  }

  var isMoving: Bool {
    var moving: Int32 = 0
    for lane in 0..<Self.pair { moving |= moved[lane] == 0 ? 0 : 1 }
    return moving != 0
  }

  /// Where a vector's units have their terms.
  @inline(__always)
  func terms(_ vector: Int) -> UnsafePointer<T> { vector == 0 ? leftTerms : rightTerms }

  /// Adds to a vector's sums, as `CompensatedSum` does.
  @inline(__always)
  func add(_ term: LaneVector<T>, _ vector: Int) {
    let (at, low) = (vector * Self.width, Self.pair + vector * Self.width)
    let high = UnsafePointer(sums).vector(at)
    let sum = high + term
    let second = sum - high
    sums.store(
      UnsafePointer(sums).vector(low) + ((high - (sum - second)) + (term - second)), low)
    sums.store(sum, at)
  }

  func sum(_ place: Int) -> Double { Double(sums[place]) + Double(sums[Self.pair + place]) }
}

/// Σ cₙ·dⁿ of eight lanes with terms of their own, `[terms, lanes]`.
@inline(__always)
func sumSeries<T: LaneReal>(_ d: LaneVector<T>, _ c: UnsafePointer<T>) -> LaneVector<T> {
  let width = LaneVector<T>.scalarCount
  var sum = c.vector(4 * width) * d + c.vector(3 * width)
  sum = sum * d + c.vector(2 * width)
  sum = sum * d + c.vector(width)
  return (sum * d + c.vector(0)) * d
}
