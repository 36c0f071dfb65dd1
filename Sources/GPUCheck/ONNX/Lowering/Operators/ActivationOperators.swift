// Activation functions.

enum ActivationOperators {
  static let operators: [OperatorLowering] = [
    .element("Relu", .relu), .element("Tanh", .tanh), .element("Sigmoid", .sigmoid),
    .element("Softplus", .softplus),
    .one("LeakyRelu", "`leaky-relu`") { call, builder in
      try builder.element(.leakyRelu(slope: call.float("alpha", 0.01)), call.input(0))
    },
    .one("PRelu", "`relu` and slope·`minimum` with 0") { call, builder in
      let (x, slope) = (try call.input(0), try call.input(1))
      return try builder.add(
        builder.element(.relu, x),
        builder.multiply(slope, builder.minimum(x, builder.scalar(0, x.elementType))))
    },
    .one("Elu", "`elu`") { call, builder in
      try builder.element(.elu(alpha: call.float("alpha", 1)), call.input(0))
    },
    .one("Selu", "`selu`, or γ·`elu` where γ and α are others") { call, builder in
      let (alpha, gamma) = (try call.float("alpha"), try call.float("gamma"))
      let isUsual =
        abs((alpha ?? ElementFunction.seluAlpha) - ElementFunction.seluAlpha) < 1e-6
        && abs((gamma ?? ElementFunction.seluScale) - ElementFunction.seluScale) < 1e-6
      if isUsual { return try builder.element(.selu, call.input(0)) }
      return try builder.scale(
        builder.element(.elu(alpha: alpha ?? ElementFunction.seluAlpha), call.input(0)),
        gamma ?? ElementFunction.seluScale)
    },
    .one("Celu", "α·`elu` of x / α") { call, builder in
      let alpha = try call.float("alpha", 1)
      return try builder.scale(
        builder.element(.elu(alpha: 1), builder.divide(call.input(0), alpha)), alpha)
    },
    .one("Gelu", "`gelu` or `gelu-tanh`") { call, builder in
      try builder.element(
        call.string("approximate", "none") == "tanh" ? .geluTanh : .gelu, call.input(0))
    },
    .one("HardSigmoid", "α·x + β between 0 and 1") { call, builder in
      try hardSigmoid(
        call.input(0), alpha: call.float("alpha", 0.2), beta: call.float("beta", 0.5), builder)
    },
    .one("HardSwish", "x times x / 6 + ½ between 0 and 1") { call, builder in
      let x = try call.input(0)
      return try builder.multiply(
        x, builder.clip(builder.add(builder.divide(x, 6), 0.5), 0, 1))
    },
    .one("Softsign", "x / (1 + |x|)") { call, builder in
      let x = try call.input(0)
      return try builder.divide(x, builder.add(builder.element(.absolute, x), 1))
    },
    .one("Mish", "x·tanh(softplus(x))") { call, builder in
      let x = try call.input(0)
      return try builder.multiply(x, builder.element(.tanh, builder.element(.softplus, x)))
    },
    .one("Swish", "`silu`, or x·sigmoid(α·x)") { call, builder in
      let (x, alpha) = (try call.input(0), try call.float("alpha", 1))
      if alpha == 1 { return try builder.element(.silu, x) }
      return try builder.multiply(x, builder.element(.sigmoid, builder.scale(x, alpha)))
    },
    .one("SwiGLU", "`silu` of A, or A·sigmoid(α·A), times B") { call, builder in
      let (a, alpha) = (try call.input(0), try call.float("alpha", 1))
      let gate =
        try alpha == 1
        ? builder.element(.silu, a)
        : builder.multiply(a, builder.element(.sigmoid, builder.scale(a, alpha)))
      return try builder.multiply(gate, call.input(1))
    },
    .one("ThresholdedRelu", "`select`: x above α, else 0") { call, builder in
      let x = try call.input(0)
      return try builder.select(
        builder.combine(.greater, x, builder.scalar(call.float("alpha", 1)), type: .bool), x,
        builder.scalar(0))
    },
    .one("Shrink", "`select`: x + bias below −λ, x − bias above λ, else 0") { call, builder in
      let x = try call.input(0)
      let (bias, lambda) = (try call.float("bias", 0), try call.float("lambd", 0.5))
      let above = try builder.combine(.greater, x, builder.scalar(lambda), type: .bool)
      let below = try builder.combine(.greater, builder.scalar(-lambda), x, type: .bool)
      return try builder.select(
        above, builder.add(x, -bias),
        builder.select(below, builder.add(x, bias), builder.scalar(0)))
    },
    .one("Clip", "`maximum` and `minimum`", clip),
  ]

  /// α·x + β cut off at 0 and 1.
  static func hardSigmoid(
    _ x: LoweredValue, alpha: Double, beta: Double, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    try builder.clip(builder.add(builder.scale(x, alpha), beta), 0, 1)
  }

  private static func clip(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    var x = try call.input(0)
    let type = x.elementType
    if let low = call.optional(1) {
      let isZero = try builder.tensor(low)?.values == [0]
      x = isZero ? try builder.element(.relu, x) : try builder.maximum(x, low)
    }
    if let high = call.optional(2) { x = try builder.minimum(x, high) }
    return x.typed(type)
  }
}
