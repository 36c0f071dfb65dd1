// Moving elements about: reshaping, transposing, taking positions along axes.

extension GraphBuilder {
  /// The same elements, row-major, in another shape.
  func reshape(_ x: LoweredValue, _ shape: [Int]) throws -> LoweredValue {
    guard x.shape != shape else { return x }
    guard x.count == shape.reduce(1, *) else {
      throw InputError(
        "cannot take \(x.count) elements of shape \(x.shape) for shape \(shape)", tensor: name)
    }
    let x = try materialised(x)
    if let tensor = try tensor(x) { return constant(shape, tensor.values, x.elementType) }
    if let (operation, inputs) = definition(x), case .reshape = operation {
      return try reshape(value(of: inputs[0], x.elementType), shape)
    }
    return try apply(.reshape(shape), [x])
  }

  // MARK: Transposing

  /// Axis `i` of the result is axis `order[i]` of x. A swap of the last two axes stays pending.
  func permuted(_ x: LoweredValue, _ order: [Int]) throws -> LoweredValue {
    let rank = x.rank
    guard order != Array(0..<rank) else { return x }
    var swapped = order
    if rank >= 2 { swapped.swapAt(rank - 1, rank - 2) }
    if rank >= 2, swapped == Array(0..<rank) {
      var y = x
      y.isTransposed.toggle()
      y.shape.swapAt(rank - 1, rank - 2)
      return y
    }
    // What leaves whole rows together is cheap; the swap of the last two axes may cost nothing.
    if rank >= 2, order[rank - 2] == rank - 1 {
      return try permuted(permutedByGather(materialised(x), swapped), lastTwoSwapped(rank))
    }
    return try permutedByGather(materialised(x), order)
  }

  private func lastTwoSwapped(_ rank: Int) -> [Int] {
    var order = Array(0..<rank)
    order.swapAt(rank - 1, rank - 2)
    return order
  }

  /// The transposition done by a map of elements.
  func permutedByGather(_ x: LoweredValue, _ order: [Int]) throws -> LoweredValue {
    let shape = order.map { x.shape[$0] }
    // Where only axes of one element move, the elements stay in their order.
    if order.filter({ x.shape[$0] != 1 }) == order.filter({ x.shape[$0] != 1 }).sorted() {
      return try reshape(x, shape)
    }
    var first = 0
    while first < x.rank, order[first] == first { first += 1 }
    var last = x.rank
    while last > first, order[last - 1] == last - 1 { last -= 1 }
    let strides = Self.strides(Array(x.shape[first..<last]))
    let taking = Self.offsets(
      order[first..<last].map { (extent: x.shape[$0], stride: strides[$0 - first]) })
    return try apply(
      .gather(
        GatherMap(
          outputShape: shape, columns: taking.count, inner: x.shape[last...].reduce(1, *),
          taking: taking), .sum), [x])
  }

  /// The axis made the last one.
  func movedToEnd(_ x: LoweredValue, _ axis: Int) throws -> LoweredValue {
    try materialised(
      permuted(x, Array(0..<axis) + Array(axis + 1..<x.rank) + [axis]))
  }

  /// The last axis put at a place.
  func movedFromEnd(_ x: LoweredValue, _ axis: Int) throws -> LoweredValue {
    try materialised(
      permuted(x, Array(0..<axis) + [x.rank - 1] + Array(axis..<x.rank - 1)))
  }

  /// The distance of neighbours along each axis of a row-major array.
  static func strides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    return strides
  }

  /// The offset of every element of a walk over axes of given extents and strides.
  static func offsets(_ axes: [(extent: Int, stride: Int)]) -> [Int32] {
    var offsets: [Int32] = [0]
    for (extent, stride) in axes.reversed() {
      let block = offsets
      offsets = []
      offsets.reserveCapacity(block.count * extent)
      for position in 0..<extent {
        let step = Int32(position * stride)
        offsets += step == 0 ? block : block.map { $0 + step }
      }
    }
    return offsets
  }

  // MARK: Taking positions

  /// Along one axis the elements at given positions, a negative one standing for `fill`.
  func take(_ x: LoweredValue, axis: Int, _ positions: [Int], fill: Double = 0) throws
    -> LoweredValue
  {
    try take(x, [axis: positions], fill: fill)
  }

  /// The same along several axes, in one map where that is small and axis by axis where not.
  func take(_ x: LoweredValue, _ positions: [Int: [Int]], fill: Double = 0) throws -> LoweredValue {
    let moved = positions.filter { $1 != Array(0..<x.shape[$0]) }
    guard let first = moved.keys.min(), let last = moved.keys.max() else { return x }
    var shape = x.shape
    for (axis, taken) in moved { shape[axis] = taken.count }
    if shape.contains(0) { return constant(shape, [], x.elementType) }
    if x.count == 0 {
      return constant(
        shape, [Double](repeating: fill, count: shape.reduce(1, *)), x.elementType)
    }
    if moved.count > 1, shape[first...last].reduce(1, *) > Self.largestTable {
      return try moved.keys.sorted(by: { (moved[$0]?.count ?? 0) < (moved[$1]?.count ?? 0) })
        .reduce(x) { try take($0, [$1: moved[$1] ?? []], fill: fill) }
    }
    var table: [Int32] = [0]
    for axis in first...last {
      let extent = Int32(x.shape[axis])
      let taken = (moved[axis] ?? Array(0..<x.shape[axis])).map(Int32.init)
      table = table.flatMap { base in
        taken.map { base < 0 || $0 < 0 ? -1 : base * extent + $0 }
      }
    }
    return try apply(
      .gather(
        GatherMap(
          outputShape: shape, columns: x.shape[first...last].reduce(1, *),
          inner: x.shape[(last + 1)...].reduce(1, *), taking: table, fill: fill), .sum), [x])
  }

  /// Rows of a map of several axes beyond which they are mapped one by one.
  private static let largestTable = 1 << 18

  /// Positions from one to another, the second left out.
  func slice(_ x: LoweredValue, axis: Int, _ range: Range<Int>) throws -> LoweredValue {
    try take(x, axis: axis, Array(range))
  }

  /// Parts of given sizes along an axis.
  func split(_ x: LoweredValue, axis: Int, _ sizes: [Int]) throws -> [LoweredValue] {
    var begin = 0
    return try sizes.map { size in
      defer { begin += size }
      return try slice(x, axis: axis, begin..<begin + size)
    }
  }

  /// x repeated along its axes of one element to a shape that it broadcasts to.
  func expand(_ x: LoweredValue, to shape: [Int]) throws -> LoweredValue {
    let aligned = try reshape(x, Broadcast.aligned(x.shape, rank: shape.count))
    var positions: [Int: [Int]] = [:]
    for (axis, extent) in shape.enumerated() where aligned.shape[axis] != extent {
      positions[axis] = [Int](repeating: 0, count: extent)
    }
    return try take(aligned, positions)
  }

  /// Values one behind the other along an axis.
  func concatenate(_ parts: [LoweredValue], axis: Int) throws -> LoweredValue {
    let filled = parts.filter { $0.shape[axis] > 0 }
    if filled.count == 1 { return filled[0] }
    guard !filled.isEmpty, !filled[0].shape.contains(0) else {
      guard var shape = parts.first?.shape else { return constant([0], []) }
      shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
      return constant(shape, [], parts[0].elementType)
    }
    return try apply(.concatenate(axis: axis), filled)
  }

  /// Values one beside the other along a new axis.
  func stack(_ parts: [LoweredValue], axis: Int) throws -> LoweredValue {
    try concatenate(
      parts.map {
        try reshape($0, Array($0.shape[..<axis]) + [1] + Array($0.shape[axis...]))
      }, axis: axis)
  }
}
