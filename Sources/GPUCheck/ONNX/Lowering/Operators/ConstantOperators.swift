// What is known from shapes and attributes alone.
import RealModule

enum ConstantOperators {
  static let operators: [OperatorLowering] = [
    .one("Constant", "a constant", except: "numbers only", constant),
    .one("ConstantOfShape", "a constant") { call, builder in
      let shape = try call.integers(0, "the shape", builder)
      let value = try call.tensor("value")
      return builder.constant(
        shape,
        [Double](
          repeating: value?.values.first ?? 0, count: try builder.checkedCount(shape)),
        value?.elementType ?? .float32)
    },
    .one("Shape", "a constant") { call, builder in
      let shape = try call.input(0).shape
      func place(_ index: Int) -> Int {
        min(max(index < 0 ? index + shape.count : index, 0), shape.count)
      }
      let start = place(try call.int("start", 0))
      let end = place(try call.int("end", shape.count))
      return builder.integers(Array(shape[start..<max(start, end)]))
    },
    .one("Size", "a constant") { call, builder in
      builder.scalar(Double(try call.input(0).count), .int64)
    },
    .one("Range", "a constant") { call, builder in
      let values = try (0..<3).map {
        try builder.atTheta(call.input($0), "a bound").values.first ?? .nan
      }
      let steps = ((values[1] - values[0]) / values[2]).rounded(.up)
      let count = try builder.checkedCount([steps.isFinite ? max(0, Int(clamping: steps)) : -1])
      return builder.constant(
        [count], (0..<count).map { values[0] + Double($0) * values[2] },
        try call.input(0).elementType)
    },
    .one("EyeLike", "a constant") { call, builder in
      let x = try call.input(0)
      guard x.rank == 2 else { throw call.error("found shape \(x.shape), expected a matrix") }
      let shift = try call.int("k", 0)
      let values = (0..<x.shape[0]).flatMap { row in
        (0..<x.shape[1]).map { $0 - row == shift ? 1.0 : 0 }
      }
      let type = try call.int("dtype").map { try CastOperators.type($0, call) }
      return builder.constant(x.shape, values, type ?? x.elementType)
    },
    .one("HannWindow", "a constant") { try window($0, $1, [0.5, 0.5]) },
    .one("HammingWindow", "a constant") { try window($0, $1, [25.0 / 46, 21.0 / 46]) },
    .one("BlackmanWindow", "a constant") { try window($0, $1, [0.42, 0.5, 0.08]) },
    .outputs("Dropout", "its input", except: "training with a ratio above 0", dropout),
  ]

  private static func constant(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    if let tensor = try call.tensor("value") { return LoweredValue(tensor) }
    if let value = try call.float("value_float") { return builder.scalar(value, .float32) }
    if let value = try call.int("value_int") { return builder.scalar(Double(value), .int64) }
    if let values = try call.floats("value_floats") {
      return builder.constant([values.count], values, .float32)
    }
    if let values = try call.ints("value_ints") { return builder.integers(values) }
    throw call.error("found no number for its value; strings and sparse tensors are not read")
  }

  /// A window of signal processing by its cosines.
  private static func window(
    _ call: OperatorCall, _ builder: GraphBuilder, _ weights: [Double]
  ) throws -> LoweredValue {
    let size = try call.integers(0, "the size", builder).first ?? 0
    let period = try call.flag("periodic", true) ? size : size - 1
    let values = (0..<(try builder.checkedCount([size]))).map { at in
      weights.enumerated().reduce(0.0) { sum, term in
        let angle = 2 * Double.pi * Double(term.offset * at) / Double(period)
        return sum + (term.offset % 2 == 0 ? 1 : -1) * term.element * Double.cos(angle)
      }
    }
    return builder.constant([size], values, .float32)
  }

  private static func dropout(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> [LoweredValue?]
  {
    let x = try call.input(0)
    let isTraining =
      try call.optional(2).map {
        try builder.atTheta($0, "the training mode").values.first ?? 0 != 0
      } ?? false
    let ratio =
      try call.optional(1).map { try builder.atTheta($0, "the ratio").values.first ?? 0 }
      ?? call.float("ratio", 0.5)
    guard !isTraining || ratio == 0 else {
      throw call.error(
        "dropout at a ratio of \(ratio) in training draws random numbers, so J is no function of θ",
        remedy: "export in evaluation mode, or multiply by a mask that is an input of the model")
    }
    let mask = try builder.expand(builder.scalar(1, .bool), to: x.shape)
    return [x, mask]
  }
}
