import Kernels

/// C = A·B over the last two axes, either operand perhaps stored transposed. The leading axes
/// (batches) of both are the same, or one operand has a single matrix for all. Both may move:
/// ΔC = ΔA·B + A·ΔB + ΔA·ΔB. Twin of kernels/product.cl.
package struct MatrixProduct: Primitive {
  package let form: MatrixProductForm

  package var name: String { "matrix-product" }

  // MARK: Extents

  /// C `[batches, rows, columns]` from A `[batches or 1, rows, depth]` and B.
  struct Extents {
    var batches: Int
    var aBatches: Int
    var bBatches: Int
    var rows: Int
    var depth: Int
    var columns: Int
    var form: MatrixProductForm

    /// How A's elements (row, depth) and B's (depth, column) are stored.
    var a: MatrixView {
      form.transposeA ? MatrixView(row: 1, column: rows) : MatrixView(row: depth, column: 1)
    }
    var b: MatrixView {
      form.transposeB ? MatrixView(row: 1, column: depth) : MatrixView(row: columns, column: 1)
    }
    /// From one batch's matrix to the next one's; 0 where all share one.
    var aStride: Int { aBatches == 1 ? 0 : rows * depth }
    var bStride: Int { bBatches == 1 ? 0 : depth * columns }
  }

  func extents(_ shapes: [[Int]]) -> Extents {
    let (a, b) = (shapes[0], shapes[1])
    let (aRank, bRank) = (a.count, b.count)
    let (aBatches, bBatches) = (a.dropLast(2).reduce(1, *), b.dropLast(2).reduce(1, *))
    return Extents(
      batches: max(aBatches, bBatches), aBatches: aBatches, bBatches: bBatches,
      rows: form.transposeA ? a[aRank - 1] : a[aRank - 2],
      depth: form.transposeA ? a[aRank - 2] : a[aRank - 1],
      columns: form.transposeB ? b[bRank - 2] : b[bRank - 1], form: form)
  }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 2, inputs[0].count >= 2, inputs[1].count >= 2 else {
      throw InputError("matrix product: found \(inputs), expected two matrices or stacks of them")
    }
    let size = extents(inputs)
    let depth = inputs[1][inputs[1].count - (form.transposeB ? 1 : 2)]
    guard size.depth == depth else {
      throw InputError(
        "matrix product: found \(inputs[0])\(form.transposeA ? " transposed" : "") and "
          + "\(inputs[1])\(form.transposeB ? " transposed" : ""), expected a common inner extent")
    }
    let batchShape = inputs.map { Array($0.dropLast(2)) }
    guard size.aBatches == 1 || size.bBatches == 1 || batchShape[0] == batchShape[1] else {
      throw InputError(
        "matrix product: found stacks \(batchShape[0]) and \(batchShape[1]), expected equal ones or "
          + "a single matrix")
    }
    let stack = try Broadcast.shape(batchShape)
    return stack + [size.rows, size.columns]
  }

  // MARK: Baseline

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    product(inputs[0], inputs[1], extents(shapes))
  }

  /// A·B of all batches.
  private func product(_ a: [Double], _ b: [Double], _ size: Extents) -> [Double] {
    var c = [Double].unwritten(size.batches * size.rows * size.columns)
    if size.bBatches == 1, !form.transposeA {
      // One matrix for all rows of all batches.
      addProduct(
        rows: size.batches * size.rows, depth: size.depth, columns: size.columns, a, size.a, b,
        size.b, to: &c, adds: false)
      return c
    }
    for batch in 0..<size.batches {
      var (aView, bView) = (size.a, size.b)
      aView.offset = batch * size.aStride
      bView.offset = batch * size.bStride
      addProduct(
        rows: size.rows, depth: size.depth, columns: size.columns, a, aView, b, bView, to: &c,
        batch * size.rows * size.columns, adds: false)
    }
    return c
  }

  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    [.input(0), .input(1)]
  }

  // MARK: Rounding errors

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let size = extents(values.shapes)
    return productVariance(values, inputs, terms: size.depth) { product($0, $1, size) }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let size = extents(values.shapes)
    // dA = dC·Bᵀ is C's own kind of product, and so is dB = Aᵀ·dC.
    return [
      values.moving[0]
        ? adjoint(
          output, values.inputs[1], source.variance(1), .backPropagation(inputVariances: []),
          terms: size.columns
        ) {
          aProduct($0, $1, size)
        } : nil,
      values.moving[1]
        ? adjoint(
          output, values.inputs[0], source.variance(0), source,
          terms: size.rows * size.batches / max(1, size.bBatches)
        ) {
          bProduct($0, $1, size)
        } : nil,
    ]
  }

  /// G·Bᵀ in A's shape, summed over batches that share one A.
  private func aProduct(_ g: [Double], _ b: [Double], _ size: Extents) -> [Double] {
    var result = [Double].unwritten(size.aBatches * size.rows * size.depth)
    for batch in 0..<size.batches {
      var g_ = MatrixView(row: size.columns, column: 1)
      var b_ = size.b.transposed
      g_.offset = batch * size.rows * size.columns
      b_.offset = batch * size.bStride
      let adds = size.aStride == 0 && batch > 0
      if form.transposeA {
        addProduct(
          rows: size.depth, depth: size.columns, columns: size.rows, b, b_.transposed, g,
          g_.transposed, to: &result, batch * size.aStride, adds: adds)
      } else {
        addProduct(
          rows: size.rows, depth: size.columns, columns: size.depth, g, g_, b, b_, to: &result,
          batch * size.aStride, adds: adds)
      }
    }
    return result
  }

  /// Aᵀ·G in B's shape, summed over batches that share one B.
  private func bProduct(_ g: [Double], _ a: [Double], _ size: Extents) -> [Double] {
    var result = [Double].unwritten(size.bBatches * size.depth * size.columns)
    for batch in 0..<size.batches {
      var g_ = MatrixView(row: size.columns, column: 1)
      var a_ = size.a
      g_.offset = batch * size.rows * size.columns
      a_.offset = batch * size.aStride
      let adds = size.bStride == 0 && batch > 0
      if form.transposeB {
        addProduct(
          rows: size.columns, depth: size.rows, columns: size.depth, g, g_.transposed, a, a_,
          to: &result, batch * size.bStride, adds: adds)
      } else {
        addProduct(
          rows: size.depth, depth: size.rows, columns: size.columns, a, a_.transposed, g, g_,
          to: &result, batch * size.bStride, adds: adds)
      }
    }
    return result
  }
}

/// Adds element by element.
func add(_ terms: [Double], to sums: inout [Double]) {
  for i in sums.indices { sums[i] += terms[i] }
}

/// The variance of a bilinear operator's rounding error: of its products and their sum of `terms`,
/// and what its factors' own variances (nil: exact) make of it.
func productVariance(
  _ values: NodeValues, _ inputs: [[Double]?], terms: Int,
  product: (_ a: [Double], _ b: [Double]) -> [Double]
) -> [Double] {
  let (a, b) = (values.inputs[0].squared, values.inputs[1].squared)
  let weights = RoundedSum.weights(terms: terms, .backPropagation(inputVariances: []))
  var variance = product(a, b)
  for (i, c) in values.output.enumerated() {
    variance[i] = weights.squares * variance[i] + weights.total * c * c
  }
  if let given = inputs[0] { add(product(given, b), to: &variance) }
  if let given = inputs[1] { add(product(a, given), to: &variance) }
  return variance
}

/// The adjoint of one factor of a bilinear operator, G·F summed over `terms` products: its gradient,
/// and the variances of G and of the other factor F, of the products and of their sum.
func adjoint(
  _ output: Adjoint, _ factor: [Double], _ factorVariance: [Double]?, _ source: ErrorSource,
  terms: Int, product: (_ gradient: [Double], _ factor: [Double]) -> [Double]
) -> Adjoint {
  var adjoint = Adjoint(count: 0)
  adjoint.gradient = product(output.gradient, factor)
  let weights = RoundedSum.weights(terms: terms, source)
  var spread = output.gradient.squared
  if let factorVariance { adjoint.variance = product(spread, factorVariance) }
  for i in spread.indices { spread[i] = output.variance[i] + weights.squares * spread[i] }
  let own = product(spread, factor.squared)
  if adjoint.variance.isEmpty { adjoint.variance = own } else { add(own, to: &adjoint.variance) }
  for (i, g) in adjoint.gradient.enumerated() {
    adjoint.variance[i] += weights.total * g * g
  }
  return adjoint
}
