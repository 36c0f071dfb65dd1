// Convolutions and their transposes.

enum ConvolutionOperators {
  static let operators: [OperatorLowering] = [
    .one("Conv", "`convolution`, `add`", except: "1 to 3 spatial axes", convolution),
    .one(
      "ConvTranspose", "zeros put between the elements, then `convolution` with W flipped",
      except: "1 to 3 spatial axes", transposed),
  ]

  private static func convolution(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let (x, w) = (try call.input(0), try call.input(1))
    let input = try spatial(x, w, call)
    let window = try SpatialWindow(
      call, kernel: call.ints("kernel_shape") ?? Array(w.shape.dropFirst(2)), over: input)
    guard window.kernel == Array(w.shape.dropFirst(2)) else {
      throw call.error("found kernel_shape \(window.kernel) for W \(w.shape)")
    }
    var form = window.form
    form.groups = try groups(call)
    return try biased(builder.apply(.convolution(form), [x, w]), call, builder)
  }

  private static func groups(_ call: OperatorCall) throws -> Int {
    let groups = try call.int("group", 1)
    guard groups > 0 else { throw call.error("found \(groups) groups") }
    return groups
  }

  /// x's spatial extents.
  private static func spatial(_ x: LoweredValue, _ w: LoweredValue, _ call: OperatorCall) throws
    -> [Int]
  {
    guard (3...5).contains(x.rank), w.rank == x.rank else {
      throw call.error(
        "found x \(x.shape) and W \(w.shape), expected one to three spatial axes in both")
    }
    return Array(x.shape.dropFirst(2))
  }

  private static func biased(_ y: LoweredValue, _ call: OperatorCall, _ builder: GraphBuilder)
    throws -> LoweredValue
  {
    guard let bias = call.optional(2) else { return y }
    return try builder.add(y, builder.perChannel(bias, rank: y.rank))
  }

  /// y[o, p] = Σ W[c, o, t]·x[c, q] over all q, t with q·stride + t·dilation − before = p: a
  /// convolution of x with zeros between its elements and W turned round.
  private static func transposed(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let (x, w) = (try call.input(0), try call.input(1))
    let input = try spatial(x, w, call)
    let groups = try groups(call)
    let kernel = Array(w.shape.dropFirst(2))
    let window = try SpatialWindow(call, kernel: kernel, axes: input.count)
    guard x.shape[1] == w.shape[0], w.shape[0] % groups == 0 else {
      throw call.error(
        "found W \(w.shape) for x \(x.shape) in \(groups) groups, expected [in, out / groups, …]")
    }
    let extra = try call.ints("output_padding") ?? [Int](repeating: 0, count: input.count)
    guard extra.count == input.count, extra.allSatisfy({ (0..<(1 << 24)).contains($0) }) else {
      throw call.error("found output_padding \(extra), expected \(input.count) numbers")
    }
    let padding = try transposedPadding(call, window, input: input, extra: extra)
    var spread: [Int: [Int]] = [:]
    for axis in input.indices where window.strides[axis] > 1 {
      let stride = window.strides[axis]
      spread[axis + 2] = (0..<(input[axis] - 1) * stride + 1).map {
        $0 % stride == 0 ? $0 / stride : -1
      }
    }
    // [in, out / groups, …] to [out, in / groups, …], turned round along every spatial axis.
    let (depth, perGroup) = (w.shape[0] / groups, w.shape[1])
    let spatialAxes = Array(3..<3 + kernel.count)
    var turned = try builder.reshape(w, [groups, depth, perGroup] + kernel)
    turned = try builder.permuted(turned, [0, 2, 1] + spatialAxes)
    turned = try builder.reshape(turned, [groups * perGroup, depth] + kernel)
    var reversed: [Int: [Int]] = [:]
    for (axis, extent) in kernel.enumerated() where extent > 1 {
      reversed[axis + 2] = (0..<extent).reversed()
    }
    turned = try builder.take(turned, reversed)
    let form = ConvolutionForm(
      strides: input.map { _ in 1 }, dilations: window.dilations,
      padding: input.indices.map { axis in
        let reach = window.reach(axis) - 1
        return (reach - padding[axis].before, reach - padding[axis].after + extra[axis])
      }, groups: groups)
    return try biased(
      builder.apply(.convolution(form), [builder.take(x, spread), turned]), call, builder)
  }

  /// The padding that a transposed convolution takes away.
  private static func transposedPadding(
    _ call: OperatorCall, _ window: SpatialWindow, input: [Int], extra: [Int]
  ) throws -> [(before: Int, after: Int)] {
    let mode = try call.string("auto_pad", "NOTSET")
    let isSame = mode == "SAME_UPPER" || mode == "SAME_LOWER"
    var wanted = try call.ints("output_shape")
    if wanted == nil, isSame { wanted = zip(input, window.strides).map { $0 * $1 } }
    guard let shape = wanted?.suffix(input.count) else {
      return mode == "VALID"
        ? window.padding : try SpatialWindow.explicit(call, axes: input.count)
    }
    guard shape.count == input.count, shape.allSatisfy({ (1..<(1 << 24)).contains($0) }) else {
      throw call.error("found output_shape \(Array(shape)), expected \(input.count) extents")
    }
    return zip(input.indices, shape).map { axis, extent in
      let total =
        window.strides[axis] * (input[axis] - 1) + extra[axis] + window.reach(axis) - extent
      // An output larger than what the window makes has zeros at its end.
      return total < 0 ? (0, total) : SpatialWindow.halves(total, upper: mode == "SAME_UPPER")
    }
  }
}

extension GraphBuilder {
  /// A vector with a number for each channel, to broadcast over `[batch, channels, …]`.
  func perChannel(_ x: LoweredValue, rank: Int) throws -> LoweredValue {
    try reshape(x, [x.count] + [Int](repeating: 1, count: max(0, rank - 2)))
  }
}
