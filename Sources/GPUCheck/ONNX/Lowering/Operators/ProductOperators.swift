import Foundation

// Products of matrices and tensors.

enum ProductOperators {
  static let operators: [OperatorLowering] = [
    .one("MatMul", "`matrix-product`") { try $1.matrixProduct($0.input(0), $0.input(1)) },
    .one("Gemm", "`matrix-product`, `add`", gemm),
    .one("Einsum", "`matrix-product` of two operands at a time", einsum),
  ]

  private static func gemm(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    var (a, b) = (try call.input(0), try call.input(1))
    guard a.rank == 2, b.rank == 2 else {
      throw call.error("found shapes \(a.shape) and \(b.shape), expected two matrices")
    }
    if try call.flag("transA") { a = try builder.permuted(a, [1, 0]) }
    if try call.flag("transB") { b = try builder.permuted(b, [1, 0]) }
    let product = try builder.scale(builder.matrixProduct(a, b), call.float("alpha", 1))
    guard let bias = call.optional(2) else { return product }
    let beta = try call.float("beta", 1)
    return beta == 0 ? product : try builder.add(product, builder.scale(bias, beta))
  }

  // MARK: Einstein's sums

  private static func einsum(_ call: OperatorCall, _ builder: GraphBuilder) throws -> LoweredValue {
    let equation = try call.string("equation").filter { !$0.isWhitespace }
    let sides = equation.components(separatedBy: "->")
    let values = try call.allInputs()
    let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard terms.count == values.count, sides.count <= 2 else {
      throw call.error(
        "the equation '\(equation)' is for \(terms.count) operands, found \(values.count)")
    }
    var labels = try zip(terms, values).map { try Self.labels($0, rank: $1.rank, call) }
    let wanted: [EinsumLabel]
    if sides.count == 2 {
      let dots = labels.flatMap { $0 }.compactMap { if case .dots(let n) = $0 { n } else { nil } }
      wanted = try Self.labels(
        sides[1], rank: sides[1].filter { $0 != "." }.count + (dots.max() ?? 0), call)
    } else {
      // Without a right side: what the dots stand for, then letters that appear once, in order.
      let flat = labels.flatMap { $0 }
      let dots = Set(flat.filter { if case .dots = $0 { true } else { false } })
      let letters = flat.filter { label in
        if case .letter = label { flat.count { $0 == label } == 1 } else { false }
      }
      wanted = dots.sorted() + letters.sorted()
    }
    var operands = try zip(values, labels.indices).map { value, index in
      try diagonal(value, &labels[index], builder)
    }
    // What no other operand and not the result has is summed at once; two at a time are multiplied.
    while operands.count > 1 {
      let rest = Set(labels.dropFirst(2).flatMap { $0 } + wanted)
      let (value, left) = try contract(
        operands[0], labels[0], operands[1], labels[1], keeping: rest, builder, call)
      operands.replaceSubrange(0..<2, with: [value])
      labels.replaceSubrange(0..<2, with: [left])
    }
    guard let result = operands.first else { throw call.error("found no operand") }
    let summed = labels[0].indices.filter { !wanted.contains(labels[0][$0]) }
    let value = try builder.sum(result, axes: summed, keep: false)
    let left = labels[0].filter { wanted.contains($0) }
    let order = try wanted.map { label in
      guard let at = left.firstIndex(of: label) else {
        throw call.error("the equation '\(equation)' wants an index that no operand has")
      }
      return at
    }
    return try builder.permuted(value, order)
  }

  /// The labels of an operand's axes.
  private static func labels(_ term: String, rank: Int, _ call: OperatorCall) throws
    -> [EinsumLabel]
  {
    let letters = term.filter { $0 != "." }
    let dots = rank - letters.count
    let parts = term.components(separatedBy: "...")
    guard parts.count <= 2, dots >= 0, parts.count == 2 || dots == 0, !parts.contains("."),
      letters.allSatisfy({ $0.isLetter })
    else {
      throw call.error("'\(term)' does not name the axes of a value of \(rank) axes")
    }
    guard parts.count == 2 else { return letters.map { .letter($0) } }
    // Dots are counted from the last of them, as broadcasting does.
    return parts[0].map { .letter($0) } + (0..<dots).map { .dots(dots - $0) }
      + parts[1].map { .letter($0) }
  }

  /// The elements at which axes of one name have one index.
  private static func diagonal(
    _ x: LoweredValue, _ labels: inout [EinsumLabel], _ builder: GraphBuilder
  ) throws -> LoweredValue {
    var x = x
    while let first = labels.indices.first(where: { labels[..<$0].contains(labels[$0]) }),
      let earlier = labels.firstIndex(of: labels[first])
    {
      let others = labels.indices.filter { $0 != first && $0 != earlier }
      x = try builder.permuted(x, others + [earlier, first])
      let (rows, columns) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
      let outer = Array(x.shape.dropLast(2))
      x = try builder.take(
        builder.reshape(x, outer + [rows * columns]), axis: outer.count,
        (0..<min(rows, columns)).map { $0 * (columns + 1) })
      labels = others.map { labels[$0] } + [labels[earlier]]
    }
    return x
  }

  /// The product of two operands, summed over what only they have.
  private static func contract(
    _ a: LoweredValue, _ aLabels: [EinsumLabel], _ b: LoweredValue, _ bLabels: [EinsumLabel],
    keeping rest: Set<EinsumLabel>, _ builder: GraphBuilder, _ call: OperatorCall
  ) throws -> (LoweredValue, [EinsumLabel]) {
    func extent(_ x: LoweredValue, _ labels: [EinsumLabel], _ label: EinsumLabel) -> Int {
      labels.firstIndex(of: label).map { x.shape[$0] } ?? 1
    }
    let both = aLabels.filter(bLabels.contains)
    for label in both {
      let (m, n) = (extent(a, aLabels, label), extent(b, bLabels, label))
      guard m == n || m == 1 || n == 1 else {
        throw call.error("an index has extents \(m) and \(n)")
      }
    }
    let stack = both.filter(rest.contains)
    let inner = both.filter { !rest.contains($0) }
    let aOwn = aLabels.filter { !bLabels.contains($0) }
    let bOwn = bLabels.filter { !aLabels.contains($0) }
    /// In the order stack, rows, columns, each of them one axis.
    func matrix(
      _ x: LoweredValue, _ labels: [EinsumLabel], _ rows: [EinsumLabel], _ columns: [EinsumLabel]
    ) throws -> LoweredValue {
      let order = stack + rows + columns
      let sized = order.map { label in
        both.contains(label)
          ? max(extent(a, aLabels, label), extent(b, bLabels, label)) : extent(x, labels, label)
      }
      let arranged = try builder.expand(
        builder.materialised(
          builder.permuted(x, order.compactMap { labels.firstIndex(of: $0) })), to: sized)
      let s = sized.prefix(stack.count).reduce(1, *)
      let r = sized.dropFirst(stack.count).prefix(rows.count).reduce(1, *)
      let c = sized.suffix(columns.count).reduce(1, *)
      return try builder.reshape(arranged, stack.isEmpty ? [r, c] : [s, r, c])
    }
    let product = try builder.matrixProduct(
      matrix(a, aLabels, aOwn, inner), matrix(b, bLabels, inner, bOwn))
    let labels = stack + aOwn + bOwn
    let shape = labels.map { max(extent(a, aLabels, $0), extent(b, bLabels, $0)) }
    return (try builder.reshape(product, shape), labels)
  }
}

/// What names an axis in Einstein's sums.
private enum EinsumLabel: Hashable, Comparable {
  /// The n-th axis from the end of those that dots stand for; further ones sort first.
  case dots(Int)
  case letter(Character)

  static func < (a: EinsumLabel, b: EinsumLabel) -> Bool {
    switch (a, b) {
    case (.dots(let m), .dots(let n)): m > n
    case (.dots, .letter): true
    case (.letter, .dots): false
    case (.letter(let m), .letter(let n)): m < n
    }
  }
}
