import Kernels

// The one place that knows which operator is served by which primitive. A new operator is a case in
// Model/Operator.swift, a file in this folder, one in kernels/, its lines here, and its row in
// the test tables.

extension Operator {
  package var primitive: any Primitive {
    switch self {
    case .dense(let layout): Dense(layout: layout)
    case .element(let function): Element(function: function)
    case .softmax: Softmax()
    case .softmaxCrossEntropy: SoftmaxCrossEntropy()
    case .multiclassHinge(let margin): MulticlassHinge(margin: margin)
    case .logSoftmax: LogSoftmax()
    case .reshape(let shape): Reshape(shape: shape)
    case .combine(let function): Combine(function: function)
    case .select: Select()
    case .matrixProduct(let form): MatrixProduct(form: form)
    case .convolution(let form): Convolution(form: form)
    case .gather(let map, let reduction): Gather(map: map, reduction: reduction)
    case .concatenate(let axis): Concatenate(axis: axis)
    }
  }

  /// Takes a chunk of CPU lanes through the operator.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    switch self {
    case .dense(let layout): Dense(layout: layout).lanes(call)
    case .element(let function): function.lanes(call)
    case .softmax: Softmax.lanes(call)
    case .softmaxCrossEntropy: SoftmaxCrossEntropy.lanes(call)
    case .multiclassHinge(let margin): MulticlassHinge(margin: margin).lanes(call)
    case .logSoftmax: LogSoftmax.lanes(call)
    case .reshape: break
    case .combine(let function): Combine(function: function).lanes(call)
    case .select: Select.lanes(call)
    case .matrixProduct(let form): MatrixProduct(form: form).lanes(call)
    case .convolution(let form): Convolution(form: form).lanes(call)
    case .gather(let map, let reduction): Gather(map: map, reduction: reduction).lanes(call)
    case .concatenate(let axis): Concatenate(axis: axis).lanes(call)
    }
  }
}

extension ElementFunction {
  package var name: String {
    switch self {
    case .relu: "relu"
    case .leakyRelu: "leaky-relu"
    case .absolute: "absolute"
    case .hinge: "hinge"
    case .elu: "elu"
    case .selu: "selu"
    case .tanh: "tanh"
    case .sigmoid: "sigmoid"
    case .softplus: "softplus"
    case .silu: "silu"
    case .gelu: "gelu"
    case .geluTanh: "gelu-tanh"
    case .square: "square"
    case .squaredError: "squared-error"
    case .multiply: "multiply"
    case .huber: "huber"
    case .binaryCrossEntropyWithLogits: "binary-cross-entropy-with-logits"
    case .binaryCrossEntropy: "binary-cross-entropy"
    case .exp: "exp"
    case .log: "log"
    case .squareRoot: "square-root"
    case .reciprocal: "reciprocal"
    case .erf: "erf"
    case .sine: "sine"
    case .cosine: "cosine"
    case .sign: "sign"
    case .floor: "floor"
    case .ceiling: "ceiling"
    case .round: "round"
    case .isNonZero: "is-non-zero"
    }
  }

  /// What the family's rule is told of this member of it.
  package var attributes: SIMD4<Double> {
    switch self {
    case .relu: [0, 1, 0, 0]
    case .leakyRelu(let slope): [slope, 1, 0, 0]
    case .absolute: [-1, 1, 0, 0]
    case .hinge(let margin): [0, 1, margin, 1]
    case .elu(let alpha): [alpha, 1, alpha == 1 ? 0 : 1, 0]
    case .selu: [Self.seluScale * Self.seluAlpha, Self.seluScale, 1, 0]
    case .huber(let delta): [delta, 0, 0, 0]
    case .sign: [StepRule.Kind.sign.rawValue, 0, 0, 0]
    case .floor: [StepRule.Kind.floor.rawValue, 0, 0, 0]
    case .ceiling: [StepRule.Kind.ceiling.rawValue, 0, 0, 0]
    case .round: [StepRule.Kind.round.rawValue, 0, 0, 0]
    case .isNonZero: [StepRule.Kind.isNonZero.rawValue, 0, 0, 0]
    default: .zero
    }
  }

  /// Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 14.
  package static let seluAlpha = 1.6732632423543772848170429916717
  package static let seluScale = 1.0507009873554804934193349852946

  /// Calls the visitor with the function's family.
  package func visit<V: ElementVisitor>(_ visitor: V) -> V.Result {
    switch self {
    case .relu, .leakyRelu, .absolute, .hinge: visitor.visit(StraightRule.self)
    case .elu, .selu: visitor.visit(ExponentialRule.self)
    case .tanh: visitor.visit(TanhRule.self)
    case .sigmoid: visitor.visit(SigmoidRule.self)
    case .softplus: visitor.visit(SoftplusRule.self)
    case .silu: visitor.visit(SiLURule.self)
    case .gelu: visitor.visit(GELURule.self)
    case .geluTanh: visitor.visit(GELUTanhRule.self)
    case .square, .squaredError: visitor.visit(SquareRule.self)
    case .multiply: visitor.visit(MultiplyRule.self)
    case .huber: visitor.visit(HuberRule.self)
    case .binaryCrossEntropyWithLogits: visitor.visit(LogisticCostRule.self)
    case .binaryCrossEntropy: visitor.visit(BinaryCrossEntropyRule.self)
    case .exp: visitor.visit(ExpRule.self)
    case .log: visitor.visit(LogRule.self)
    case .squareRoot: visitor.visit(SquareRootRule.self)
    case .reciprocal: visitor.visit(ReciprocalRule.self)
    case .erf: visitor.visit(ErfRule.self)
    case .sine: visitor.visit(SineRule.self)
    case .cosine: visitor.visit(CosineRule.self)
    case .sign, .floor, .ceiling, .round, .isNonZero: visitor.visit(StepRule.self)
    }
  }

  package var kernel: ElementKernel { visit(KernelVisitor()) }

  fileprivate func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    visit(LaneVisitor(call: call, attributes: attributes))
  }
}

private struct KernelVisitor: ElementVisitor {
  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> ElementKernel { rule.kernel }
}

private struct LaneVisitor<T: LaneReal>: ElementVisitor {
  var call: LaneCall<T>
  var attributes: SIMD4<Double>
  func visit<Rule: ElementRule>(_ rule: Rule.Type) {
    Element.lanes(rule, attributes, call)
  }
}

/// The operators of dense networks and every element function, for the tests that walk the registry.
package let everyLayer: [Operator] =
  [.dense(.outIn), .dense(.inOut), .softmax, .softmaxCrossEntropy, .multiclassHinge(margin: 1)]
  + everyElementFunction.map { .element($0) }

/// One of every operator over tensors of any shape.
package let everyTensorOperator: [Operator] =
  CombineFunction.allCases.map { .combine($0) }
  + Reduction.allCases.map {
    .gather(
      GatherMap(outputShape: [1], columns: 2, inner: 1, starts: [0, 2], sources: [0, 1]), $0)
  } + [
    .logSoftmax, .reshape([1]), .select, .matrixProduct(MatrixProductForm()),
    .convolution(ConvolutionForm(strides: [1], dilations: [1], padding: [(0, 0)])),
    .concatenate(axis: 0),
  ]

/// One of every operator, for the tests that walk the registry.
package let everyOperator = everyLayer + everyTensorOperator

/// One of every element function.
package let everyElementFunction: [ElementFunction] = [
  .relu, .leakyRelu(slope: 0.2), .absolute, .hinge(margin: 1), .elu(alpha: 1), .elu(alpha: 0.7),
  .selu, .tanh, .sigmoid, .softplus, .silu, .gelu, .geluTanh, .square, .squaredError, .multiply,
  .huber(delta: 0.5), .binaryCrossEntropyWithLogits, .binaryCrossEntropy, .exp, .log, .squareRoot,
  .reciprocal, .erf, .sine, .cosine, .sign, .floor, .ceiling, .round, .isNonZero,
]
