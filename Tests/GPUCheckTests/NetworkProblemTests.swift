import Foundation
import GPUCheck
import Testing

/// θ, dθ and whole problems from tensors: what is accepted, and what is said of the rest.
@Suite struct NetworkProblemTests {
  // MARK: Accepted

  @Test func putsVectorsTogether() throws {
    let vector = try ParameterVector(.named(theta), layout: network.parameterLayout)
    #expect(vector.values == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    #expect(vector.elementType == .float64)
    for shape in [[3, 1], [1, 3], [3]] {
      let other = theta.merging(["b1": Tensor(shape: shape, values: [7, 8, 9])]) { $1 }
      #expect(try ParameterVector(.named(other), layout: network.parameterLayout) == vector)
    }
    for shape in [[12], [12, 1], [1, 12]] {
      let flat = Tensor(shape: shape, values: (1...12).map(Double.init), elementType: .float64)
      #expect(try ParameterVector(.flat(flat), layout: network.parameterLayout) == vector)
    }
    let matrix = Tensor(shape: [2, 2], values: [1, 2, 3, 4])
    let only = ParameterLayout([("W1", [2, 2])])
    #expect(try ParameterVector(.flat(matrix), layout: only).values == matrix.values)
  }

  @Test(arguments: [
    ([ElementType.float64, .float64], ElementType.float64),
    ([.float64, .float32], .float32), ([.float16, .float32], .float16),
    ([.int32, .float32], .float32), ([.int64, .bool], .float64), ([.uint8, .float64], .float64),
  ])
  func takesTheLeastExactType(_ types: [ElementType], _ expected: ElementType) throws {
    let tensors = Dictionary(
      uniqueKeysWithValues: zip(["a", "b"], types).map {
        ($0, Tensor(shape: [1], values: [1], elementType: $1))
      })
    let layout = ParameterLayout([("a", [1]), ("b", [1])])
    #expect(try ParameterVector(.named(tensors), layout: layout).elementType == expected)
    let flat = Tensor(shape: [2], values: [1, 1], elementType: types[0])
    let type = try ParameterVector(.flat(flat), layout: layout).elementType
    #expect(type == (types[0].isFloatingPoint ? types[0] : .float64))
  }

  @Test func passesNaNInGradients() throws {
    let gradient = theta.merging(["b1": Tensor(shape: [3], values: [.nan, 8, .infinity])]) { $1 }
    let problem = try network.problem(batch: batch, parameters: theta, gradient: gradient)
    #expect(problem.gradient.values[6].isNaN)
    #expect(problem.gradient.values[8] == .infinity)
    #expect(problem.warnings.isEmpty)
  }

  @Test func warnsOfUnusedTensors() throws {
    let batch = batch.merging(["weights": Tensor.zeros([4]), "ids": Tensor.zeros([4])]) { $1 }
    let problem = try network.problem(batch: batch, parameters: theta, gradient: theta)
    #expect(
      problem.warnings == ["the batch holds ids, weights, which the network does not use"])
  }

  @Test(arguments: NetworkFixture.all)
  func seesFloat32InFloat64(_ fixture: NetworkFixture) throws {
    let narrow = try fixture.problem(gradient: fixture.path("gradient-f32.npz"))
    #expect(narrow.gradient.elementType == .float32)
    #expect(!narrow.warnings.contains { $0.contains("float32") })
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("widened.npz").path
      try TensorFile.write(narrow.gradient.tensors, to: path)
      let widened = try fixture.problem(gradient: path)
      #expect(widened.gradient.values == narrow.gradient.values)
      // Four values of one or two bits are all that this gradient consists of.
      let expected: ElementType =
        fixture.name == "cancelling-cross-entropy" ? .float64 : .float32
      #expect(widened.gradient.elementType == expected)
      #expect(
        widened.warnings.contains { $0.contains("float32") } == (expected == .float32))
    }
  }

  @Test func doesNotTakeFewOrWholeNumbersForFloat32() throws {
    let narrow = [0.1, 0.7, 1e-3].map { Double(Float($0)) }
    let halves = [Double](repeating: 0.5, count: 8)
    let table: [(values: [Double], type: ElementType)] = [
      (narrow, .float32), (Array(narrow[..<2]), .float32), (Array(narrow[..<1]), .float64),
      (narrow + [.nan, .infinity], .float32), (narrow + [0.1], .float64),
      (narrow + [1e-60], .float64),
      (halves, .float64), (halves + [0, .nan], .float64), (halves + [0.25], .float32),
      (halves + [0.1], .float64),
      ((0..<12).map { 1e5 + Double($0) }, .float64), (Tensor.zeros([12]).values, .float64),
    ]
    for (values, type) in table {
      let network = Network(
        inputs: values.count, layers: [DenseLayer(units: 1, weights: "W1", biases: nil)],
        loss: Loss(.squaredError))
      let shape = [1, values.count]
      let problem = try network.problem(
        batch: ["x": Tensor.zeros([2, values.count]), "y": Tensor.zeros([2])],
        parameters: ["W1": Tensor.zeros(shape)],
        gradient: ["W1": Tensor(shape: shape, values: values)])
      #expect(problem.gradient.elementType == type, "\(values)")
      #expect(problem.warnings.isEmpty == (type == .float64), "\(problem.warnings)")
    }
  }

  // MARK: Refused

  static let badParameters: [(change: [String: Tensor?], says: String)] = [
    (
      ["W2": nil],
      "W2: there is no such tensor, expected one of shape [1, 3]; found W1, b1; name each tensor as "
        + "the network does, or give --rename FROM=TO"
    ),
    (
      ["W2": nil, "w_2": Tensor.zeros([1, 3])],
      "W2: there is no such tensor, expected one of shape [1, 3]; found W1, b1, w_2; did you mean "
        + "'w_2'? (--rename w_2=W2)"
    ),
    (
      ["W1": nil, "b1": nil, "W2": nil],
      "W1: there is no such tensor, expected one of shape [3, 2]; found none; name each tensor as "
        + "the network does, or give --rename FROM=TO"
    ),
    (
      ["b3": Tensor.zeros([1]), "W3": Tensor.zeros([1])],
      "found W3, b3, which the network does not have; expected W1, b1, W2; leave them out"
    ),
    (
      ["W1": Tensor.zeros([3, 5])],
      "W1: found shape [3, 5], expected [3, 2]; correct it, or the network"
    ),
    (
      ["W1": Tensor.zeros([6])],
      "W1: found shape [6], expected [3, 2]; reshape it, if its values stand in that order"
    ),
    (
      ["W1": Tensor.zeros([2, 3])],
      "W1: found shape [2, 3], expected [3, 2]; it is transposed: give --transpose W1, or transpose it "
        + "in the file"
    ),
    (
      ["W1": Tensor.zeros([2, 3]), "W2": Tensor.zeros([3, 1])],
      "W1: found shape [2, 3], expected [3, 2], and every weight matrix is transposed; set "
        + "weightLayout to \"[in, out]\" in the network"
    ),
    (
      ["b1": Tensor.zeros([1, 1, 3])],
      "b1: found shape [1, 1, 3], expected [3]; reshape it, if its values stand in that order"
    ),
    (
      ["W1": Tensor(shape: [3, 2], values: [0, 1, 2, .nan, 4, 5])],
      "W1[1, 1]: found nan, expected a finite number; correct it before checking"
    ),
    (
      ["b1": Tensor(shape: [1, 3], values: [0, 0, -.infinity])],
      "b1[2]: found -inf, expected a finite number; correct it before checking"
    ),
  ]

  @Test(arguments: badParameters.indices)
  func refusesParameters(_ index: Int) {
    let (change, says) = Self.badParameters[index]
    var tensors = theta
    for (name, tensor) in change { tensors[name] = tensor }
    #expect(
      inputErrorMessage {
        try network.problem(batch: batch, parameters: tensors, gradient: theta)
      } == says)
  }

  @Test func refusesFlatVectors() {
    let table: [(Tensor, String)] = [
      (
        Tensor.zeros([10]),
        "found 10 values, expected 12; flatten W1 [3, 2], b1 [3], W2 [1, 3], in this order and each "
          + "row-major"
      ),
      (
        Tensor.zeros([3, 5]),
        "found one array of shape [3, 5], expected a vector [12]; flatten W1 [3, 2], b1 [3], W2 "
          + "[1, 3], each row-major, or write an .npz with names"
      ),
      (
        Tensor(shape: [12], values: (0..<12).map { $0 == 7 ? .nan : 1 }),
        "b1[1]: found nan, expected a finite number; correct it before checking"
      ),
    ]
    for (flat, says) in table {
      #expect(
        inputErrorMessage {
          try network.problem(batch: batch, parameters: .flat(flat), gradient: .named(theta))
        } == says)
    }
  }

  @Test func tellsTransposedGradientsFromLayouts() {
    let gradient = theta.merging(["W1": Tensor.zeros([2, 3]), "W2": Tensor.zeros([3, 1])]) { $1 }
    #expect(
      inputErrorMessage {
        try network.problem(batch: batch, parameters: theta, gradient: gradient)
      }
        == "W1: found shape [2, 3], expected [3, 2]; it is transposed: give --transpose W1, or transpose it "
        + "in the file")
  }

  @Test func refusesBatchesWithoutNames() {
    let table: [([String: Tensor], String)] = [
      (
        [:],
        "x: there is no such tensor, expected the inputs; found none; name the inputs x and the "
          + "targets y, or give --rename FROM=TO"
      ),
      (
        ["X": Tensor.zeros([4, 2]), "y": Tensor.zeros([4, 1])],
        "x: there is no such tensor, expected the inputs; found X, y; did you mean 'X'? "
          + "(--rename X=x)"
      ),
      (
        ["x": Tensor.zeros([4, 2]), "labels": Tensor.zeros([4, 1])],
        "y: there is no such tensor, expected the targets; found labels, x; name the inputs x and "
          + "the targets y, or give --rename FROM=TO"
      ),
    ]
    for (batch, says) in table {
      #expect(
        inputErrorMessage {
          try network.problem(batch: batch, parameters: theta, gradient: theta)
        } == says)
    }
  }

  // MARK: Files

  @Test(arguments: ["model.json", "batch.npz", "parameters.npz", "gradient.npz"])
  func namesTheFile(_ bad: String) throws {
    let fixture = try #require(NetworkFixture.all.first { $0.name == "l2" })
    try withTemporaryFolder { folder in
      let flat = folder.appendingPathComponent("flat.npy").path
      try TensorFile.write([("flat", Tensor.zeros([5]))], to: flat)
      let absent = folder.appendingPathComponent("absent").path
      func message(_ path: String) -> String {
        func pick(_ file: String) -> String { file == bad ? path : fixture.path(file) }
        return inputErrorMessage {
          try ProblemFiles.load(
            model: pick("model.json"), batch: pick("batch.npz"),
            parameters: pick("parameters.npz"), gradient: pick("gradient.npz"))
        }
      }
      #expect(message(absent) == "\(absent): no such file; check the name and the folder")
      #expect(message(flat).hasPrefix("\(flat): "), "\(message(flat))")
      if bad == "batch.npz" {
        #expect(
          message(flat)
            == "\(flat): found one array without a name, expected an .npz of x and y; write it with "
            + "numpy.savez(path, x=x, y=y)")
        let other = fixture.path("parameters.npz")
        #expect(message(other).hasPrefix("\(other): x: there is no such tensor"))
      }
    }
  }
}

// MARK: Helpers

/// Two inputs, three hidden units, one output without a bias: 12 parameters.
private let network = Network(
  inputs: 2,
  layers: [
    DenseLayer(units: 3, weights: "W1", biases: "b1", activation: .tanh),
    DenseLayer(units: 1, weights: "W2", biases: nil),
  ],
  loss: Loss(.squaredError))

private let batch = ["x": Tensor.zeros([4, 2]), "y": Tensor.zeros([4, 1])]

/// Values 1, 2, … in θ's order.
private let theta = [
  "W1": Tensor(shape: [3, 2], values: [1, 2, 3, 4, 5, 6]),
  "b1": Tensor(shape: [3], values: [7, 8, 9]),
  "W2": Tensor(shape: [1, 3], values: [10, 11, 12]),
]
