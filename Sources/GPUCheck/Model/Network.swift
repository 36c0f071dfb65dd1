/// A dense network with its cost, as a network file describes it (docs/network-file.md).
///
/// J = factor · (mean or sum over the batch) of the (mean or sum over the outputs) of the loss
///   + regularisation.
public struct Network: Sendable, Equatable {
  /// Features of one sample: `x` is `[batch, inputs]`.
  public var inputs: Int
  /// The layers, first to last; at least one.
  public var layers: [DenseLayer]
  public var loss: Loss
  public var regularization: Regularization
  /// Which axis of every weight matrix is the output's.
  public var weightLayout: WeightLayout

  public init(
    inputs: Int, layers: [DenseLayer], loss: Loss, regularization: Regularization = .none,
    weightLayout: WeightLayout = .outIn
  ) {
    self.inputs = inputs
    self.layers = layers
    self.loss = loss
    self.regularization = regularization
    self.weightLayout = weightLayout
  }
}

/// `[out, in]` (PyTorch: z = x·Wᵀ + b) or `[in, out]` (Keras, JAX: z = x·W + b).
public enum WeightLayout: String, Sendable, CaseIterable {
  case outIn = "[out, in]"
  case inOut = "[in, out]"
}

/// a = activation(x·Wᵀ + b) ⊙ mask.
public struct DenseLayer: Sendable, Equatable {
  /// Outputs of the layer.
  public var units: Int
  /// Name of the weight matrix in the parameter file.
  public var weights: String
  /// Name of the bias, `[units]`; nil for a layer without one.
  public var biases: String?
  public var activation: Activation
  /// Dropout of this layer's activations; nil where there is none.
  public var dropout: Dropout?

  public init(
    units: Int, weights: String, biases: String?, activation: Activation = .identity,
    dropout: Dropout? = nil
  ) {
    self.units = units
    self.weights = weights
    self.biases = biases
    self.activation = activation
    self.dropout = dropout
  }
}

/// Dropout in a network under check: nothing is ever drawn at random.
public enum Dropout: Sendable, Equatable {
  /// Keep-probability 1: the layer is the identity, and the report says so.
  case keepAll
  /// The activations are multiplied by this tensor of the batch file, `[batch, units]` or
  /// `[units]`, as it stands (a mask of inverted dropout holds 0 and 1/keep).
  case mask(String)
}

/// An activation function.
public enum Activation: Sendable, Equatable {
  case identity, relu, selu, tanh, sigmoid, softplus, silu
  /// x > 0 ? x : slope·x.
  case leakyRelu(slope: Double)
  /// x > 0 ? x : alpha·(eˣ − 1).
  case elu(alpha: Double)
  /// x·Φ(x), Φ the normal distribution function.
  case gelu
  /// x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
  case geluTanh
  /// Over the features of a sample.
  case softmax
}

/// The loss of one sample and how samples are put together.
public struct Loss: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// −log softmax(z)[y], or −Σ y·log softmax(z) where `y` holds probabilities.
    case softmaxCrossEntropy
    /// −y·log σ(z) − (1−y)·log σ(−z).
    case binaryCrossEntropyWithLogits
    /// −y·log p − (1−y)·log(1−p).
    case binaryCrossEntropy
    /// (p − y)².
    case squaredError
    /// |d| ≤ δ ? d²/2 : δ·(|d| − δ/2), d = p − y.
    case huber(delta: Double)
    /// max(0, margin − y·z), y ∈ {−1, 1}.
    case hinge(margin: Double)
    /// Σ over c ≠ y of max(0, z_c − z_y + margin): the multi-class SVM loss.
    case multiclassHinge(margin: Double)
  }
  public enum Reduction: String, Sendable, CaseIterable { case mean, sum }

  public var kind: Kind
  /// Over the samples of the batch.
  public var batch: Reduction
  /// Over the outputs of a sample, for the losses that are told output by output (binary
  /// cross-entropy, squared error, Huber, hinge); the two over classes always sum.
  public var outputs: Reduction
  /// A constant factor, for costs written as ½·(…).
  public var factor: Double

  public init(
    _ kind: Kind, batch: Reduction = .mean, outputs: Reduction = .mean, factor: Double = 1
  ) {
    self.kind = kind
    self.batch = batch
    self.outputs = outputs
    self.factor = factor
  }
}

/// What is added to the cost: l2/2·Σθ² + l1·Σ|θ|, both divided by the batch size if `perSample`.
public struct Regularization: Sendable, Equatable {
  public enum Scope: String, Sendable, CaseIterable { case weights, everything }

  public var l2: Double
  public var l1: Double
  /// λ/2m in the place of λ/2 (m the batch size).
  public var perSample: Bool
  /// Over the weight matrices, or the biases too.
  public var scope: Scope

  public init(l2: Double = 0, l1: Double = 0, perSample: Bool = false, scope: Scope = .weights) {
    self.l2 = l2
    self.l1 = l1
    self.perSample = perSample
    self.scope = scope
  }

  public static let none = Regularization()
}
