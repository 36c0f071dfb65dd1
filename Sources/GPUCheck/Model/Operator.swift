/// What a node of a graph computes: pure data. The rooms that know how stand in Primitives/
/// (lanes, kernels, error bars) and in Engine/Textbook.swift (plain loops).
public enum Operator: Sendable, Equatable {
  /// x `[batch, in]`, W (in the given layout), optionally b `[out]` → `[batch, out]`.
  case dense(WeightLayout)
  /// Element by element, some with a constant second operand of the same shape.
  case element(ElementFunction)
  /// Over the last axis.
  case softmax
  /// Logits `[batch, classes]`, constant target probabilities of the same shape → `[batch]`:
  /// Σ_c −q_c·log softmax(z)_c.
  case softmaxCrossEntropy
  /// Scores `[batch, classes]`, constant one-hot labels of the same shape → `[batch]`:
  /// Σ over c ≠ y of max(0, z_c − z_y + margin).
  case multiclassHinge(margin: Double)
  /// log softmax over the last axis.
  case logSoftmax
  /// The same elements, row-major, in another shape of as many.
  case reshape([Int])
  /// A function of two tensors, broadcast as NumPy does.
  case combine(CombineFunction)
  /// Condition c, a, b, broadcast as NumPy does: a where c is not 0, else b.
  case select
  /// A `[…, m, k]` and B `[…, k, n]` → `[…, m, n]`; the leading axes of both are the same, or one
  /// has none (or one element of them).
  case matrixProduct(MatrixProductForm)
  /// x `[batch, channels, spatial…]`, W `[out, channels / groups, spatial…]` → `[batch, out, …]`.
  case convolution(ConvolutionForm)
  /// Each element of the output is made of some elements of the input.
  case gather(GatherMap, Reduction)
  /// Two or more inputs, one behind the other along an axis (counted from 0).
  case concatenate(axis: Int)
}

/// Which of a matrix product's operands are stored transposed (their last two axes swapped).
public struct MatrixProductForm: Sendable, Equatable {
  public var transposeA: Bool
  public var transposeB: Bool

  public init(transposeA: Bool = false, transposeB: Bool = false) {
    self.transposeA = transposeA
    self.transposeB = transposeB
  }
}

/// The window of a convolution, by spatial axis (one to three of them).
public struct ConvolutionForm: Sendable, Equatable {
  public var strides: [Int]
  public var dilations: [Int]
  /// Zeros before and after each spatial axis; negative values crop.
  public var padding: [(before: Int, after: Int)]
  public var groups: Int

  public init(
    strides: [Int], dilations: [Int], padding: [(before: Int, after: Int)], groups: Int = 1
  ) {
    self.strides = strides
    self.dilations = dilations
    self.padding = padding
    self.groups = groups
  }

  public static func == (a: ConvolutionForm, b: ConvolutionForm) -> Bool {
    a.strides == b.strides && a.dilations == b.dilations && a.groups == b.groups
      && a.padding.elementsEqual(b.padding, by: ==)
  }
}

/// A function of two elements. Comparisons are 1 where they hold, else 0.
public enum CombineFunction: String, Sendable, CaseIterable {
  case add, subtract, multiply, divide, maximum, minimum
  /// a^b, a > 0.
  case power
  case greater, greaterOrEqual, equal
  /// The remainder of a / b with the sign of b.
  case modulo
}

/// How the elements that make one are put together.
public enum Reduction: String, Sendable, CaseIterable {
  /// Σ weight·x; `fill` where there are none.
  case sum
  case maximum, product
  /// log Σ eˣ.
  case logSumExp
}

/// Which elements of the input make each element of the output. Seen as `[outer, columns, inner]`
/// the input gives an output `[outer, rows, inner]`: row r of the output is made of the columns
/// `sources[starts[r]..<starts[r + 1]]`. Transposing, slicing, padding, indexing, pooling,
/// resizing and sums over an axis are such maps.
public struct GatherMap: Sendable, Equatable {
  public var outputShape: [Int]
  public var columns: Int
  public var inner: Int
  /// `[rows + 1]`, ascending from 0.
  public var starts: [Int32]
  /// Columns of the input.
  public var sources: [Int32]
  /// The factor of each source; nil where all are 1. For sums only.
  public var weights: [Double]?
  /// The value of a sum of nothing.
  public var fill: Double

  public var rows: Int { starts.count - 1 }

  public init(
    outputShape: [Int], columns: Int, inner: Int, starts: [Int32], sources: [Int32],
    weights: [Double]? = nil, fill: Double = 0
  ) {
    self.outputShape = outputShape
    self.columns = columns
    self.inner = inner
    self.starts = starts
    self.sources = sources
    self.weights = weights
    self.fill = fill
  }

  /// A map whose rows take one column each; a negative one stands for `fill`.
  public init(
    outputShape: [Int], columns: Int, inner: Int, taking column: [Int32], fill: Double = 0
  ) {
    var starts: [Int32] = [0]
    starts.reserveCapacity(column.count + 1)
    for c in column { starts.append(starts[starts.count - 1] + (c < 0 ? 0 : 1)) }
    self.init(
      outputShape: outputShape, columns: columns, inner: inner, starts: starts,
      sources: column.filter { $0 >= 0 }, fill: fill)
  }
}

/// A function of one element x; of x and a constant y where `isBinary`.
public enum ElementFunction: Sendable, Equatable {
  case relu, selu, tanh, sigmoid, softplus, silu, gelu, geluTanh, square, absolute
  case exp, log, squareRoot, reciprocal, erf, sine, cosine
  /// Constant but for jumps: the sign, the integers around x, x ≠ 0.
  case sign, floor, ceiling, round, isNonZero
  case leakyRelu(slope: Double)
  case elu(alpha: Double)
  /// x·y.
  case multiply
  /// (x − y)².
  case squaredError
  /// Of d = x − y.
  case huber(delta: Double)
  /// y·softplus(−x) + (1 − y)·softplus(x).
  case binaryCrossEntropyWithLogits
  /// −y·log x − (1 − y)·log(1 − x).
  case binaryCrossEntropy
  /// max(0, margin − y·x).
  case hinge(margin: Double)

  /// Whether the function takes a constant second operand.
  public var isBinary: Bool {
    switch self {
    case .multiply, .squaredError, .huber, .binaryCrossEntropyWithLogits, .binaryCrossEntropy,
      .hinge:
      true
    default: false
    }
  }
}
