import Foundation
import GPUCheck
import Testing

/// From networks to graphs: every fixture's cost, layouts, names and warnings.
@Suite struct NetworkGraphTests {
  // MARK: Costs

  @Test(arguments: NetworkFixture.all)
  func costsWhatNumPySays(_ fixture: NetworkFixture) throws {
    let problem = try fixture.problem()
    let cost = Textbook.cost(problem.graph, problem.parameters.values)
    let error = (cost - fixture.cost).magnitude / fixture.cost.magnitude
    #expect(
      error <= fixture.bar,
      "\(fixture.name): J = \(cost), NumPy \(fixture.cost): \(error) off, the bar is \(fixture.bar)"
    )
  }

  @Test(arguments: NetworkFixture.all)
  func laysOutParameters(_ fixture: NetworkFixture) throws {
    let problem = try fixture.problem()
    let layout = problem.parameters.layout
    #expect(layout.segments.map(\.name) == fixture.tensors)
    #expect(layout.count == fixture.parameters)
    #expect(problem.gradient.layout == layout)
    #expect(problem.graph.layout == layout)
    #expect(problem.parameters.elementType == .float64)
    #expect(problem.gradient.elementType == .float64, "float32 is seen where there is none")
    #expect(problem.warnings.allSatisfy { $0.contains("dropout") }, "\(problem.warnings)")
  }

  @Test(arguments: NetworkFixture.all)
  func readsFlatArraysAlike(_ fixture: NetworkFixture) throws {
    let named = try fixture.problem()
    try withTemporaryFolder { folder in
      func write(_ name: String, _ vector: ParameterVector) throws -> String {
        let path = folder.appendingPathComponent(name).path
        let flat = Tensor(shape: [vector.values.count], values: vector.values)
        try TensorFile.write([("flat", flat)], to: path)
        return path
      }
      let flat = try ProblemFiles.load(
        model: fixture.path("model.json"), batch: fixture.path("batch.npz"),
        parameters: write("parameters.npy", named.parameters),
        gradient: write("gradient.npy", named.gradient))
      #expect(flat.parameters == named.parameters)
      #expect(flat.gradient == named.gradient)
      #expect(flat.warnings == named.warnings)
    }
  }

  @Test func namesNodesAndTerms() throws {
    let network = Network(
      inputs: 2,
      layers: [
        DenseLayer(
          units: 3, weights: "U", biases: nil, activation: .tanh, dropout: .mask("m")),
        DenseLayer(units: 2, weights: "V", biases: "c"),
      ],
      loss: Loss(.squaredError, outputs: .sum, factor: 0.5),
      regularization: Regularization(l2: 0.2, l1: 0.3, perSample: true, scope: .weights),
      weightLayout: .inOut)
    let layout = ParameterLayout([("U", [2, 3]), ("V", [3, 2]), ("c", [2])])
    #expect(network.parameterLayout == layout)
    let graph = try network.graph(
      x: Tensor.zeros([4, 2]), y: Tensor.zeros([4, 2]),
      masks: ["m": Tensor(shape: [3], values: [0, 2, 1]), "unused": Tensor.zeros([9])])
    #expect(
      graph.nodes.map(\.name) == [
        "U", "V", "c", "x", "z1", "a1", "m", "dropout1", "z2", "y", "loss", "l2 of U", "l2 of V",
        "l1 of U", "l1 of V",
      ])
    #expect(graph.terms.map(\.node) == [10, 11, 12, 13, 14])
    #expect(graph.terms.map(\.factor) == [0.125, 0.025, 0.025, 0.075, 0.075])
    guard case .constant(let mask) = graph.nodes[6].definition else {
      Issue.record("the mask is not a constant")
      return
    }
    #expect(
      mask
        == Tensor(
          shape: [4, 3], values: [[0, 2, 1], [0, 2, 1], [0, 2, 1], [0, 2, 1]].flatMap { $0 }))
  }

  @Test func warnsOfWhatIsEasilyMeantOtherwise() throws {
    func warnings(_ layer: DenseLayer, _ kind: Loss.Kind) -> [String] {
      Network(inputs: 2, layers: [layer], loss: Loss(kind)).warnings
    }
    func layer(_ units: Int, _ activation: Activation, _ dropout: Dropout? = nil) -> DenseLayer {
      DenseLayer(
        units: units, weights: "W1", biases: "b1", activation: activation, dropout: dropout)
    }
    #expect(warnings(layer(3, .identity), .softmaxCrossEntropy).isEmpty)
    #expect(warnings(layer(1, .sigmoid), .binaryCrossEntropy).isEmpty)
    #expect(
      warnings(layer(3, .softmax), .softmaxCrossEntropy)
        == ["layer 1: softmax-cross-entropy applies softmax itself, after this layer's own"])
    #expect(
      warnings(layer(1, .sigmoid), .binaryCrossEntropyWithLogits) == [
        "layer 1: binary-cross-entropy-with-logits applies the sigmoid itself, after this layer's "
          + "own"
      ])
    #expect(
      warnings(layer(1, .identity), .softmaxCrossEntropy)
        == ["softmax-cross-entropy over a single class is always 0"])
    #expect(
      warnings(layer(3, .identity, .keepAll), .squaredError)
        == ["layer 1: dropout is checked with keep-probability 1"])
    #expect(
      warnings(layer(3, .identity, .mask("m")), .squaredError)
        == ["layer 1: dropout is checked with the given mask 'm'"])
  }

  @Test func refusesNetworksOfNoStructure() {
    let layer = DenseLayer(units: 3, weights: "W1", biases: "W1")
    let table: [(Network, String)] = [
      (
        Network(inputs: 2, layers: [], loss: Loss(.squaredError)),
        "the network has no layers; add at least one"
      ),
      (
        Network(inputs: 0, layers: [layer], loss: Loss(.squaredError)),
        "the network has 0 inputs, expected at least 1"
      ),
      (
        Network(
          inputs: 2, layers: [DenseLayer(units: 0, weights: "W", biases: nil)],
          loss: Loss(.squaredError)),
        "layer 1 has 0 units, expected at least 1"
      ),
      (
        Network(inputs: 2, layers: [layer], loss: Loss(.squaredError)),
        "W1: two parameters have this name; give each parameter a name of its own"
      ),
    ]
    for (network, says) in table {
      #expect(
        inputErrorMessage { try network.graph(x: Tensor.zeros([4, 2]), y: Tensor.zeros([4, 3])) }
          == says)
    }
  }
}
