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
  ///   - width: lanes of a vector.
  init(units: [Int32], inputs: [Int32], width: Int) {
    // Lanes of the same input and block of units come together, by counting.
    let block = { (lane: Int) in Int(units[lane]) / width }
    guard let firstInput = inputs.min(), let lastInput = inputs.max(),
      let firstUnit = units.min(), let lastUnit = units.max()
    else {
      self = .asTheyCome
      return
    }
    let span = Int(lastInput - firstInput) + 1
    let firstBlock = Int(firstUnit) / width
    let groups = (Int(lastUnit) / width - firstBlock + 1) * span
    guard groups <= 4 * units.count + 64 else {
      self = .asTheyCome
      return
    }
    var next = [Int32](repeating: 0, count: groups)
    let group = { (lane: Int) in
      (block(lane) - firstBlock) * span + Int(inputs[lane] - firstInput)
    }
    for lane in units.indices { next[group(lane)] += 1 }
    // First those that fill their vectors, so that none of them has to share with another.
    let pair = Int32(2 * width)
    let counts = next
    var place: Int32 = 0
    for isWhole in [true, false] {
      for (number, count) in counts.enumerated() where count.isMultiple(of: pair) == isWhole {
        next[number] = place
        place += count
      }
    }
    self = .places(
      units.indices.map { lane in
        let place = next[group(lane)]
        next[group(lane)] += 1
        let within = place % pair
        return place - within + within % 2 * Int32(width) + within / 2
      })
  }

  /// The values of a batch's lanes, where they stand in a launch of so many lanes; `filler` elsewhere.
  func arranged<Value>(_ values: [Value], lanes: Int, filler: Value) -> [Value] {
    var arranged = values
    switch self {
    case .asTheyCome:
      arranged.reserveCapacity(lanes)
      arranged += repeatElement(filler, count: lanes - values.count)
    case .places(let places):
      arranged = [Value](repeating: filler, count: lanes)
      for (place, value) in zip(places, values) { arranged[Int(place)] = value }
    }
    return arranged
  }

  /// The opposite: what the first `count` lanes of a batch have in a launch.
  func picked<Value>(_ values: [Value], count: Int) -> [Value] {
    switch self {
    case .asTheyCome: Array(values.prefix(count))
    case .places(let places): places.map { values[Int($0)] }
    }
  }
}
