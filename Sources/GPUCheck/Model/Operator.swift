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
}

/// A function of one element x; of x and a constant y where `isBinary`.
public enum ElementFunction: Sendable, Equatable {
  case relu, selu, tanh, sigmoid, softplus, silu, gelu, geluTanh, square, absolute
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
