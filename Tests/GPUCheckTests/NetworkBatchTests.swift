import GPUCheck
import Testing

/// What a network accepts as x, y and masks, and what is said of the rest.
@Suite struct NetworkBatchTests {
  @Test func readsLabelsOfEveryShapeAndType() throws {
    let network = classifier()
    let expected = Tensor(shape: [2, 3], values: [0, 0, 1, 1, 0, 0])
    for y in [
      Tensor(shape: [2], values: [2, 0], elementType: .int64), Tensor(shape: [2], values: [2, 0]),
      Tensor(shape: [2, 1], values: [2, 0], elementType: .uint8), expected,
    ] {
      let graph = try network.graph(x: Tensor.zeros([2, 2]), y: y)
      guard case .constant(let targets)? = graph.nodes.first(where: { $0.name == "y" })?.definition
      else {
        Issue.record("y is not a constant")
        continue
      }
      #expect(targets.shape == expected.shape)
      #expect(targets.values == expected.values)
    }
  }

  static let badInputs: [(x: Tensor, says: String)] = [
    (
      Tensor.zeros([2, 4]),
      "x: found shape [2, 4], expected [batch, 2]; the axes are swapped: transpose it (x.T), "
        + "or give --transpose x"
    ),
    (
      Tensor.zeros([4, 3]),
      "x: found shape [4, 3], expected [batch, 2]; correct it, or the network's inputs"
    ),
    (
      Tensor.zeros([2]),
      "x: found shape [2], expected [batch, 2]; reshape a single sample to [1, 2]"
    ),
    (
      Tensor.zeros([4, 1, 2]),
      "x: found shape [4, 1, 2], expected [batch, 2]; flatten each sample: x.reshape(len(x), 2)"
    ),
    (
      Tensor.zeros([0, 2]),
      "x: found shape [0, 2], expected at least one sample; give a batch that is not empty"
    ),
    (
      Tensor(shape: [2, 2], values: [0, 1, 2, .nan]),
      "x[1, 1]: found nan, expected a finite number; correct it before checking"
    ),
    (
      Tensor(shape: [1, 2], values: [-.infinity, 1]),
      "x[0, 0]: found -inf, expected a finite number; correct it before checking"
    ),
  ]

  @Test(arguments: badInputs.indices)
  func refusesInputs(_ index: Int) {
    let (x, says) = Self.badInputs[index]
    let y = Tensor.zeros([x.shape.first ?? 0])
    #expect(inputErrorMessage { try classifier().graph(x: x, y: y) } == says)
  }

  static let badTargets: [(loss: Loss.Kind, units: Int, y: Tensor, says: String)] = [
    (
      .softmaxCrossEntropy, 3, Tensor(shape: [4], values: [0, 3, 2, 1], elementType: .int64),
      "y[1]: found 3, expected a class index, a whole number from 0 to 2; correct the label, or "
        + "the units of the last layer"
    ),
    (
      .softmaxCrossEntropy, 3, Tensor(shape: [4], values: [1, 2, 3, 1]),
      "y[2]: found 3, expected a class index, a whole number from 0 to 2; classes count from 0: "
        + "subtract 1"
    ),
    (
      .multiclassHinge(margin: 1), 3, Tensor(shape: [4, 1], values: [0, 1, 2, -1]),
      "y[3, 0]: found -1, expected a class index, a whole number from 0 to 2; correct the label, "
        + "or the units of the last layer"
    ),
    (
      .softmaxCrossEntropy, 3, Tensor(shape: [4], values: [0, 1.5, 2, 1]),
      "y[1]: found 1.5, expected a class index, a whole number from 0 to 2; labels are whole "
        + "numbers: correct y, or take a loss for real targets"
    ),
    (
      .softmaxCrossEntropy, 3, Tensor(shape: [4], values: [0, .nan, 2, 1]),
      "y[1]: found nan, expected a class index, a whole number from 0 to 2; labels are whole "
        + "numbers: correct y, or take a loss for real targets"
    ),
    (
      .softmaxCrossEntropy, 3, Tensor.zeros([5]),
      "y: found shape [5], expected [4] (class indices) or [4, 3] (probabilities); x holds 4 "
        + "samples: give both the same number"
    ),
    (
      .softmaxCrossEntropy, 3, Tensor.zeros([3, 4]),
      "y: found shape [3, 4], expected [4] (class indices) or [4, 3] (probabilities); the axes "
        + "are swapped: transpose it (y.T), or give --transpose y"
    ),
    (
      .multiclassHinge(margin: 1), 3, Tensor.zeros([1, 4]),
      "y: found shape [1, 4], expected [4] (class indices) or [4, 3] (one-hot labels); reshape it "
        + "to [4]"
    ),
    (
      .softmaxCrossEntropy, 2, Tensor(shape: [4, 2], values: [1, 0, 0.5, 0.5, 1.1, -0.1, 1, 0]),
      "y[2, 1]: found -0.1, expected a probability of at least 0; correct the target"
    ),
    (
      .softmaxCrossEntropy, 2, Tensor(shape: [4, 2], values: [1, 0, 0.5, 0.25, 1, 0, 1, 0]),
      "y[1]: found a row of sum 0.75, expected 1 within 0.001 (probabilities); divide each row by "
        + "its sum"
    ),
    (
      .multiclassHinge(margin: 1), 2,
      Tensor(shape: [4, 2], values: [1, 0, 0.5, 0.5, 1, 0, 1, 0]),
      "y[1, 0]: found 0.5, expected 0 or 1 (a one-hot label); give class indices [batch]"
    ),
    (
      .multiclassHinge(margin: 1), 2, Tensor(shape: [4, 2], values: [1, 0, 1, 1, 1, 0, 1, 0]),
      "y[1]: found a row of sum 2, expected 1 (a one-hot label); give class indices [batch]"
    ),
    (
      .squaredError, 3, Tensor.zeros([4]),
      "y: found shape [4], expected [4, 3] (a target for each output); class indices go with "
        + "softmax-cross-entropy and multiclass-hinge"
    ),
    (
      .huber(delta: 1), 1, Tensor.zeros([4, 2]),
      "y: found shape [4, 2], expected [4, 1] or [4]; correct y, or the units of the last layer"
    ),
    (
      .squaredError, 1, Tensor(shape: [4], values: [0, 1, .infinity, 0]),
      "y[2]: found inf, expected a finite number; correct it before checking"
    ),
    (
      .binaryCrossEntropy, 1, Tensor(shape: [4, 1], values: [0, 1, 0.5, 1.25]),
      "y[3, 0]: found 1.25, expected a number from 0 to 1 for binary cross-entropy; correct the "
        + "target"
    ),
    (
      .binaryCrossEntropyWithLogits, 1, Tensor(shape: [4], values: [1, -1, 1, 1]),
      "y[1]: found -1, expected a number from 0 to 1 for binary cross-entropy; labels -1 and 1 "
        + "become 0 and 1 by (y + 1)/2"
    ),
    (
      .hinge(margin: 1), 1, Tensor(shape: [4], values: [1, 0, 1, 1]),
      "y[1]: found 0, expected -1 or 1 for the hinge loss; labels 0 and 1 become -1 and 1 by "
        + "2*y - 1"
    ),
    (
      .hinge(margin: 1), 1, Tensor(shape: [4], values: [1, -1, 2, 1]),
      "y[2]: found 2, expected -1 or 1 for the hinge loss; correct the label"
    ),
  ]

  @Test(arguments: badTargets.indices)
  func refusesTargets(_ index: Int) {
    let (loss, units, y, says) = Self.badTargets[index]
    let network = Network(
      inputs: 2, layers: [DenseLayer(units: units, weights: "W1", biases: "b1")], loss: Loss(loss))
    #expect(inputErrorMessage { try network.graph(x: Tensor.zeros([4, 2]), y: y) } == says)
  }

  static let badMasks: [(masks: [String: Tensor], says: String)] = [
    (
      [:],
      "mask1: there is no such mask, layer 1 multiplies by it; add it to the batch, [4, 3] or [3]"
    ),
    (
      ["mask_1": Tensor.zeros([3])],
      "mask1: there is no such mask, layer 1 multiplies by it; did you mean 'mask_1'?"
    ),
    (
      ["mask1": Tensor.zeros([3, 4])],
      "mask1: found shape [3, 4], expected [4, 3] or [3], the mask of layer 1; the axes are "
        + "swapped: transpose it, or give --transpose mask1"
    ),
    (
      ["mask1": Tensor.zeros([4])],
      "mask1: found shape [4], expected [4, 3] or [3], the mask of layer 1; correct the mask"
    ),
    (
      ["mask1": Tensor(shape: [3], values: [1, .nan, 0])],
      "mask1[1]: found nan, expected a finite number; correct it before checking"
    ),
  ]

  @Test(arguments: badMasks.indices)
  func refusesMasks(_ index: Int) {
    let (masks, says) = Self.badMasks[index]
    let network = classifier(dropout: .mask("mask1"))
    #expect(
      inputErrorMessage {
        try network.graph(x: Tensor.zeros([4, 2]), y: Tensor.zeros([4]), masks: masks)
      }
        == says)
  }
}

// MARK: Helpers

/// Softmax regression, two inputs and three classes.
private func classifier(dropout: Dropout? = nil) -> Network {
  Network(
    inputs: 2, layers: [DenseLayer(units: 3, weights: "W1", biases: "b1", dropout: dropout)],
    loss: Loss(.softmaxCrossEntropy))
}
