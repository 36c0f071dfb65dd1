// Shapes and the order of elements.

enum LayoutOperators {
  static let operators: [OperatorLowering] = [
    .one("Identity", "its input") { call, _ in try call.input(0) },
    .one("Reshape", "`reshape`", reshape),
    .one("Flatten", "`reshape`") { call, builder in
      let x = try call.input(0)
      let axis = try call.int("axis", 1)
      let at = axis == x.rank ? axis : try call.axis(axis, rank: x.rank)
      return try builder.reshape(
        x, [x.shape[..<at].reduce(1, *), x.shape[at...].reduce(1, *)])
    },
    .one("Squeeze", "`reshape`") { call, builder in
      let x = try call.input(0)
      let axes =
        try call.axes(input: 1, rank: x.rank, builder)
        ?? x.shape.indices.filter { x.shape[$0] == 1 }
      guard axes.allSatisfy({ x.shape[$0] == 1 }) else {
        throw call.error("axes \(axes) of shape \(x.shape), expected axes of one element")
      }
      return try builder.reshape(
        x, x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] })
    },
    .one("Unsqueeze", "`reshape`", unsqueeze),
    .one("Transpose", "`gather-sum`; of the last two axes the flags of a `matrix-product`") {
      call, builder in
      let x = try call.input(0)
      let order = try call.ints("perm") ?? (0..<x.rank).reversed()
      guard order.sorted() == Array(0..<x.rank) else {
        throw call.error("found perm \(order) for \(x.rank) axes")
      }
      return try builder.permuted(x, order)
    },
    .one("Expand", "`gather-sum`") { call, builder in
      let x = try call.input(0)
      let wanted = try call.integers(1, "the shape", builder)
      try builder.checkedCount(wanted)
      return try builder.expand(x, to: Broadcast.shape([x.shape, wanted]))
    },
    .one("Tile", "`gather-sum`") { call, builder in
      let x = try call.input(0)
      let repeats = try call.integers(1, "the repeats", builder)
      guard repeats.count == x.rank, repeats.allSatisfy({ $0 >= 0 }) else {
        throw call.error("found repeats \(repeats) for shape \(x.shape)")
      }
      try builder.checkedCount(repeats + x.shape.filter { $0 > 0 })
      var positions: [Int: [Int]] = [:]
      for (axis, times) in repeats.enumerated() {
        positions[axis] = (0..<times).flatMap { _ in Array(0..<x.shape[axis]) }
      }
      return try builder.take(x, positions)
    },
    .one("Concat", "`concatenate`") { call, builder in
      let parts = try call.allInputs()
      guard let first = parts.first else { throw call.error("found no input") }
      let axis = try call.axis("axis", 0, rank: first.rank)
      guard parts.allSatisfy({ $0.rank == first.rank }) else {
        throw call.error("found shapes \(parts.map(\.shape)), expected as many axes in each")
      }
      return try builder.concatenate(parts, axis: axis)
    },
    .outputs("Split", "`gather-sum`", split),
    .one("Slice", "`gather-sum`", slice),
    .one("Pad", "`gather-sum`", pad),
    .one("DepthToSpace", "`reshape`, transposed") { call, builder in
      let x = try call.input(0)
      guard x.rank == 4, let block = try call.int("blocksize"), block > 0,
        x.shape[1] % (block * block) == 0
      else { throw call.error("found shape \(x.shape), expected [batch, channels, height, width]") }
      let (n, c, h, w) = (x.shape[0], x.shape[1] / (block * block), x.shape[2], x.shape[3])
      let isColumnFirst = try call.string("mode", "DCR") == "CRD"
      let split = try builder.reshape(
        x, isColumnFirst ? [n, c, block, block, h, w] : [n, block, block, c, h, w])
      let order = isColumnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]
      return try builder.reshape(
        builder.permuted(split, order), [n, c, h * block, w * block])
    },
    .one("SpaceToDepth", "`reshape`, transposed") { call, builder in
      let x = try call.input(0)
      guard x.rank == 4, let block = try call.int("blocksize"), block > 0,
        x.shape[2] % block == 0, x.shape[3] % block == 0
      else { throw call.error("found shape \(x.shape), expected [batch, channels, height, width]") }
      let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2] / block, x.shape[3] / block)
      let split = try builder.reshape(x, [n, c, h, block, w, block])
      let isColumnFirst = try call.string("mode", "DCR") == "CRD"
      return try builder.reshape(
        builder.permuted(split, isColumnFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]),
        [n, c * block * block, h, w])
    },
    .one("Trilu", "`select`: x within the triangle, else 0") { call, builder in
      let x = try call.input(0)
      guard x.rank >= 2 else { throw call.error("found shape \(x.shape), expected matrices") }
      let shift = try call.optional(1) == nil ? 0 : call.integers(1, "k", builder).first ?? 0
      let isUpper = try call.flag("upper", true)
      let (rows, columns) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
      let mask = (0..<rows).flatMap { row in
        (0..<columns).map { column in
          (isUpper ? column - row >= shift : column - row <= shift) ? 1.0 : 0
        }
      }
      return try builder.select(
        builder.constant([rows, columns], mask, .bool), x, builder.scalar(0, x.elementType))
    },
    .one("ReverseSequence", "`gather-sum`", reverseSequence),
  ]

  private static func reshape(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue
  {
    let x = try call.input(0)
    var shape = try call.integers(1, "the shape", builder)
    let takesZero = try call.flag("allowzero")
    for axis in shape.indices where shape[axis] == 0 && !takesZero {
      guard x.shape.indices.contains(axis) else {
        throw call.error("the shape \(shape) copies axis \(axis) of shape \(x.shape)")
      }
      shape[axis] = x.shape[axis]
    }
    if let open = shape.firstIndex(of: -1) {
      shape[open] = 1
      let rest = try builder.checkedCount(shape)
      guard rest > 0, x.count % rest == 0 else {
        throw call.error("shape \(x.shape) does not fill the shape \(shape) with an open axis")
      }
      shape[open] = x.count / rest
    }
    try builder.checkedCount(shape)
    return try builder.reshape(x, shape)
  }

  private static func unsqueeze(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let x = try call.input(0)
    let given =
      try call.optional(1) == nil ? call.ints("axes") ?? [] : call.integers(1, "the axes", builder)
    let rank = x.rank + given.count
    let axes = Set(try given.map { try call.axis($0, rank: rank) })
    guard axes.count == given.count else {
      throw call.error("found axes \(given), one of them twice")
    }
    var rest = x.shape.makeIterator()
    return try builder.reshape(x, (0..<rank).map { axes.contains($0) ? 1 : rest.next() ?? 1 })
  }

  private static func split(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> [LoweredValue?]
  {
    let x = try call.input(0)
    let axis = try call.axis("axis", 0, rank: x.rank)
    var sizes: [Int]
    if call.optional(1) != nil {
      sizes = try call.integers(1, "the sizes", builder)
    } else if let given = try call.ints("split") {
      sizes = given
    } else {
      let parts = try call.int("num_outputs", call.node.outputs.count)
      guard parts > 0, parts <= 1 << 16 else { throw call.error("found \(parts) parts") }
      // The last part is smaller where they cannot be equal.
      let size = (x.shape[axis] + parts - 1) / parts
      sizes = (0..<parts).map { min(size, max(0, x.shape[axis] - $0 * size)) }
    }
    guard sizes.allSatisfy({ (0...x.shape[axis]).contains($0) }),
      sizes.reduce(0, +) == x.shape[axis]
    else { throw call.error("found sizes \(sizes) of an axis of \(x.shape[axis])") }
    return try builder.split(x, axis: axis, sizes)
  }

  private static func slice(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    let starts = try call.integers(1, "the starts", builder)
    let ends = try call.integers(2, "the ends", builder)
    let axes =
      try call.optional(3) == nil
      ? Array(starts.indices) : call.integers(3, "the axes", builder)
    let steps =
      try call.optional(4) == nil
      ? starts.map { _ in 1 } : call.integers(4, "the steps", builder)
    guard ends.count == starts.count, axes.count == starts.count, steps.count == starts.count,
      !steps.contains(0)
    else {
      throw call.error("found starts \(starts), ends \(ends), axes \(axes) and steps \(steps)")
    }
    var positions: [Int: [Int]] = [:]
    for (i, given) in axes.enumerated() {
      let axis = try call.axis(given, rank: x.rank)
      let extent = x.shape[axis]
      func place(_ index: Int) -> Int { index < 0 ? index + extent : index }
      if steps[i] > 0 {
        let first = min(max(place(starts[i]), 0), extent)
        let last = min(max(place(ends[i]), 0), extent)
        positions[axis] = Array(stride(from: first, to: last, by: min(steps[i], extent + 1)))
      } else {
        let first = min(max(place(starts[i]), -1), extent - 1)
        let last = min(max(place(ends[i]), -1), extent - 1)
        positions[axis] = Array(stride(from: first, to: last, by: max(steps[i], -extent - 1)))
      }
    }
    return try builder.take(x, positions)
  }

  private static func pad(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    let pads = try call.integers(1, "the pads", builder)
    let fill =
      try call.optional(2) == nil
      ? 0 : builder.atTheta(call.input(2), "the padding").values.first ?? 0
    let axes =
      try call.optional(3) == nil
      ? Array(0..<x.rank)
      : call.integers(3, "the axes", builder).map { try call.axis($0, rank: x.rank) }
    guard pads.count == 2 * axes.count, pads.allSatisfy({ abs($0) < 1 << 28 }) else {
      throw call.error("found pads \(pads), expected \(2 * axes.count)")
    }
    let mode = try call.string("mode", "constant")
    guard ["constant", "reflect", "edge", "wrap"].contains(mode) else {
      throw call.error("found mode '\(mode)', expected constant, reflect, edge or wrap")
    }
    var shape = x.shape
    for (i, axis) in axes.enumerated() { shape[axis] += pads[i] + pads[i + axes.count] }
    try builder.checkedCount(shape)
    var positions: [Int: [Int]] = [:]
    for (i, axis) in axes.enumerated() {
      let extent = x.shape[axis]
      guard extent > 0 || mode == "constant" else {
        throw call.error("cannot pad an axis without elements by mode '\(mode)'")
      }
      positions[axis] = (-pads[i]..<shape[axis] - pads[i]).map { at in
        switch mode {
        case "edge": return min(max(at, 0), extent - 1)
        case "wrap": return ((at % extent) + extent) % extent
        case "reflect":
          let period = max(1, 2 * (extent - 1))
          let inside = ((at % period) + period) % period
          return inside < extent ? inside : period - inside
        default: return (0..<extent).contains(at) ? at : -1
        }
      }
    }
    return try builder.take(x, positions, fill: fill)
  }

  private static func reverseSequence(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let x = try call.input(0)
    let lengths = try call.integers(1, "the lengths", builder)
    let (time, batch) = (try call.int("time_axis", 0), try call.int("batch_axis", 1))
    guard x.rank >= 2, [time, batch].sorted() == [0, 1], lengths.count == x.shape[batch],
      lengths.allSatisfy({ (0...x.shape[time]).contains($0) })
    else { throw call.error("found lengths \(lengths) for shape \(x.shape)") }
    let rows = (0..<x.shape[0]).flatMap { i in
      (0..<x.shape[1]).map { j -> Int in
        let (t, b) = time == 0 ? (i, j) : (j, i)
        let from = t < lengths[b] ? lengths[b] - 1 - t : t
        return time == 0 ? from * x.shape[1] + b : b * x.shape[1] + from
      }
    }
    let rest = Array(x.shape.dropFirst(2))
    return try builder.reshape(
      builder.take(builder.reshape(x, [x.shape[0] * x.shape[1]] + rest), axis: 0, rows), x.shape)
  }
}
