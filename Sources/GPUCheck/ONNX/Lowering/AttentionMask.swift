/// What is added to the scores of attention `[batch, heads, queries, keys]`: 0 or −∞, and a float
/// mask.
struct AttentionMask {
  /// Nil where nothing is.
  let bias: LoweredValue?
  /// 0 for the queries that may look at nothing, whose result is 0 instead of NaN, else 1; nil where
  /// there are none.
  let liveRows: LoweredValue?

  init(_ call: OperatorCall, _ builder: GraphBuilder, queries: Int, keys: Int, past: Int) throws {
    var parts: [LoweredValue] = []
    if var mask = call.optional(3) {
      let isBoolean = mask.elementType == .bool
      let missing = keys - (mask.shape.last ?? keys)
      if missing > 0 {
        mask = try builder.take(
          mask, axis: mask.rank - 1,
          Array(0..<keys - missing) + [Int](repeating: -1, count: missing),
          fill: isBoolean ? 0 : -.infinity)
      }
      parts.append(
        isBoolean
          ? try builder.select(mask, builder.scalar(0, .float32), builder.scalar(-.infinity))
          : mask)
    }
    let lengths = try call.optional(6).map {
      try builder.atTheta($0, "the number of keys").values.map(Int.init(clamping:))
    }
    let isCausal = try call.flag("is_causal")
    let left = try call.int("left_window_size", -1)
    let right = try call.int("right_window_size", -1)
    if isCausal || left >= 0 || right >= 0 || lengths != nil {
      // How many keys stand before the first query.
      let offsets =
        lengths.map { call.optional(4) == nil ? $0.map { $0 - queries } : [past] } ?? [past]
      let samples = max(offsets.count, lengths?.count ?? 1)
      try builder.checkedCount([samples, queries, keys])
      var values: [Double] = []
      for sample in 0..<samples {
        let offset = offsets[offsets.count == 1 ? 0 : sample]
        for query in 0..<queries {
          for key in 0..<keys {
            let ahead = key - query - offset
            let isHidden =
              (isCausal && ahead > 0) || (left >= 0 && -ahead > left)
              || (right >= 0 && ahead > right)
              || (lengths.map { key >= $0[sample] } ?? false)
            values.append(isHidden ? -.infinity : 0)
          }
        }
      }
      parts.append(builder.constant([samples, 1, queries, keys], values, .float32))
    }
    guard !parts.isEmpty else {
      (bias, liveRows) = (nil, nil)
      return
    }
    let sum = try builder.sum(parts)
    let values = try builder.currentTensor(sum).values
    let isDead = stride(from: 0, to: values.count, by: max(1, keys)).map { first in
      values[first..<first + keys].allSatisfy { $0 == -.infinity }
    }
    guard isDead.contains(true) else {
      (bias, liveRows) = (sum, nil)
      return
    }
    let live = builder.constant(
      Array(sum.shape.dropLast()) + [1], isDead.map { $0 ? 0 : 1 }, .bool)
    bias = try builder.select(live, sum, builder.scalar(0)).typed(sum.elementType)
    liveRows = live
  }
}
