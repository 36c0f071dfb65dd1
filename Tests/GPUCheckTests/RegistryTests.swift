import GPUCheck
import Kernels
import Testing

/// Walks the registry: nothing that an operator needs may be missing.
@Suite(.serialized) struct RegistryTests {
  /// A walk through all cases of `ElementFunction`: a new one does not compile before it stands
  /// here, and then fails below until it is in the registry.
  private static func next(_ function: ElementFunction) -> ElementFunction? {
    switch function {
    case .relu: .leakyRelu(slope: 0.2)
    case .leakyRelu: .absolute
    case .absolute: .hinge(margin: 1)
    case .hinge: .elu(alpha: 1)
    case .elu: .selu
    case .selu: .tanh
    case .tanh: .sigmoid
    case .sigmoid: .softplus
    case .softplus: .silu
    case .silu: .gelu
    case .gelu: .geluTanh
    case .geluTanh: .square
    case .square: .squaredError
    case .squaredError: .multiply
    case .multiply: .huber(delta: 0.5)
    case .huber: .binaryCrossEntropyWithLogits
    case .binaryCrossEntropyWithLogits: .binaryCrossEntropy
    case .binaryCrossEntropy: .exp
    case .exp: .log
    case .log: .squareRoot
    case .squareRoot: .reciprocal
    case .reciprocal: .erf
    case .erf: .sine
    case .sine: .cosine
    case .cosine: .sign
    case .sign: .floor
    case .floor: .ceiling
    case .ceiling: .round
    case .round: .isNonZero
    case .isNonZero: nil
    }
  }

  /// As above, for `Operator`.
  private static func next(_ operation: Operator) -> Operator? {
    switch operation {
    case .dense(.outIn): .dense(.inOut)
    case .dense(.inOut): .softmax
    case .softmax: .softmaxCrossEntropy
    case .softmaxCrossEntropy: .multiclassHinge(margin: 1)
    case .multiclassHinge: .element(.relu)
    case .element: .logSoftmax
    case .logSoftmax: .reshape([1])
    case .reshape: .select
    case .select: .matrixProduct(MatrixProductForm())
    case .matrixProduct:
      .convolution(ConvolutionForm(strides: [1], dilations: [1], padding: [(0, 0)]))
    case .convolution: .concatenate(axis: 0)
    case .concatenate: .combine(.add)
    case .combine: everyTensorOperator.first { if case .gather = $0 { true } else { false } }
    case .gather: nil
    }
  }

  @Test("The registry has every case of ElementFunction and of Operator")
  func everyCase() {
    let functions = Set(sequence(first: .relu, next: Self.next).map(\.name))
    #expect(functions == Set(everyElementFunction.map(\.name)))
    // Both forms of a function that has a kink for some attributes only.
    #expect(everyElementFunction.contains(.elu(alpha: 1)))
    #expect(everyElementFunction.contains { $0.name == "elu" && $0 != .elu(alpha: 1) })
    for operation in sequence(first: .dense(.outIn), next: Self.next) {
      #expect(everyOperator.contains(operation), "\(operation)")
    }
    for function in everyElementFunction {
      #expect(everyOperator.contains(.element(function)), "\(function)")
    }
  }

  @Test("Every operator has a row in the tables")
  func everyRow() throws {
    let rows = try TableNetwork(everyLayer, TableShape.all[1]).rows
    for (row, operation) in zip(rows, everyLayer) {
      let used = row.graph.nodes.contains {
        if case .apply(operation, _) = $0.definition { true } else { false }
      }
      #expect(used, "\(operation)")
    }
  }

  @Test("Every operator over tensors has a case in the tables")
  func everyCaseOfTensors() throws {
    var used: Set<String> = []
    for row in try TableNetwork(OperatorCase.all).rows {
      for node in row.graph.nodes {
        if case .apply(let operation, _) = node.definition { used.insert(operation.primitive.name) }
      }
    }
    #expect(Set(everyTensorOperator.map(\.primitive.name)).subtracting(used) == [])
  }

  @Test("Every kernel file that an operator names exists, and every file is named")
  func everyFile() {
    var used: Set = [
      "chain.cl", "common.cl", "fused.cl", "lanes.cl", "moments.cl", "reduce.cl",
      "selftest.cl", "user_cost.cl",
    ]
    for operation in everyOperator {
      for mode in LaneMode.allCases {
        let files = operation.primitive.kernelUnits(mode).map(\.file)
        if case .reshape = operation {} else { #expect(!files.isEmpty) }
        #expect(Set(files).isSubset(of: KernelText.names), "\(operation): \(files)")
        used.formUnion(files)
      }
    }
    #expect(used == Set(KernelText.names))
  }

  /// What the operators are compiled from, each set of parts once.
  private static let everyProgram = everyOperator.reduce(into: [[KernelUnit]]()) { all, operation in
    let units = LaneMode.allCases.flatMap { operation.primitive.kernelUnits($0) }
    if !all.contains(units) { all.append(units) }
  }

  /// In f32 the word double is not defined, and a literal that would promote to it is an error.
  @Test(
    "The kernels of every operator build on their own, in scalars and in vectors",
    arguments: everyProgram)
  func builds(parts: [KernelUnit]) throws {
    let device = try TestBackend.poclDevice()
    let context = try Context(device)
    let source = try KernelText().source(
      [KernelUnit(file: "lanes.cl"), KernelUnit(file: "reduce.cl")] + parts)
    for precision in Precision.allCases {
      let widest = Specialisation(precision: precision, for: device.description).vectorWidth
      #expect(widest > 1)
      for width in [1, widest] {
        #expect(throws: Never.self) {
          try Program(
            context, source: (precision == .f32 ? [forbiddingDouble] : []) + source,
            Specialisation(precision: precision, vectorWidth: width))
        }
      }
    }
  }

  @Test(
    "A kernel that uses double in f32 would not have built",
    arguments: ["double y = x[0];", "x[0] = x[0] * 0.1;"])
  func doubleIsForbidden(line: String) throws {
    let context = try Context(TestBackend.poclDevice())
    #expect(throws: OpenCLError.self) {
      try Program(
        context, source: [forbiddingDouble, "kernel void k(global float *x) { \(line) }"],
        Specialisation(precision: .f32))
    }
  }
}

/// The type by its name, and what a literal without `f` would promote to it.
private let forbiddingDouble = """
  #define double no_double_on_this_device
  #pragma clang diagnostic error "-Wdouble-promotion"

  """
