// Resizing: along each axis every element is a weighted sum of neighbours.

enum ResizeOperators {
  static let operators: [OperatorLowering] = [
    .one("Resize", "`gather-sum` with weights, axis by axis", resize),
    .one("CenterCropPad", "`gather-sum`") { call, builder in
      let x = try call.input(0)
      let wanted = try call.integers(1, "the shape", builder)
      let axes =
        try call.ints("axes").map { try $0.map { try call.axis($0, rank: x.rank) } }
        ?? Array(0..<x.rank)
      guard axes.count == wanted.count else {
        throw call.error("found \(wanted.count) extents for \(axes.count) axes")
      }
      try builder.checkedCount(wanted)
      var positions: [Int: [Int]] = [:]
      for (axis, extent) in zip(axes, wanted) {
        let own = x.shape[axis]
        // Cropping begins at the floor of half the difference, and so does padding.
        let shift = own >= extent ? (own - extent) / 2 : -((extent - own) / 2)
        positions[axis] = (0..<extent).map {
          (0..<own).contains($0 + shift) ? $0 + shift : -1
        }
      }
      return try builder.take(x, positions)
    },
  ]

  private static func resize(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let x = try call.input(0)
    func numbers(_ index: Int, _ meaning: String) throws -> [Double]? {
      guard let value = call.optional(index), value.count > 0 else { return nil }
      return try builder.atTheta(value, meaning).values
    }
    let axes =
      try call.ints("axes").map { try $0.map { try call.axis($0, rank: x.rank) } }
      ?? Array(0..<x.rank)
    let roi = try numbers(1, "the region")
    var scales = try numbers(2, "the scales")
    let sizes = try numbers(3, "the sizes")
    guard (scales ?? sizes)?.count == axes.count, roi?.count ?? 2 * axes.count == 2 * axes.count,
      (scales ?? sizes)?.allSatisfy({ $0 > 0 && $0 < 0x1p28 }) ?? false,
      axes.allSatisfy({ x.shape[$0] > 0 })
    else {
      throw call.error(
        "found scales \(scales ?? []) and sizes \(sizes ?? []), expected one of them for "
          + "\(axes.count) axes")
    }
    var extents = sizes.map { $0.map(Int.init(clamping:)) } ?? []
    if let sizes {
      scales = zip(sizes, axes).map { $0 / Double(x.shape[$1]) }
      let policy = try call.string("keep_aspect_ratio_policy", "stretch")
      if policy != "stretch", let all = scales,
        let one = policy == "not_larger" ? all.min() : all.max()
      {
        scales = axes.map { _ in one }
        extents = axes.map { Int(clamping: (one * Double(x.shape[$0]) + 0.5).rounded(.down)) }
      }
    } else if let scales {
      extents = zip(scales, axes).map { Int(clamping: ($0 * Double(x.shape[$1])).rounded(.down)) }
    }
    try builder.checkedCount(extents)
    var y = x
    for (number, axis) in axes.enumerated() {
      var axisResize = try AxisResize(call)
      axisResize.input = x.shape[axis]
      axisResize.output = extents[number]
      axisResize.scale = scales?[number] ?? 1
      axisResize.region = roi.map { ($0[number], $0[number + axes.count]) } ?? (0, 1)
      guard !axisResize.isIdentity else { continue }
      y = try builder.apply(.gather(axisResize.map(y.shape, axis: axis), .sum), [y])
    }
    return y
  }
}
