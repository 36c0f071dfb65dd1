/// Where the lanes of a batch stand in a launch.
enum LaneOrder {
  case asTheyCome
  /// Of each lane.
  case places([Int32])

  /// The order in which a chain's lanes cost least. Two vectors that a work-item takes hold lanes of
  /// one input and of neighbouring units, the same in both: a component's first step stands in one,
  /// its second in the other. Such lanes share what they read, and the samples in which their input
  /// is 0. Of lanes that come in another way it makes what it can.
  ///
  /// - Parameters:
  ///   - units, inputs: of every lane, in the order of the batch.
  ///   - width: lanes of a vector, a power of two.
  init(units: [Int32], inputs: [Int32], width: Int) {
    let shift = Int32(width.trailingZeroBitCount)
    guard let firstInput = inputs.min(), let lastInput = inputs.max(),
      let firstUnit = units.min(), let lastUnit = units.max()
    else {
      self = .asTheyCome
      return
    }
    // Lanes of the same input and block of units come together, by counting.
    let span = Int(lastInput - firstInput) + 1
    let firstBlock = firstUnit >> shift
    let groups = (Int(lastUnit >> shift - firstBlock) + 1) * span
    guard groups <= 4 * units.count + 64 else {
      self = .asTheyCome
      return
    }
    var places = [Int32](unsafeUninitializedCapacity: units.count) { places, count in
      for lane in units.indices {
        let group = Int(units[lane] >> shift - firstBlock) * span + Int(inputs[lane] - firstInput)
        places[lane] = Int32(truncatingIfNeeded: group)
      }
      count = units.count
    }
    var counts = [Int32](repeating: 0, count: groups)
    for group in places { counts[Int(group)] += 1 }
    // First those that fill their vectors, so that none of them has to share with another.
    let pair = Int32(2 * width)
    var next = counts
    var end: Int32 = 0
    for isWhole in [true, false] {
      for (group, count) in counts.enumerated() where (count & (pair - 1) == 0) == isWhole {
        next[group] = end
        end += count
      }
    }
    for lane in places.indices {
      let group = Int(places[lane])
      let place = next[group]
      next[group] += 1
      let within = place & (pair - 1)
      places[lane] = place - within + (within & 1) << shift + within >> 1
    }
    self = .places(places)
  }

  /// Puts the values of a batch's lanes where they stand in a launch; zeros elsewhere.
  func arrange<Value: BinaryInteger>(
    _ values: [Value], in launch: UnsafeMutableBufferPointer<Value>
  ) {
    arrange(values, in: launch, filler: 0) { $0 }
  }

  /// The same of values that become others on the way.
  @inline(__always)
  func arrange<Value, Other>(
    _ values: [Value], in launch: UnsafeMutableBufferPointer<Other>, filler: Other,
    _ convert: (Value) -> Other
  ) {
    switch self {
    case .asTheyCome:
      for (lane, value) in values.enumerated() { launch[lane] = convert(value) }
      for lane in values.count..<launch.count { launch[lane] = filler }
    case .places(let places):
      // What the launch has more stands in its last two vectors.
      if launch.count > values.count { launch.update(repeating: filler) }
      for (place, value) in zip(places, values) { launch[Int(place)] = convert(value) }
    }
  }

  /// The opposite: what the first `count` lanes of a batch have in a launch.
  @inline(__always)
  func picked<Value, Other>(
    _ launch: UnsafeMutableBufferPointer<Value>, count: Int, _ convert: (Value) -> Other
  ) -> [Other] {
    switch self {
    case .asTheyCome: (0..<count).map { convert(launch[$0]) }
    case .places(let places): places.map { convert(launch[Int($0)]) }
    }
  }
}
