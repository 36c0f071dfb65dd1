// Arithmetic on lowered values.

extension GraphBuilder {
  /// A function of each element.
  func element(_ function: ElementFunction, _ x: LoweredValue, type: ElementType? = nil) throws
    -> LoweredValue
  {
    try apply(.element(function), [x], type: type)
  }

  /// A function of two values, broadcast.
  func combine(
    _ function: CombineFunction, _ a: LoweredValue, _ b: LoweredValue, type: ElementType? = nil
  ) throws -> LoweredValue {
    try apply(.combine(function), [a, b], type: type)
  }

  func add(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue { try combine(.add, a, b) }
  func add(_ a: LoweredValue, _ b: Double) throws -> LoweredValue {
    b == 0 ? a : try combine(.add, a, scalar(b))
  }
  func subtract(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue {
    try combine(.subtract, a, b)
  }
  func multiply(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue {
    try combine(.multiply, a, b)
  }
  /// a·b, a itself where b is 1.
  func scale(_ a: LoweredValue, _ b: Double) throws -> LoweredValue {
    b == 1 ? a : try combine(.multiply, a, scalar(b))
  }
  func divide(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue {
    try combine(.divide, a, b)
  }
  func divide(_ a: LoweredValue, _ b: Double) throws -> LoweredValue {
    b == 1 ? a : try combine(.divide, a, scalar(b))
  }
  func negative(_ a: LoweredValue) throws -> LoweredValue { try scale(a, -1) }
  func maximum(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue {
    try combine(.maximum, a, b)
  }
  func minimum(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue {
    try combine(.minimum, a, b)
  }
  /// a where the condition is not 0, else b.
  func select(_ condition: LoweredValue, _ a: LoweredValue, _ b: LoweredValue) throws
    -> LoweredValue
  {
    try apply(.select, [condition, a, b], type: a.elementType)
  }
  /// 1 − a; the complement of a condition.
  func complement(_ a: LoweredValue) throws -> LoweredValue {
    try combine(.subtract, scalar(1), a, type: a.elementType)
  }
  /// x cut off at bounds, which may be missing.
  func clip(_ x: LoweredValue, _ low: Double?, _ high: Double?) throws -> LoweredValue {
    var x = x
    if let low { x = low == 0 ? try element(.relu, x) : try maximum(x, scalar(low)) }
    if let high { x = try minimum(x, scalar(high)) }
    return x
  }
  /// x to the power of a constant, by what keeps the most digits.
  func power(_ x: LoweredValue, _ exponent: Double) throws -> LoweredValue {
    switch exponent {
    case 0: return try expand(scalar(1, x.elementType), to: x.shape)
    case 1: return x
    case 2: return try element(.square, x)
    case 0.5: return try element(.squareRoot, x)
    case -0.5: return try element(.reciprocal, element(.squareRoot, x))
    case -1: return try element(.reciprocal, x)
    case 3...16 where exponent == exponent.rounded():
      // By squaring: x^n is (x^(n/2))², times x where n is odd.
      let half = try element(.square, power(x, (exponent / 2).rounded(.down)))
      return Int(exponent) % 2 == 0 ? half : try multiply(half, x)
    case -16 ... -2 where exponent == exponent.rounded():
      return try element(.reciprocal, power(x, -exponent))
    default: return try combine(.power, x, scalar(exponent))
    }
  }
  /// The whole part of each element, towards 0.
  func truncated(_ x: LoweredValue, type: ElementType? = nil) throws -> LoweredValue {
    if let tensor = try tensor(x) {
      return constant(x.shape, tensor.values.map { $0.rounded(.towardZero) }, type ?? x.elementType)
    }
    return try combine(
      .multiply, element(.sign, x), element(.floor, element(.absolute, x)),
      type: type ?? x.elementType)
  }

  /// A sum of several values.
  func sum(_ terms: [LoweredValue]) throws -> LoweredValue {
    guard let first = terms.first else { return scalar(0) }
    return try terms.dropFirst().reduce(first) { try add($0, $1) }
  }

  /// A·B as NumPy's matmul: vectors are rows or columns, stacks are broadcast. Pending
  /// transpositions are left to the product.
  func matrixProduct(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue {
    guard a.rank > 0, b.rank > 0 else {
      throw InputError(
        "a matrix product of shapes \(a.shape) and \(b.shape), expected vectors, matrices or stacks",
        tensor: name)
    }
    var (left, right) = (a, b)
    if a.rank == 1 { left = try reshape(a, [1] + a.shape) }
    if b.rank == 1 { right = try reshape(b, b.shape + [1]) }
    let stacks = [left, right].map { Array($0.shape.dropLast(2)) }
    let isSingle = stacks.map { $0.allSatisfy { $0 == 1 } }
    let stack = try InputError.about(tensor: name) { try Broadcast.shape(stacks) }
    if stacks[0] != stacks[1], !isSingle[0], !isSingle[1] {
      left = try expand(left, to: stack + left.shape.suffix(2))
      right = try expand(right, to: stack + right.shape.suffix(2))
    }
    let form = MatrixProductForm(
      transposeA: left.isTransposed, transposeB: right.isTransposed)
    let product = try apply(.matrixProduct(form), [left.stored, right.stored])
    guard a.rank == 1 || b.rank == 1 else { return product }
    return try reshape(
      product,
      stack + (a.rank == 1 ? [] : [left.shape[left.rank - 2]])
        + (b.rank == 1 ? [] : [right.shape[right.rank - 1]]))
  }

  /// Softmax or log softmax over any axis.
  func softmax(_ x: LoweredValue, axis: Int, isLogarithm: Bool = false) throws -> LoweredValue {
    if x.rank == 0 { return scalar(isLogarithm ? 0 : 1, x.elementType) }
    let moved = try movedToEnd(x, axis)
    let y = try movedFromEnd(
      apply(isLogarithm ? .logSoftmax : .softmax, [moved]), axis)
    remember(y, as: Softmaxed(logits: x, axis: axis, isLogarithm: isLogarithm))
    return y
  }
}

extension LoweredValue {
  /// The value as it is stored, its pending transposition forgotten.
  fileprivate var stored: LoweredValue {
    guard isTransposed else { return self }
    var value = self
    value.isTransposed = false
    value.shape.swapAt(rank - 1, rank - 2)
    return value
  }
}
