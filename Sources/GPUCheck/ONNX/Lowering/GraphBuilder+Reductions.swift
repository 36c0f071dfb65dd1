// Sums, maxima and the like over axes.

extension GraphBuilder {
  /// Elements along some axes put together; they stay as axes of one element or go.
  func reduce(_ x: LoweredValue, _ reduction: Reduction, axes: [Int], keep: Bool) throws
    -> LoweredValue
  {
    let isReduced = (0..<x.rank).map { axes.contains($0) }
    let shape = zip(x.shape, isReduced).compactMap { $1 ? (keep ? 1 : nil) : $0 }
    if x.count == 0 {
      return constant(
        shape, [Double](repeating: reduction.ofNothing, count: shape.reduce(1, *)), x.elementType)
    }
    var y = x
    var last = x.rank
    // Neighbouring axes at once, from the last on: `[outer, columns, inner]`.
    while last > 0 {
      guard isReduced[last - 1] else {
        last -= 1
        continue
      }
      var first = last - 1
      while first > 0, isReduced[first - 1] { first -= 1 }
      let inner = (last..<x.rank).reduce(1) { $0 * (isReduced[$1] ? 1 : x.shape[$1]) }
      y = try reduceColumns(
        y, reduction, columns: x.shape[first..<last].reduce(1, *), inner: inner)
      last = first
    }
    return try reshape(y, shape)
  }

  /// `[outer, columns, inner]` to `[outer, inner]`, by steps where there are very many columns.
  private func reduceColumns(
    _ x: LoweredValue, _ reduction: Reduction, columns: Int, inner: Int
  ) throws -> LoweredValue {
    guard columns > 1 else { return x }
    let step = Self.step(columns)
    let rest = x.count / (columns * inner) * (columns / step)
    let map = GatherMap(
      outputShape: [rest, inner], columns: step, inner: inner, starts: [0, Int32(step)],
      sources: Array(0..<Int32(step)))
    return try reduceColumns(
      apply(.gather(map, reduction), [x]), reduction, columns: columns / step, inner: inner)
  }

  /// How many columns are put together at once: all, or of very many the largest divisor that is
  /// few enough.
  private static func step(_ columns: Int) -> Int {
    let most = 1 << 16
    guard columns > most else { return columns }
    return stride(from: most, to: 1, by: -1).first { columns % $0 == 0 } ?? columns
  }

  func sum(_ x: LoweredValue, axes: [Int], keep: Bool) throws -> LoweredValue {
    try reduce(x, .sum, axes: axes, keep: keep)
  }

  func mean(_ x: LoweredValue, axes: [Int], keep: Bool) throws -> LoweredValue {
    let count = Set(axes).reduce(1) { $0 * x.shape[$1] }
    return try divide(sum(x, axes: axes, keep: keep), Double(count))
  }

  /// (x − mean)·1/√(variance + ε) over axes; what every normalisation is made of.
  func standardised(_ x: LoweredValue, axes: [Int], epsilon: Double) throws
    -> (value: LoweredValue, mean: LoweredValue, variance: LoweredValue, inverse: LoweredValue)
  {
    let mean = try mean(x, axes: axes, keep: true)
    let centred = try subtract(x, mean)
    let variance = try self.mean(element(.square, centred), axes: axes, keep: true)
    let deviation = try element(.squareRoot, add(variance, epsilon))
    return (
      try divide(centred, deviation), mean, variance, try element(.reciprocal, deviation)
    )
  }
}

extension Reduction {
  /// What it makes of no element.
  fileprivate var ofNothing: Double {
    switch self {
    case .sum: 0
    case .product: 1
    case .maximum, .logSumExp: -.infinity
    }
  }
}
