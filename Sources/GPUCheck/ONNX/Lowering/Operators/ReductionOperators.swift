// Sums, means, extremes and norms over axes.

enum ReductionOperators {
  static let operators: [OperatorLowering] = [
    reduction("ReduceSum", "`gather-sum`") { try $2.sum($0, axes: $1, keep: true) },
    reduction("ReduceMean", "`gather-sum`, divided by the number") {
      try $2.mean($0, axes: $1, keep: true)
    },
    reduction("ReduceMax", "`gather-maximum`") {
      try $2.reduce($0, .maximum, axes: $1, keep: true)
    },
    reduction("ReduceMin", "−`gather-maximum` of −x") {
      try $2.negative($2.reduce($2.negative($0), .maximum, axes: $1, keep: true))
    },
    reduction("ReduceProd", "`gather-product`") {
      try $2.reduce($0, .product, axes: $1, keep: true)
    },
    reduction("ReduceL1", "|x|, `gather-sum`") {
      try $2.sum($2.element(.absolute, $0), axes: $1, keep: true)
    },
    reduction("ReduceL2", "x², `gather-sum`, √") {
      try $2.element(.squareRoot, $2.sum($2.element(.square, $0), axes: $1, keep: true))
    },
    reduction("ReduceLogSum", "`gather-sum`, log") {
      try $2.element(.log, $2.sum($0, axes: $1, keep: true))
    },
    reduction("ReduceLogSumExp", "`gather-logSumExp`") {
      try $2.reduce($0, .logSumExp, axes: $1, keep: true)
    },
    reduction("ReduceSumSquare", "x², `gather-sum`") {
      try $2.sum($2.element(.square, $0), axes: $1, keep: true)
    },
    .one("CumSum", "`gather-sum` of what comes before") { call, builder in
      try running(call, builder, .sum)
    },
    .one("CumProd", "`gather-product` of what comes before") { call, builder in
      try running(call, builder, .product)
    },
  ]

  /// A reduction over the axes of an attribute or, since opset 13 or 18, of an input.
  private static func reduction(
    _ name: String, _ summary: String,
    _ reduce: @escaping @Sendable (LoweredValue, [Int], GraphBuilder) throws -> LoweredValue
  ) -> OperatorLowering {
    .one(name, summary) { call, builder in
      let x = try call.input(0)
      let given = try call.axes(input: 1, rank: x.rank, builder) ?? []
      let isNothing = try given.isEmpty && call.flag("noop_with_empty_axes")
      let axes = given.isEmpty && !isNothing ? Array(0..<x.rank) : given
      let y = try reduce(x, axes, builder)
      guard try !call.flag("keepdims", true) else { return y.typed(x.elementType) }
      return try builder.reshape(
        y, x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] }
      )
      .typed(x.elementType)
    }
  }

  private static func running(
    _ call: OperatorCall, _ builder: GraphBuilder, _ reduction: Reduction
  ) throws -> LoweredValue {
    let x = try call.input(0)
    let given = try call.integers(1, "the axis", builder)
    guard let first = given.first, x.rank > 0 else { throw call.error("found no axis") }
    let axis = try call.axis(first, rank: x.rank)
    let count = x.shape[axis]
    guard count <= 1 << 13 else {
      throw call.error("an axis of \(count) elements, expected at most \(1 << 13)")
    }
    let (isExclusive, isReversed) = (try call.flag("exclusive"), try call.flag("reverse"))
    var starts: [Int32] = [0]
    var sources: [Int32] = []
    for row in 0..<count {
      let range =
        isReversed
        ? (row + (isExclusive ? 1 : 0))..<count : 0..<(row + (isExclusive ? 0 : 1))
      sources += range.map(Int32.init)
      starts.append(Int32(sources.count))
    }
    let map = GatherMap(
      outputShape: x.shape, columns: count, inner: x.shape[(axis + 1)...].reduce(1, *),
      starts: starts, sources: sources)
    return try builder.apply(.gather(map, reduction), [x])
  }
}
