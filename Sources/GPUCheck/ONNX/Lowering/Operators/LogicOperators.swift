// Comparisons, conditions and what depends on them. Of values that depend on θ they are branches.

enum LogicOperators {
  static let operators: [OperatorLowering] = [
    .one("Greater", "`greater`") { try compare(.greater, $0.input(0), $0.input(1), $1) },
    .one("Less", "`greater`, the other way round") {
      try compare(.greater, $0.input(1), $0.input(0), $1)
    },
    .one("GreaterOrEqual", "`greaterOrEqual`") {
      try compare(.greaterOrEqual, $0.input(0), $0.input(1), $1)
    },
    .one("LessOrEqual", "`greaterOrEqual`, the other way round") {
      try compare(.greaterOrEqual, $0.input(1), $0.input(0), $1)
    },
    .one("Equal", "`equal`") { try compare(.equal, $0.input(0), $0.input(1), $1) },
    .one("And", "`multiply`") { try compare(.multiply, $0.input(0), $0.input(1), $1) },
    .one("Or", "`maximum`") { try compare(.maximum, $0.input(0), $0.input(1), $1) },
    .one("Xor", "1 − `equal`") {
      try $1.complement(compare(.equal, $0.input(0), $0.input(1), $1))
    },
    .one("Not", "1 − x") { try $1.complement($0.input(0)) },
    .one("IsNaN", "x is not equal to x") { call, builder in
      let x = try call.input(0)
      return try builder.complement(compare(.equal, x, x, builder))
    },
    .one("IsInf", "x is equal to ±∞", isInfinite),
    .one("Where", "`select`") { try $1.select($0.input(0), $0.input(1), $0.input(2)) },
    .one("BitwiseAnd", "computed", except: onlyConstants) { try bits($0, $1, &) },
    .one("BitwiseOr", "computed", except: onlyConstants) { try bits($0, $1, |) },
    .one("BitwiseXor", "computed", except: onlyConstants) { try bits($0, $1, ^) },
    .one("BitwiseNot", "computed", except: onlyConstants) { call, builder in
      let x = try call.input(0)
      if x.elementType == .bool { return try builder.complement(x) }
      let all = Double(x.elementType.largestUnsigned)
      return try builder.combine(.subtract, builder.scalar(all), x, type: x.elementType)
    },
  ]

  private static let onlyConstants = "integers that depend on θ are taken for constant"

  private static func compare(
    _ function: CombineFunction, _ a: LoweredValue, _ b: LoweredValue, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    try builder.combine(function, a, b, type: .bool)
  }

  private static func isInfinite(_ call: OperatorCall, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    let x = try call.input(0)
    let signs = try [("detect_positive", Double.infinity), ("detect_negative", -Double.infinity)]
      .filter { try call.flag($0.0, true) }
    guard
      var result = try signs.first.map({
        try compare(.equal, x, builder.scalar($0.1), builder)
      })
    else {
      return try builder.expand(builder.scalar(0, .bool), to: x.shape)
    }
    if signs.count > 1 {
      result = try compare(
        .maximum, result, compare(.equal, x, builder.scalar(-.infinity), builder), builder)
    }
    return result
  }

  private static func bits(
    _ call: OperatorCall, _ builder: GraphBuilder, _ function: (Int, Int) -> Int
  ) throws -> LoweredValue {
    let (a, b) = (
      try builder.atTheta(call.input(0), "an operand"),
      try builder.atTheta(call.input(1), "an operand")
    )
    let shape = try Broadcast.shape([a.shape, b.shape])
    let values = zip(
      Broadcast.values(a.values, of: a.shape, in: shape),
      Broadcast.values(b.values, of: b.shape, in: shape)
    ).map { Double(function(Int(clamping: $0), Int(clamping: $1))) }
    return builder.constant(shape, values, a.elementType)
  }
}

extension ElementType {
  /// The number whose bits are all ones, where the type is unsigned; −1 where it is not.
  fileprivate var largestUnsigned: Int {
    switch self {
    case .uint8: 0xFF
    case .uint16: 0xFFFF
    case .uint32: 0xFFFF_FFFF
    default: -1
    }
  }
}
