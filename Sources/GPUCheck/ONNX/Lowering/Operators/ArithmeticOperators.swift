// Sums, products and functions of numbers.

enum ArithmeticOperators {
  static let operators: [OperatorLowering] = [
    .one("Add", "`add`") { try $1.add($0.input(0), $0.input(1)) },
    .one("Sub", "`subtract`") { try $1.subtract($0.input(0), $0.input(1)) },
    .one(
      "Mul", "`multiply`; x·x is `square`, x·sigmoid(x) is `silu`, ½·x·(1 + erf(x/√2)) is `gelu`"
    ) { call, builder in
      try product(call.input(0), call.input(1), builder)
    },
    .one("Div", "`divide`; of integers the whole part, towards 0") { call, builder in
      let quotient = try builder.divide(call.input(0), call.input(1))
      return quotient.elementType.isInteger ? try builder.truncated(quotient) : quotient
    },
    .one("Mod", "`modulo`; with `fmod` x − y·trunc(x / y)", modulo),
    .one(
      "Pow", "`square`, `square-root`, `reciprocal` and products for such exponents, else `power`",
      power),
    .one("Neg", "`multiply` by −1") { try $1.negative($0.input(0)) },
    .element("Abs", .absolute), .element("Sqrt", .squareRoot), .element("Reciprocal", .reciprocal),
    .element("Exp", .exp), .element("Erf", .erf), .element("Sin", .sine), .element("Cos", .cosine),
    .element("Sign", .sign), .element("Floor", .floor), .element("Ceil", .ceiling),
    .element("Round", .round),
    .one("Log", "`log`; of a softmax `log-softmax`") { call, builder in
      let x = try call.input(0)
      if let origin = builder.softmaxed(x), !origin.isLogarithm {
        return try builder.softmax(origin.logits, axis: origin.axis, isLogarithm: true)
      }
      return try builder.element(.log, x)
    },
    .one("Tan", "sin x / cos x") { call, builder in
      let x = try call.input(0)
      return try builder.divide(builder.element(.sine, x), builder.element(.cosine, x))
    },
    .one("Sinh", "(eˣ − e⁻ˣ) / 2") { call, builder in
      let (up, down) = try exponentials(call.input(0), builder)
      return try builder.scale(builder.subtract(up, down), 0.5)
    },
    .one("Cosh", "(eˣ + e⁻ˣ) / 2") { call, builder in
      let (up, down) = try exponentials(call.input(0), builder)
      return try builder.scale(builder.add(up, down), 0.5)
    },
    .one("Asinh", "log(|x| + √(x² + 1)) with the sign of x") { call, builder in
      let x = try call.input(0)
      let root = try builder.element(.squareRoot, builder.add(builder.element(.square, x), 1))
      let size = try builder.element(.log, builder.add(builder.element(.absolute, x), root))
      return try builder.select(
        builder.combine(.greaterOrEqual, x, builder.scalar(0)), size, builder.negative(size))
    },
    .one("Acosh", "log(x + √((x − 1)·(x + 1)))") { call, builder in
      let x = try call.input(0)
      let root = try builder.element(
        .squareRoot, builder.multiply(builder.add(x, -1), builder.add(x, 1)))
      return try builder.element(.log, builder.add(x, root))
    },
    .one("Atanh", "½·log((1 + x) / (1 − x))") { call, builder in
      let x = try call.input(0)
      let ratio = try builder.divide(builder.add(x, 1), builder.complement(x))
      return try builder.scale(builder.element(.log, ratio), 0.5)
    },
    .one("Sum", "`add`, input by input") { try $1.sum($0.allInputs()) },
    .one("Mean", "`add`, input by input, divided by their number") { call, builder in
      try builder.divide(builder.sum(call.allInputs()), Double(call.inputs.count))
    },
    .one("Max", "`maximum`, input by input") { call, builder in
      try fold(call, .maximum, builder)
    },
    .one("Min", "`minimum`, input by input") { call, builder in
      try fold(call, .minimum, builder)
    },
  ]

  private static func exponentials(_ x: LoweredValue, _ builder: GraphBuilder) throws
    -> (LoweredValue, LoweredValue)
  {
    (try builder.element(.exp, x), try builder.element(.exp, builder.negative(x)))
  }

  private static func fold(
    _ call: OperatorCall, _ function: CombineFunction, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    let values = try call.allInputs()
    guard let first = values.first else { throw call.error("found no input") }
    return try values.dropFirst().reduce(first) { try builder.combine(function, $0, $1) }
  }

  /// a·b, which keeps more digits as one function where b is a, or the sigmoid of a.
  private static func product(_ a: LoweredValue, _ b: LoweredValue, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    if case .node(let one) = a.content, case .node(let other) = b.content, one == other,
      a.isTransposed == b.isTransposed
    {
      return try builder.element(.square, a)
    }
    for (x, gate) in [(a, b), (b, a)] where x.shape == gate.shape && !x.isTransposed {
      if case .node(let id) = x.content, let (operation, inputs) = builder.definition(gate),
        operation == .element(.sigmoid), inputs == [id]
      {
        return try builder.element(.silu, x)
      }
    }
    if let gelu = try GELUPattern(builder).match(a, b) { return gelu }
    return try builder.multiply(a, b)
  }

  private static func modulo(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let (a, b) = (try call.input(0), try call.input(1))
    guard try call.flag("fmod") else { return try builder.combine(.modulo, a, b) }
    let whole = try builder.truncated(builder.divide(a, b))
    return try builder.subtract(a, builder.multiply(b, whole))
  }

  private static func power(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let (x, exponent) = (try call.input(0), try call.input(1))
    var y: LoweredValue
    if exponent.count == 1, let value = try builder.tensor(exponent)?.values.first {
      y = try builder.power(x, value)
      if exponent.rank > x.rank {
        y = try builder.reshape(y, Broadcast.aligned(x.shape, rank: exponent.rank))
      }
    } else {
      y = try builder.combine(.power, x, exponent)
    }
    y.elementType = x.elementType
    return x.elementType.isInteger ? try builder.truncated(y) : y
  }
}
