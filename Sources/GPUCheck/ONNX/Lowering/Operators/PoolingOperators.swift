// Pooling: each element of the output is made of those under a window.

enum PoolingOperators {
  static let operators: [OperatorLowering] = [
    .outputs("MaxPool", "`gather-maximum`; the indices are branches", maximum),
    .one("AveragePool", "`gather-sum` with weights", average),
    .one("LpPool", "|x|ᵖ, `gather-sum`, the p-th root", power),
    .one("GlobalAveragePool", "sum over the spatial axes, divided by their size") {
      try $1.mean($0.input(0), axes: spatialAxes($0), keep: true)
    },
    .one("GlobalMaxPool", "`gather-maximum` over the spatial axes") {
      try $1.reduce($0.input(0), .maximum, axes: spatialAxes($0), keep: true)
    },
    .one("GlobalLpPool", "|x|ᵖ, sum over the spatial axes, the p-th root") { call, builder in
      let p = Double(try call.int("p", 2))
      return try norm(call.input(0), p, builder) {
        try builder.sum($0, axes: spatialAxes(call), keep: true)
      }
    },
    .one("MaxUnpool", "elements put to their indices, zeros elsewhere", unpool),
  ]

  private static func spatialAxes(_ call: OperatorCall) throws -> [Int] {
    let x = try call.input(0)
    guard x.rank > 2 else { throw call.error("found shape \(x.shape), expected spatial axes") }
    return Array(2..<x.rank)
  }

  private static func window(_ call: OperatorCall) throws -> (SpatialWindow, input: [Int]) {
    let input = Array(try call.input(0).shape.dropFirst(2))
    guard let kernel = try call.ints("kernel_shape"), !input.isEmpty else {
      throw call.error("found shape \(try call.input(0).shape) or no kernel_shape")
    }
    return (try SpatialWindow(call, kernel: kernel, over: input), input)
  }

  private static func pooled(
    _ x: LoweredValue, _ window: SpatialWindow, _ input: [Int], _ reduction: Reduction,
    weights: ((_ position: Int, _ taps: Int) -> Double)? = nil, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    let rows = window.elements(of: input)
    var starts: [Int32] = [0]
    for row in rows { starts.append(starts[starts.count - 1] + Int32(row.count)) }
    let map = GatherMap(
      outputShape: x.shape.prefix(2) + window.output, columns: input.reduce(1, *), inner: 1,
      starts: starts, sources: rows.flatMap { $0 },
      weights: weights.map { weight in
        rows.enumerated().flatMap { position, row in
          [Double](repeating: weight(position, row.count), count: row.count)
        }
      })
    return try builder.apply(.gather(map, reduction), [x])
  }

  private static func maximum(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> [LoweredValue?]
  {
    let x = try call.input(0)
    let (window, input) = try window(call)
    let y = try pooled(x, window, input, .maximum, builder)
    guard call.wants(1) else { return [y] }
    // The place of each maximum, counted through the whole input.
    let values = try builder.atTheta(x, "the place of a maximum").values
    let size = input.reduce(1, *)
    let rows = window.elements(of: input)
    let isColumnMajor = try call.flag("storage_order")
    var indices: [Double] = []
    for plane in 0..<x.shape.prefix(2).reduce(1, *) {
      for row in rows {
        var best = row.first.map(Int.init) ?? 0
        for element in row where values[plane * size + Int(element)] > values[plane * size + best] {
          best = Int(element)
        }
        if isColumnMajor {
          let index = unravel(best, shape: input)
          best = zip(index, input).reversed().reduce(0) { $0 * $1.1 + $1.0 }
        }
        indices.append(Double(plane * size + best))
      }
    }
    return [y, builder.constant(y.shape, indices, .int64)]
  }

  private static func average(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue
  {
    let (window, input) = try window(call)
    let counts =
      try call.flag("count_include_pad") ? window.paddedCounts(of: input) : nil
    return try pooled(
      call.input(0), window, input, .sum,
      weights: { position, taps in 1 / (counts?[position] ?? Double(taps)) }, builder)
  }

  private static func power(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let (window, input) = try window(call)
    return try norm(call.input(0), Double(call.int("p", 2)), builder) {
      try pooled($0, window, input, .sum, builder)
    }
  }

  /// The p-th root of the sum of |x|ᵖ.
  static func norm(
    _ x: LoweredValue, _ p: Double, _ builder: GraphBuilder,
    sum: (LoweredValue) throws -> LoweredValue
  ) throws -> LoweredValue {
    switch p {
    case 1: try sum(builder.element(.absolute, x))
    case 2: try builder.element(.squareRoot, sum(builder.element(.square, x)))
    default:
      try builder.power(sum(builder.power(builder.element(.absolute, x), p)), 1 / p)
    }
  }

  private static func unpool(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    let indices = try call.integers(1, "the indices", builder)
    let window = try SpatialWindow(
      call, kernel: call.ints("kernel_shape") ?? [], axes: max(0, x.rank - 2))
    let padding = try SpatialWindow.explicit(call, axes: window.kernel.count)
    let usual =
      Array(x.shape.prefix(2))
      + window.kernel.indices.map {
        (x.shape[$0 + 2] - 1) * window.strides[$0] + window.kernel[$0] - padding[$0].before
          - padding[$0].after
      }
    let shape =
      call.optional(2) == nil ? usual : try call.integers(2, "the output's shape", builder)
    // The indices count through an output of the usual shape.
    let count = try builder.checkedCount(shape)
    var positions = [Int](repeating: -1, count: count)
    for (element, index) in indices.enumerated() {
      let place =
        shape == usual
        ? index
        : zip(unravel(index, shape: usual), shape).reduce(0) {
          $0 * $1.1 + $1.0
        }
      guard positions.indices.contains(place) else {
        throw call.error("index \(index) is beyond an output of shape \(shape)")
      }
      positions[place] = element
    }
    return try builder.reshape(
      builder.take(builder.reshape(x, [x.count]), axis: 0, positions), shape)
  }
}
