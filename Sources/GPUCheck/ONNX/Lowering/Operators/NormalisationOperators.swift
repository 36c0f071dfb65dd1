// Normalisations: statistics by sums, squares and roots.

enum NormalisationOperators {
  static let operators: [OperatorLowering] = [
    .outputs("BatchNormalization", "(x − mean) / √(variance + ε) · scale + B", batch),
    .outputs("LayerNormalization", "(x − mean) / √(variance + ε) · scale + B", layer),
    .one("RMSNormalization", "x / √(mean square + ε) · scale") { call, builder in
      let x = try call.input(0)
      let axis = try call.axis("axis", -1, rank: x.rank)
      let square = try builder.mean(
        builder.element(.square, x), axes: Array(axis..<x.rank), keep: true)
      let y = try builder.divide(
        x, builder.element(.squareRoot, builder.add(square, call.float("epsilon", 1e-5))))
      return try builder.multiply(y, call.input(1))
    },
    .one("InstanceNormalization", "(x − mean) / √(variance + ε) · scale + B") { call, builder in
      let x = try call.input(0)
      let y = try builder.standardised(
        x, axes: Array(2..<max(2, x.rank)), epsilon: call.float("epsilon", 1e-5)
      ).value
      return try scaled(y, call.input(1), call.input(2), builder)
    },
    .one("GroupNormalization", "(x − mean) / √(variance + ε) · scale + B", group),
    .one("LpNormalization", "x / ‖x‖", power),
    .one("MeanVarianceNormalization", "(x − mean) / (√variance + 1e-9)") { call, builder in
      let x = try call.input(0)
      let axes = try (call.ints("axes") ?? [0, 2, 3]).map { try call.axis($0, rank: x.rank) }
      let centred = try builder.subtract(x, builder.mean(x, axes: axes, keep: true))
      let variance = try builder.mean(builder.element(.square, centred), axes: axes, keep: true)
      return try builder.divide(
        centred, builder.add(builder.element(.squareRoot, variance), 1e-9))
    },
    .one("LRN", "x / (bias + α/size · sum of neighbouring channels' squares)^β", response),
  ]

  private static func scaled(
    _ y: LoweredValue, _ scale: LoweredValue, _ bias: LoweredValue?, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    let product = try builder.multiply(y, builder.perChannel(scale, rank: y.rank))
    guard let bias else { return product }
    return try builder.add(product, builder.perChannel(bias, rank: y.rank))
  }

  private static func batch(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> [LoweredValue?]
  {
    let x = try call.input(0)
    let epsilon = try call.float("epsilon", 1e-5)
    guard x.rank >= 2 else {
      throw call.error("found shape \(x.shape), expected [batch, channels, …]")
    }
    let (mean, variance) = (try call.input(3), try call.input(4))
    if try call.flag("training_mode") {
      let axes = [0] + (2..<x.rank)
      let own = try builder.standardised(x, axes: axes, epsilon: epsilon)
      let momentum = try call.float("momentum", 0.9)
      func running(_ before: LoweredValue, _ now: LoweredValue) throws -> LoweredValue {
        try builder.add(
          builder.scale(before, momentum),
          builder.scale(builder.reshape(now, before.shape), 1 - momentum))
      }
      return [
        try scaled(own.value, call.input(1), call.input(2), builder),
        call.wants(1) ? try running(mean, own.mean) : nil,
        call.wants(2) ? try running(variance, own.variance) : nil,
      ]
    }
    if call.opset < 14, call.wants(1) {
      throw call.error(
        "training mode of opset \(call.opset)", remedy: "export with opset_version 14 or newer")
    }
    let centred = try builder.subtract(x, builder.perChannel(mean, rank: x.rank))
    let deviation = try builder.element(.squareRoot, builder.add(variance, epsilon))
    let y = try builder.divide(centred, builder.perChannel(deviation, rank: x.rank))
    return [try scaled(y, call.input(1), call.input(2), builder)]
  }

  private static func layer(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> [LoweredValue?]
  {
    let x = try call.input(0)
    let axis = try call.axis("axis", -1, rank: x.rank)
    let own = try builder.standardised(
      x, axes: Array(axis..<x.rank), epsilon: call.float("epsilon", 1e-5))
    var y = try builder.multiply(own.value, call.input(1))
    if let bias = call.optional(2) { y = try builder.add(y, bias) }
    return [y, own.mean, own.inverse]
  }

  private static func group(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    let (scale, bias) = (try call.input(1), try call.input(2))
    guard x.rank >= 2, let groups = try call.int("num_groups"), groups > 0,
      x.shape[1] % groups == 0
    else { throw call.error("found shape \(x.shape), expected channels in num_groups groups") }
    let split = [x.shape[0], groups, x.shape[1] / groups] + x.shape.dropFirst(2)
    var y = try builder.standardised(
      builder.reshape(x, split), axes: Array(2..<split.count),
      epsilon: call.float("epsilon", 1e-5)
    ).value
    // Until opset 20 there is a scale for each group, then one for each channel.
    if scale.count == groups, groups != x.shape[1] {
      y = try scaled(y, scale, bias, builder)
      return try builder.reshape(y, x.shape)
    }
    return try scaled(builder.reshape(y, x.shape), scale, bias, builder)
  }

  private static func power(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    let axis = try call.axis("axis", -1, rank: x.rank)
    let norm = try PoolingOperators.norm(x, Double(call.int("p", 2)), builder) {
      try builder.sum($0, axes: [axis], keep: true)
    }
    // Where all is 0 the result is 0, not 0 / 0.
    let isZero = try builder.combine(.equal, norm, builder.scalar(0), type: .bool)
    return try builder.divide(
      x, builder.select(isZero, builder.scalar(1), norm))
  }

  private static func response(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let x = try call.input(0)
    guard x.rank >= 2, let size = try call.int("size"), (1...(1 << 16)).contains(size) else {
      throw call.error("found shape \(x.shape) or no size, expected [batch, channels, …]")
    }
    let channels = x.shape[1]
    var starts: [Int32] = [0]
    var sources: [Int32] = []
    for channel in 0..<channels {
      let first = max(0, channel - (size - 1) / 2)
      let last = min(channels - 1, channel + size / 2)
      sources += (first...last).map(Int32.init)
      starts.append(Int32(sources.count))
    }
    let map = GatherMap(
      outputShape: x.shape, columns: channels, inner: x.shape.dropFirst(2).reduce(1, *),
      starts: starts, sources: sources)
    let sum = try builder.apply(.gather(map, .sum), [builder.element(.square, x)])
    let base = try builder.add(
      builder.scale(sum, call.float("alpha", 0.0001) / Double(size)), call.float("bias", 1))
    return try builder.divide(x, builder.power(base, call.float("beta", 0.75)))
  }
}
