import GPUCheck
import Testing

/// θ, the batch, J, and what cannot be used, on small models built in memory.
@Suite struct ONNXLoweringTests {
  // MARK: Support

  private func value(_ name: String, _ shape: [ONNXDimension], _ type: ElementType = .float32)
    -> ONNXValue
  {
    ONNXValue(name: name, elementType: type, shape: shape)
  }

  private func model(
    _ nodes: [ONNXNode], inputs: [ONNXValue], outputs: [ONNXValue],
    constants: [String: Tensor] = [:], opset: Int = 20
  ) -> ONNXModel {
    let order = constants.keys.sorted()
    return ONNXModel(
      irVersion: 10, opset: opset, opsets: ["": opset], producer: "",
      graph: ONNXGraph(
        name: "", nodes: nodes, inputs: inputs, outputs: outputs,
        initializers: constants.mapValues { ONNXTensor(name: "", $0) }, initializerOrder: order))
  }

  private func node(
    _ operation: String, _ inputs: [String], _ outputs: [String],
    _ attributes: [String: ONNXAttribute] = [:]
  ) -> ONNXNode {
    ONNXNode(
      name: "", operation: operation, inputs: inputs, outputs: outputs, attributes: attributes)
  }

  private func vector(_ values: Double...) -> Tensor {
    Tensor(shape: [values.count], values: values)
  }

  /// J = Σ (x·w)².
  private var squares: ONNXModel {
    model(
      [
        node("Mul", ["x", "w"], ["p"]), node("Mul", ["p", "p"], ["q"]),
        node("ReduceSum", ["q"], ["J"], ["keepdims": .int(0)]),
      ],
      inputs: [value("x", [.symbol("n")]), value("w", [.symbol("n")])], outputs: [value("J", [])])
  }

  private func error(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch { return "\(error)" }
  }

  // MARK: J

  /// The last sum becomes a cost term; what J is not made of is left out.
  @Test func takesLastSumsApart() throws {
    let lowered = try ONNXProblemSource(model: squares).lower(
      batch: ["x": vector(1, 2, 3)], parameters: ["w": vector(1, 1, 2)], gradient: ["w"])
    #expect(Textbook.cost(lowered.graph, lowered.parameters.values) == 41)
    #expect(lowered.graph.terms.count == 1)
    #expect(lowered.graph.terms.first.map { lowered.graph.nodes[$0.node].shape } == [3])
  }

  @Test func upstreamAndLosses() throws {
    let linear = model(
      [node("MatMul", ["x", "w"], ["z"])],
      inputs: [value("x", [.symbol("n"), .size(2)]), value("w", [.size(2), .size(2)])],
      outputs: [value("z", [.symbol("n"), .size(2)])])
    let x = Tensor(shape: [2, 2], values: [1, 2, 3, 4])
    let w = Tensor(shape: [2, 2], values: [1, 0, 0, 2])
    let costs: [(CostChoice, Double)] = [
      (.upstream(["z": Tensor(shape: [2, 2], values: [1, 1, 0, 2])]), 1 + 4 + 16),
      (
        .loss(
          .squaredError, .mean, output: nil, labels: Tensor(shape: [2, 2], values: [0, 4, 3, 4])),
        4.25
      ),
      (.loss(.softmaxCrossEntropy, .sum, output: "z", labels: vector(0, 1)), 3.0553027000628603),
      (
        .loss(
          .softmaxCrossEntropy, .sum, output: "z",
          labels: Tensor(shape: [2, 2], values: [1, 0, 0, 1])), 3.0553027000628603
      ),
    ]
    for (cost, expected) in costs {
      let lowered = try ONNXProblemSource(model: linear, cost: cost).lower(
        batch: ["x": x], parameters: ["w": w], gradient: ["w"])
      let found = Textbook.cost(lowered.graph, lowered.parameters.values)
      #expect(abs(found - expected) < 1e-12, "\(cost): \(found), \(expected)")
    }
    #expect(
      error {
        _ = try ONNXProblemSource(model: linear).lower(
          batch: ["x": x], parameters: ["w": w], gradient: ["w"])
      }.contains("found z [n, 2]; export the model with its loss"))
  }

  /// A transposition of the last two axes costs nothing: the product takes it.
  @Test func foldsTransposition() throws {
    let tied = model(
      [
        node("Gather", ["w", "i"], ["e"]),
        node("Transpose", ["w"], ["t"], ["perm": .ints([1, 0])]),
        node("MatMul", ["e", "t"], ["z"]),
        node("SoftmaxCrossEntropyLoss", ["z", "y"], ["J"]),
      ],
      inputs: [
        value("w", [.size(4), .size(3)]), value("i", [.size(2)], .int64),
        value("y", [.size(2)], .int64),
      ], outputs: [value("J", [])])
    let lowered = try ONNXProblemSource(model: tied).lower(
      batch: ["i": vector(3, 1), "y": vector(0, 2)],
      parameters: ["w": Tensor(shape: [4, 3], values: (0..<12).map { Double($0) / 7 })],
      gradient: ["w"])
    var maps: [GatherMap] = []
    var forms: [MatrixProductForm] = []
    for node in lowered.graph.nodes {
      guard case .apply(let operation, _) = node.definition else { continue }
      if case .gather(let map, _) = operation { maps.append(map) }
      if case .matrixProduct(let form) = operation { forms.append(form) }
    }
    #expect(maps.map(\.sources) == [[3, 1]] && maps.map(\.inner) == [3])
    #expect(forms == [MatrixProductForm(transposeB: true)])
  }

  /// NLL of a log softmax is the fused loss, which keeps the digits of a small J.
  @Test func fusesLogLikelihood() throws {
    let model = model(
      [
        node("LogSoftmax", ["w"], ["l"], ["axis": .int(1)]),
        node("NegativeLogLikelihoodLoss", ["l", "y"], ["J"]),
      ], inputs: [value("w", [.size(1), .size(2)]), value("y", [.size(1)], .int64)],
      outputs: [value("J", [])])
    let lowered = try ONNXProblemSource(model: model).lower(
      batch: ["y": vector(0)], parameters: ["w": Tensor(shape: [1, 2], values: [40, 0])],
      gradient: ["w"])
    #expect(lowered.graph.nodes.count == 3)
    let expected = 4.248354255291589e-18
    #expect(abs(Textbook.cost(lowered.graph, [40, 0]) / expected - 1) < 1e-12)
  }

  /// GELU written out in the orders that exporters use is one function.
  @Test(arguments: [true, false])
  func recognisesGELU(_ halfFirst: Bool) throws {
    let tail =
      halfFirst
      ? [node("Mul", ["w", "half"], ["h"]), node("Mul", ["h", "a"], ["g"])]
      : [node("Mul", ["w", "a"], ["h"]), node("Mul", ["h", "half"], ["g"])]
    let model = model(
      [
        node("Div", ["w", "root"], ["d"]), node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["a"]),
      ] + tail + [node("ReduceSum", ["g"], ["J"], ["keepdims": .int(0)])],
      inputs: [value("w", [.size(2)])], outputs: [value("J", [])],
      constants: [
        "root": Tensor(shape: [], values: [Double(Float(2).squareRoot())]),
        "one": Tensor(shape: [], values: [1]), "half": Tensor(shape: [], values: [0.5]),
      ])
    let lowered = try ONNXProblemSource(model: model).lower(
      batch: [:], parameters: ["w": vector(1, -2)], gradient: ["w"])
    #expect(lowered.graph.nodes.count == 2)
    let expected = 0.8413447460685429 - 2 * 0.022750131948179195
    #expect(abs(Textbook.cost(lowered.graph, [1, -2]) - expected) < 1e-15)
  }

  /// A scale that is stored as float32 is the number it was before: the root of 6, a decimal, 1/7.
  @Test(arguments: [
    6.squareRoot(), 1 / 6.0.squareRoot(), 0.1, 1e-5, 1 / 7.0, -0.044715, 3, 1.2345678,
  ])
  func constantsAreWhatWasMeant(_ number: Double) throws {
    let model = model(
      [node("Mul", ["w", "c"], ["J"])], inputs: [value("w", [.size(1)])],
      outputs: [value("J", [.size(1)])])
    var source = model
    source.graph.initializers["c"] = ONNXTensor(
      name: "c", Tensor(shape: [], values: [Double(Float(number))]), type: .float32)
    source.graph.initializerOrder = ["c"]
    let lowered = try ONNXProblemSource(model: source).lower(
      batch: [:], parameters: ["w": vector(1)], gradient: ["w"])
    let expected = number == 1.2345678 ? Double(Float(number)) : number
    #expect(Textbook.cost(lowered.graph, [1]) == expected)
  }

  // MARK: θ and the batch

  @Test func namesAreChecked() {
    let source = ONNXProblemSource(model: squares)
    let x = ["x": vector(1, 2, 3)]
    let cases: [(batch: [String: Tensor], parameters: [String: Tensor], [String], String)] = [
      (
        x, ["w": vector(1, 2, 3)], ["kernel"],
        "kernel: the model has no input or initialiser of this name; found x, w"
      ),
      (
        x, [:], ["w"],
        "w: it is an input of the model, and no file holds its value; give the parameters"
      ),
      (
        [:], ["w": vector(1, 2, 3)], ["w"],
        "x: the batch has no such tensor, expected the model's input [n]"
      ),
      (x, ["w": vector(1, 2)], ["w"], "x: axis 0 (n) has 3 elements, but 2 in w"),
      (x, ["w": vector(1, .nan, 3)], ["w"], "w[1]"),
      (x, ["w": vector(1, 2, 3)], [], "the gradient names no tensor"),
    ]
    for (batch, parameters, gradient, expected) in cases {
      let found = error {
        _ = try source.lower(batch: batch, parameters: parameters, gradient: gradient)
      }
      #expect(found.hasPrefix(expected), "found: \(found)")
    }
  }

  /// Where the exporter has folded a parameter away the error says so.
  @Test func foldedParameters() {
    let folded = model(
      [
        node("MatMul", ["x", "onnx::MatMul_4"], ["p"]),
        node("ReduceSum", ["p"], ["J"], ["keepdims": .int(0)]),
      ],
      inputs: [value("x", [.size(1), .size(2)])], outputs: [value("J", [])],
      constants: ["onnx::MatMul_4": Tensor(shape: [2, 1], values: [1, 2])])
    let found = error {
      _ = try ONNXProblemSource(model: folded).lower(
        batch: ["x": Tensor(shape: [1, 2], values: [1, 1])], gradient: ["fc.weight"])
    }
    #expect(found.contains("the exporter has folded it into constants such as onnx::MatMul_4"))
  }

  @Test func idleParametersAreKept() throws {
    var model = squares
    model.graph.inputs.append(value("b", [.size(2)]))
    let lowered = try ONNXProblemSource(model: model).lower(
      batch: ["x": vector(1), "z": vector(1)],
      parameters: ["w": vector(2), "b": vector(0, 0), "old": vector(1)], gradient: ["b", "w"])
    #expect(lowered.parameters.layout.segments.map(\.name) == ["w", "b"])
    #expect(
      lowered.warnings == [
        "J does not depend on b: the right gradient is zero",
        "the parameters hold old, which the model does not have",
        "the batch holds z, which the model does not use",
      ])
  }

  // MARK: What cannot be used

  @Test func unsupportedOperatorsAreListed() throws {
    let strange = model(
      [
        node("Unheard", ["w"], ["a"]), node("RandomNormalLike", ["a"], ["b"]),
        node("ReduceSum", ["b"], ["J"], ["keepdims": .int(0)]), node("Other", ["w"], ["c"]),
      ], inputs: [value("w", [.size(1)])], outputs: [value("J", []), value("c", [.size(3)])])
    let source = ONNXProblemSource(model: strange)
    #expect(try source.unsupported().map(\.operation) == ["Unheard", "RandomNormalLike"])
    let found = error {
      _ = try source.lower(batch: [:], parameters: ["w": vector(1)], gradient: ["w"])
    }
    #expect(found.contains("not supported: Unheard, RandomNormalLike (it draws random numbers"))
  }

  /// Sizes that a file claims are checked before anything is allocated.
  @Test(arguments: [
    ("ConstantOfShape", 1e15), ("ConstantOfShape", -3), ("EyeLikeRange", 1e15),
  ])
  func hugeSizes(_ operation: String, _ size: Double) {
    let nodes =
      operation == "ConstantOfShape"
      ? [node("ConstantOfShape", ["n"], ["a"])]
      : [
        node("Squeeze", ["n"], ["m"]), node("Constant", [], ["zero"], ["value_int": .int(0)]),
        node("Constant", [], ["one"], ["value_int": .int(1)]),
        node("Range", ["zero", "m", "one"], ["a"]),
      ]
    let huge = model(
      nodes + [
        node("Mul", ["a", "w"], ["b"]), node("ReduceSum", ["b"], ["J"], ["keepdims": .int(0)]),
      ],
      inputs: [value("w", [.size(1)])], outputs: [value("J", [])], constants: ["n": vector(size)])
    let found = error {
      _ = try ONNXProblemSource(model: huge).lower(
        batch: [:], parameters: ["w": vector(1)], gradient: ["w"])
    }
    #expect(found.contains("expected at most"), "found: \(found)")
  }

  /// Indices that depend on θ are what they are at θ, and a warning says so.
  @Test func branchesAreToldOf() throws {
    let top = model(
      [
        node("ArgMax", ["w"], ["i"], ["keepdims": .int(0)]), node("Gather", ["w", "i"], ["J"]),
      ], inputs: [value("w", [.size(3)])], outputs: [value("J", [])])
    let lowered = try ONNXProblemSource(model: top).lower(
      batch: [:], parameters: ["w": vector(1, 5, 2)], gradient: ["w"])
    #expect(Textbook.cost(lowered.graph, [1, 5, 2]) == 5)
    #expect(
      lowered.warnings == [
        "i: the place of the largest element depends on θ; what it is at θ is taken for constant"
      ])
  }
}
