/// A loss of a model's output against labels.
struct LossOfOutput {
  let kind: Loss.Kind
  let reduction: Loss.Reduction
  /// The output.
  let name: String

  /// The loss, of one element.
  func value(_ output: LoweredValue, _ labels: Tensor, _ builder: GraphBuilder) throws
    -> LoweredValue
  {
    builder.name = "loss of \(name)"
    let terms: LoweredValue
    if kind.isOverClasses {
      let (rows, targets) = try classes(output, labels, builder)
      terms = try builder.apply(
        kind.overClasses, [rows, targets])
    } else {
      guard labels.count == output.count else { throw mismatch(output, labels) }
      terms = try builder.apply(
        .element(kind.elementwise ?? .squaredError),
        [output, builder.constant(output.shape, labels.values)])
    }
    let axes = Array(0..<terms.rank)
    return reduction == .mean
      ? try builder.mean(terms, axes: axes, keep: false)
      : try builder.sum(terms, axes: axes, keep: false)
  }

  /// Scores and the probabilities of the classes as rows. Classes stand on the last axis, or on the
  /// second where the labels' shape says so.
  private func classes(_ output: LoweredValue, _ labels: Tensor, _ builder: GraphBuilder) throws
    -> (LoweredValue, LoweredValue)
  {
    guard output.rank >= 1, output.count > 0 else { throw mismatch(output, labels) }
    for axis in [output.rank - 1, 1] where axis < output.rank {
      let count = output.shape[axis]
      var rest = output.shape
      rest.remove(at: axis)
      let rows = [output.count / count, count]
      if labels.shape == output.shape {
        return (
          try builder.reshape(builder.movedToEnd(output, axis), rows),
          try builder.reshape(
            builder.movedToEnd(LoweredValue(labels), axis), rows)
        )
      }
      guard labels.shape == rest || (rest.count == 1 && labels.count == rest[0]) else { continue }
      var targets = [Double](repeating: 0, count: output.count)
      for (row, label) in labels.values.enumerated() {
        guard let place = Int(exactly: label), (0..<count).contains(place) else {
          throw InputError(
            "found label \(label), expected a class from 0 to \(count - 1)",
            tensor: "labels", index: labels.index(ofFlat: row), remedy: "correct the labels")
        }
        targets[row * count + place] = 1
      }
      return (
        try builder.reshape(builder.movedToEnd(output, axis), rows),
        builder.constant(rows, targets)
      )
    }
    throw mismatch(output, labels)
  }

  private func mismatch(_ output: LoweredValue, _ labels: Tensor) -> InputError {
    InputError(
      "found labels of shape \(labels.shape) for the output \(name) \(output.shape)",
      tensor: "labels",
      remedy: kind.isOverClasses
        ? "give a class or a row of probabilities for each row of scores"
        : "give a target for each element")
  }
}

extension Loss.Kind {
  fileprivate var elementwise: ElementFunction? {
    switch self {
    case .binaryCrossEntropyWithLogits: .binaryCrossEntropyWithLogits
    case .binaryCrossEntropy: .binaryCrossEntropy
    case .squaredError: .squaredError
    case .huber(let delta): .huber(delta: delta)
    case .hinge(let margin): .hinge(margin: margin)
    case .softmaxCrossEntropy, .multiclassHinge: nil
    }
  }

  fileprivate var overClasses: Operator {
    if case .multiclassHinge(let margin) = self { return .multiclassHinge(margin: margin) }
    return .softmaxCrossEntropy
  }
}
