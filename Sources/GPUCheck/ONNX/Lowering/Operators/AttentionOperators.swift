// Attention as one operator (since opset 23), and rotary embeddings.

enum AttentionOperators {
  static let operators: [OperatorLowering] = [
    .outputs("Attention", "`matrix-product`, `add`, `softmax`, `matrix-product`", attention),
    .one("RotaryEmbedding", "cos·x₁ − sin·x₂ and sin·x₁ + cos·x₂", rotary),
  ]

  private static func attention(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> [LoweredValue?]
  {
    let isFlat = try call.input(0).rank == 3
    let query = try heads(call, 0, "q_num_heads", builder)
    var key = try heads(call, 1, "kv_num_heads", builder)
    var value = try heads(call, 2, "kv_num_heads", builder)
    var past = 0
    if let before = call.optional(4) {
      past = before.shape.count == 4 ? before.shape[2] : 0
      key = try builder.concatenate([before, key], axis: 2)
      value = try builder.concatenate([try call.input(5), value], axis: 2)
    }
    let (presentKey, presentValue) = (key, value)
    guard query.rank == 4, key.rank == 4, value.rank == 4, key.shape[1] > 0,
      query.shape[1] % key.shape[1] == 0
    else {
      throw call.error("found Q, K and V of shapes \(query.shape), \(key.shape), \(value.shape)")
    }
    let repeats = query.shape[1] / key.shape[1]
    if repeats > 1 {
      // Neighbouring heads of the queries share one of the keys and values.
      let positions = (0..<query.shape[1]).map { $0 / repeats }
      key = try builder.take(key, axis: 1, positions)
      value = try builder.take(value, axis: 1, positions)
    }
    let scale = try call.float("scale") ?? 1 / Double(query.shape[3]).squareRoot()
    var scores = try builder.scale(
      builder.matrixProduct(query, builder.permuted(key, [0, 1, 3, 2])), scale)
    var stages = [scores]
    let cap = try call.float("softcap", 0)
    if cap > 0 {
      scores = try builder.scale(builder.element(.tanh, builder.divide(scores, cap)), cap)
    }
    stages.append(scores)
    let mask = try AttentionMask(
      call, builder, queries: query.shape[2], keys: key.shape[2], past: past)
    if let bias = mask.bias { scores = try builder.add(scores, bias) }
    stages.append(scores)
    var weights = try builder.softmax(scores, axis: 3)
    if let rows = mask.liveRows { weights = try builder.multiply(weights, rows) }
    stages.append(weights)
    var y = try builder.matrixProduct(weights, value)
    if isFlat {
      y = try builder.permuted(y, [0, 2, 1, 3])
      y = try builder.reshape(y, [y.shape[0], y.shape[1], y.shape[2] * y.shape[3]])
    }
    let mode = try call.int("qk_matmul_output_mode", 0)
    return [
      y, presentKey, presentValue, stages.indices.contains(mode) ? stages[mode] : nil,
    ]
  }

  /// An input as `[batch, heads, steps, size]`.
  private static func heads(
    _ call: OperatorCall, _ index: Int, _ attribute: String, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    let x = try call.input(index)
    guard x.rank == 3 else { return x }
    guard let heads = try call.int(attribute), heads > 0, x.shape[2] % heads == 0 else {
      throw call.error("found shape \(x.shape), expected heads of \(attribute)")
    }
    let split = try builder.reshape(x, [x.shape[0], x.shape[1], heads, x.shape[2] / heads])
    return try builder.materialised(builder.permuted(split, [0, 2, 1, 3]))
  }

  // MARK: Rotary embeddings

  private static func rotary(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    // [batch, steps, heads, size].
    var y: LoweredValue
    if x.rank == 4 {
      y = try builder.materialised(builder.permuted(x, [0, 2, 1, 3]))
    } else {
      guard x.rank == 3, let heads = try call.int("num_heads"), heads > 0, x.shape[2] % heads == 0
      else { throw call.error("found shape \(x.shape), expected heads of num_heads") }
      y = try builder.reshape(x, [x.shape[0], x.shape[1], heads, x.shape[2] / heads])
    }
    let size = y.shape[3]
    let given = try call.int("rotary_embedding_dim", 0)
    let rotated = given == 0 ? size : given
    guard rotated <= size, rotated % 2 == 0, rotated > 0 else {
      throw call.error("cannot rotate \(rotated) of \(size) elements")
    }
    let half = rotated / 2
    func angles(_ index: Int) throws -> LoweredValue {
      var table = try call.input(index)
      if call.optional(3) != nil {
        let positions = try call.integers(3, "the positions", builder)
        guard table.rank == 2, positions.allSatisfy({ (0..<table.shape[0]).contains($0) }) else {
          throw call.error("a position is beyond a table of shape \(table.shape)")
        }
        table = try builder.take(table, axis: 0, positions)
      }
      return try builder.reshape(table, [y.shape[0], y.shape[1], 1, half])
    }
    let (cosine, sine) = (try angles(1), try angles(2))
    let isInterleaved = try call.flag("interleaved")
    func part(_ number: Int) throws -> LoweredValue {
      try builder.take(
        y, axis: 3, (0..<half).map { isInterleaved ? 2 * $0 + number : number * half + $0 })
    }
    let (first, second) = (try part(0), try part(1))
    let real = try builder.subtract(
      builder.multiply(cosine, first), builder.multiply(sine, second))
    let imaginary = try builder.add(
      builder.multiply(sine, first), builder.multiply(cosine, second))
    var turned: LoweredValue
    if isInterleaved {
      turned = try builder.reshape(
        builder.stack([real, imaginary], axis: 4), Array(y.shape.dropLast()) + [rotated])
    } else {
      turned = try builder.concatenate([real, imaginary], axis: 3)
    }
    if rotated < size {
      turned = try builder.concatenate(
        [turned, builder.slice(y, axis: 3, rotated..<size)], axis: 3)
    }
    return x.rank == 4
      ? try builder.permuted(turned, [0, 2, 1, 3]) : try builder.reshape(turned, x.shape)
  }
}
