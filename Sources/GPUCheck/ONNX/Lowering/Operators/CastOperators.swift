// Changes of type.

enum CastOperators {
  static let operators: [OperatorLowering] = [
    .one("Cast", "its input; to integers and booleans a branch; constants are rounded") {
      call, builder in
      guard let number = try call.int("to") else { throw call.error("found no attribute 'to'") }
      return try cast(call.input(0), type(number, call), builder)
    },
    .one("CastLike", "its input; to integers and booleans a branch; constants are rounded") {
      call, builder in
      try cast(call.input(0), call.input(1).elementType, builder)
    },
  ]

  /// The type that a number of ONNX stands for.
  static func type(_ number: Int, _ call: OperatorCall) throws -> ElementType {
    try InputError.about(tensor: call.label) {
      try ONNXElementTypes.type(Int32(clamping: number))
    }
  }

  private static func cast(_ x: LoweredValue, _ type: ElementType, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    if x.elementType == type { return x }
    if type == .bool { return try builder.element(.isNonZero, x, type: .bool) }
    if type.isInteger {
      return x.elementType.isInteger ? x.typed(type) : try builder.truncated(x, type: type)
    }
    guard let tensor = try builder.tensor(x) else {
      if x.elementType.isFloatingPoint, type.unitRoundoff > x.elementType.unitRoundoff {
        builder.warn(
          "\(builder.name): values are not rounded to \(type.rawValue), as the model does: "
            + "rounding has no gradient")
      }
      return x.typed(type)
    }
    return builder.constant(x.shape, tensor.values.map { $0.rounded(to: type) }, type)
  }
}

extension Double {
  /// The nearest number of a type.
  fileprivate func rounded(to type: ElementType) -> Double {
    switch type {
    case .float32: Double(Float(self))
    case .float16: rounded(bits: 11, least: -14, largest: 65504)
    case .bfloat16:
      rounded(bits: 8, least: -126, largest: Double(Float(bitPattern: 0x7F7F_0000)))
    default: self
    }
  }

  /// The nearest number of a significand of so many bits, ties to even; `least` is the exponent
  /// below which it has fewer.
  private func rounded(bits: Int, least: Int, largest: Double) -> Double {
    guard isFinite, self != 0 else { return self }
    let spacing = Double(
      sign: .plus, exponent: Swift.max(Int(exponent), least) - bits + 1, significand: 1)
    let nearest = (self / spacing).rounded(.toNearestOrEven) * spacing
    return abs(nearest) > largest ? (self < 0 ? -.infinity : .infinity) : nearest
  }
}
