// Softmax and its kin.

enum SoftmaxOperators {
  static let operators: [OperatorLowering] = [
    .one("Softmax", "`softmax`") { try softmax($0, $1, isLogarithm: false) },
    .one("LogSoftmax", "`log-softmax`") { try softmax($0, $1, isLogarithm: true) },
    .one("Hardmax", "one at the place of the largest element; a branch") { call, builder in
      let x = try call.input(0)
      let axis = try call.axis("axis", call.opset < 13 ? 1 : -1, rank: x.rank)
      // Before opset 13 all axes from this one on count as one.
      let shape =
        call.opset < 13
        ? [x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *)] : x.shape
      let along = call.opset < 13 ? 1 : axis
      let flat = try builder.reshape(x, shape)
      let at = try IndexingOperators.positionsOfLargest(flat, axis: along, last: false, builder)
      return try builder.reshape(
        IndexingOperators.oneHot(at, depth: shape[along], axis: along, builder).typed(
          x.elementType),
        x.shape)
    },
  ]

  private static func softmax(_ call: OperatorCall, _ builder: GraphBuilder, isLogarithm: Bool)
    throws -> LoweredValue
  {
    let x = try call.input(0)
    if call.opset >= 13 {
      let axis = try call.axis("axis", -1, rank: x.rank)
      return try builder.softmax(x, axis: axis, isLogarithm: isLogarithm)
    }
    // Before opset 13 all axes from this one on count as one.
    let axis = try call.axis("axis", 1, rank: x.rank)
    let outer = x.shape[..<axis].reduce(1, *)
    if axis == x.rank - 1 { return try builder.softmax(x, axis: axis, isLogarithm: isLogarithm) }
    let flat = try builder.reshape(x, [outer, x.shape[axis...].reduce(1, *)])
    return try builder.reshape(
      builder.softmax(flat, axis: 1, isLogarithm: isLogarithm), x.shape)
  }
}
