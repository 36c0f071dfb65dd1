// Elements by index. Indices are constants: those that depend on θ are branches.

enum IndexingOperators {
  static let operators: [OperatorLowering] = [
    .one("Gather", "`gather-sum`", gather),
    .one("GatherElements", "`gather-sum`", gatherElements),
    .one("GatherND", "`gather-sum`", gatherND),
    .one("ScatterElements", "`gather` of the input and the updates behind it", scatterElements),
    .one("Scatter", "`gather` of the input and the updates behind it", scatterElements),
    .one("ScatterND", "`gather` of the input and the updates behind it", scatterND),
    .one("Compress", "`gather-sum`; the condition is a branch", compress),
    .one("OneHot", "`select` of the two values", oneHot),
    .one("ArgMax", "a constant: the places at θ") { call, builder in
      try extreme(call, builder) { $0 }
    },
    .one("ArgMin", "a constant: the places at θ") { call, builder in
      try extreme(call, builder) { try builder.negative($0) }
    },
    .outputs("TopK", "`gather-sum` of the places at θ", topK),
    .one("NonZero", "a constant: the places at θ") { call, builder in
      let x = try builder.atTheta(call.input(0), "which elements are not 0")
      let places = x.values.indices.filter { x.values[$0] != 0 }.map { x.index(ofFlat: $0) }
      let rank = max(1, x.shape.count)
      return builder.constant(
        [rank, places.count],
        (0..<rank).flatMap { axis in places.map { axis < $0.count ? Double($0[axis]) : 0 } }, .int64
      )
    },
  ]

  /// Indices of an axis counted from 0; throws for one beyond it.
  private static func checked(_ indices: [Int], extent: Int, _ call: OperatorCall) throws -> [Int] {
    try indices.map { index in
      guard (-extent..<extent).contains(index) else {
        throw call.error(
          "index \(index) of an axis of \(extent) elements",
          remedy: "correct the indices in the batch, or the model")
      }
      return index < 0 ? index + extent : index
    }
  }

  private static func gather(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    let axis = try call.axis("axis", 0, rank: x.rank)
    let indices = try call.input(1)
    let places = try checked(
      call.integers(1, "the indices", builder), extent: x.shape[axis], call)
    let shape = Array(x.shape[..<axis]) + indices.shape + Array(x.shape[(axis + 1)...])
    try builder.checkedCount(shape)
    return try builder.reshape(builder.take(x, axis: axis, places), shape)
  }

  private static func gatherElements(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let x = try call.input(0)
    let axis = try call.axis("axis", 0, rank: x.rank)
    let indices = try call.input(1)
    guard indices.rank == x.rank,
      x.shape.indices.allSatisfy({ $0 == axis || indices.shape[$0] <= x.shape[$0] })
    else { throw call.error("found indices of shape \(indices.shape) for shape \(x.shape)") }
    let at = try checked(call.integers(1, "the indices", builder), extent: x.shape[axis], call)
    let places = elementPlaces(at, indices.shape, axis: axis, in: x.shape)
    return try builder.reshape(
      builder.take(builder.reshape(x, [x.count]), axis: 0, places), indices.shape)
  }

  /// The flat place in a shape of every index along an axis.
  private static func elementPlaces(_ at: [Int], _ shape: [Int], axis: Int, in whole: [Int])
    -> [Int]
  {
    let strides = GraphBuilder.strides(whole)
    return at.indices.map { flat in
      var position = unravel(flat, shape: shape)
      position[axis] = at[flat]
      return zip(position, strides).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }

  private static func gatherND(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let (x, indices) = (try call.input(0), try call.input(1))
    let batch = try call.int("batch_dims", 0)
    guard let depth = indices.shape.last, batch >= 0, batch < indices.rank, depth + batch <= x.rank,
      x.shape.prefix(batch) == indices.shape.prefix(batch)
    else { throw call.error("found indices of shape \(indices.shape) for shape \(x.shape)") }
    let at = try call.integers(1, "the indices", builder)
    let indexed = Array(x.shape[batch..<batch + depth])
    let perBatch = indices.shape[batch...].dropLast().reduce(1, *)
    let places = try places(at, indexed, call).enumerated().map { row, place in
      row / max(1, perBatch) * indexed.reduce(1, *) + place
    }
    let rest = Array(x.shape[(batch + depth)...])
    let flat = try builder.reshape(x, [x.shape[..<(batch + depth)].reduce(1, *)] + rest)
    return try builder.reshape(
      builder.take(flat, axis: 0, places), Array(indices.shape.dropLast()) + rest)
  }

  /// The flat places of index tuples, one behind the other.
  private static func places(_ at: [Int], _ shape: [Int], _ call: OperatorCall) throws -> [Int] {
    guard !shape.isEmpty else { return [] }
    return try stride(from: 0, to: at.count, by: shape.count).map { first in
      try shape.indices.reduce(0) { place, axis in
        try place * shape[axis] + checked([at[first + axis]], extent: shape[axis], call)[0]
      }
    }
  }

  // MARK: Scattering

  private static func scatterElements(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let (x, indices, updates) = (try call.input(0), try call.input(1), try call.input(2))
    let axis = try call.axis("axis", 0, rank: x.rank)
    guard indices.rank == x.rank, indices.shape == updates.shape,
      x.shape.indices.allSatisfy({ $0 == axis || indices.shape[$0] <= x.shape[$0] })
    else {
      throw call.error(
        "found indices of shape \(indices.shape) and updates of shape \(updates.shape) for shape "
          + "\(x.shape)")
    }
    let at = try checked(call.integers(1, "the indices", builder), extent: x.shape[axis], call)
    return try scatter(
      x, updates, at: elementPlaces(at, indices.shape, axis: axis, in: x.shape), inner: 1, call,
      builder)
  }

  private static func scatterND(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let (x, indices, updates) = (try call.input(0), try call.input(1), try call.input(2))
    guard let depth = indices.shape.last, depth <= x.rank, depth > 0,
      updates.shape == indices.shape.dropLast() + x.shape.dropFirst(depth)
    else {
      throw call.error(
        "found indices of shape \(indices.shape) and updates of shape \(updates.shape) for shape "
          + "\(x.shape)")
    }
    let at = try places(
      call.integers(1, "the indices", builder), Array(x.shape.prefix(depth)), call)
    return try scatter(
      x, updates, at: at, inner: x.shape.dropFirst(depth).reduce(1, *), call, builder)
  }

  /// Rows of x, `[rows, inner]`, replaced by updates or put together with them.
  private static func scatter(
    _ x: LoweredValue, _ updates: LoweredValue, at places: [Int], inner: Int, _ call: OperatorCall,
    _ builder: GraphBuilder
  ) throws -> LoweredValue {
    guard x.count > 0, updates.count > 0 else { return x }
    let rows = x.count / inner
    let mode = try call.string("reduction", "none")
    var added: [Int: [Int32]] = [:]
    for (update, place) in places.enumerated() {
      if mode == "none" { added[place] = [] }
      added[place, default: []].append(Int32(rows + update))
    }
    var starts: [Int32] = [0]
    var sources: [Int32] = []
    starts.reserveCapacity(rows + 1)
    for row in 0..<rows {
      if let updates = added[row] {
        sources += (mode == "none" ? [] : [Int32(row)]) + updates
      } else {
        sources.append(Int32(row))
      }
      starts.append(Int32(sources.count))
    }
    var both = try builder.concatenate(
      [
        builder.reshape(x, [rows, inner]),
        builder.reshape(updates, [places.count, inner]),
      ], axis: 0)
    let reductions: [String: Reduction] = [
      "none": .sum, "add": .sum, "mul": .product, "max": .maximum, "min": .maximum,
    ]
    guard let reduction = reductions[mode] else {
      throw call.error("found reduction '\(mode)', expected none, add, mul, max or min")
    }
    if mode == "min" { both = try builder.negative(both) }
    let y = try builder.apply(
      .gather(
        GatherMap(
          outputShape: x.shape, columns: rows + places.count, inner: inner, starts: starts,
          sources: sources), reduction), [both])
    return mode == "min" ? try builder.negative(y) : y
  }

  private static func compress(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    var x = try call.input(0)
    let condition = try builder.atTheta(call.input(1), "the condition").values
    var axis = 0
    if try call.int("axis") == nil {
      x = try builder.reshape(x, [x.count])
    } else {
      axis = try call.axis("axis", 0, rank: x.rank)
    }
    return try builder.take(
      x, axis: axis, condition.indices.filter { condition[$0] != 0 && $0 < x.shape[axis] })
  }

  // MARK: Places

  /// For every line along an axis the place of its largest element, as the axis's only position.
  static func positionsOfLargest(
    _ x: LoweredValue, axis: Int, last: Bool, _ builder: GraphBuilder
  ) throws -> Tensor {
    let values = try builder.atTheta(x, "the place of the largest element").values
    let (count, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
    var shape = x.shape
    shape[axis] = 1
    guard count > 0 else { return Tensor(shape: shape, values: [], elementType: .int64) }
    let places = (0..<shape.reduce(1, *)).map { line in
      let first = line / inner * count * inner + line % inner
      var best = 0
      for position in 1..<max(1, count) {
        let (own, most) = (values[first + position * inner], values[first + best * inner])
        if own > most || (last && own == most) { best = position }
      }
      return Double(best)
    }
    return Tensor(shape: shape, values: places, elementType: .int64)
  }

  private static func extreme(
    _ call: OperatorCall, _ builder: GraphBuilder,
    _ sign: (LoweredValue) throws -> LoweredValue
  ) throws -> LoweredValue {
    let x = try call.input(0)
    let axis = try call.axis("axis", 0, rank: x.rank)
    let places = try LoweredValue(
      positionsOfLargest(sign(x), axis: axis, last: call.flag("select_last_index"), builder))
    guard try !call.flag("keepdims", true) else { return places }
    var shape = x.shape
    shape.remove(at: axis)
    return try builder.reshape(places, shape)
  }

  private static func topK(_ call: OperatorCall, _ builder: GraphBuilder) throws -> [LoweredValue?]
  {
    let x = try call.input(0)
    let axis = try call.axis("axis", -1, rank: x.rank)
    let k = try call.integers(1, "k", builder).first ?? 0
    guard (0...x.shape[axis]).contains(k) else {
      throw call.error("k = \(k) of an axis of \(x.shape[axis]) elements")
    }
    let isLargest = try call.flag("largest", true)
    let values = try builder.atTheta(x, "the order of elements").values
    let (count, inner) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
    var shape = x.shape
    shape[axis] = k
    var places = [Int](repeating: 0, count: shape.reduce(1, *))
    var positions = places.map(Double.init)
    for line in 0..<(count == 0 ? 0 : x.count / count) {
      let (outer, offset) = (line / inner, line % inner)
      func value(_ position: Int) -> Double { values[(outer * count + position) * inner + offset] }
      let order = (0..<count).sorted { a, b in
        value(a) == value(b) ? a < b : isLargest ? value(a) > value(b) : value(a) < value(b)
      }
      for rank in 0..<k {
        let to = (outer * k + rank) * inner + offset
        places[to] = (outer * count + order[rank]) * inner + offset
        positions[to] = Double(order[rank])
      }
    }
    return [
      try builder.reshape(builder.take(builder.reshape(x, [x.count]), axis: 0, places), shape),
      builder.constant(shape, positions, .int64),
    ]
  }

  // MARK: One-hot

  /// Ones at the places of labels along a new or one-element axis.
  static func oneHot(_ labels: Tensor, depth: Int, axis: Int, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    var shape = labels.shape
    shape[axis] = depth
    let inner = shape[(axis + 1)...].reduce(1, *)
    var values = [Double](repeating: 0, count: try builder.checkedCount(shape))
    for (line, label) in labels.values.enumerated() {
      let given = Int(clamping: label)
      let place = given < 0 ? given + depth : given
      guard (0..<depth).contains(place) else { continue }
      values[(line / inner * depth + place) * inner + line % inner] = 1
    }
    return builder.constant(shape, values, .bool)
  }

  private static func oneHot(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let labels = try builder.atTheta(call.input(0), "the indices")
    let depth = try call.integers(1, "the depth", builder).first ?? 0
    let values = try builder.reshape(call.input(2), [2])
    let axis = try call.axis("axis", -1, rank: labels.shape.count + 1)
    var shape = labels.shape
    shape.insert(1, at: axis)
    let mask = try oneHot(
      Tensor(shape: shape, values: labels.values), depth: depth, axis: axis, builder)
    let parts = try builder.split(values, axis: 0, [1, 1])
    return try builder.select(
      mask, builder.reshape(parts[1], []), builder.reshape(parts[0], []))
  }
}
