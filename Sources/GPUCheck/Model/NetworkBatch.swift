// What a network accepts as its batch: x, y and the dropout masks.

extension Network {
  /// The samples of x, which must be `[batch, inputs]`, finite, and hold one sample at least.
  func sampleCount(of x: Tensor) throws -> Int {
    let shape = x.shape
    guard shape.count == 2, shape[1] == inputs else {
      let remedy: String? =
        if shape.count == 2, shape[0] == inputs {
          "the axes are swapped: transpose it (x.T), or give --transpose x"
        } else if shape.count > 2, shape.dropFirst().reduce(1, *) == inputs {
          "flatten each sample: x.reshape(len(x), \(inputs))"
        } else if shape == [inputs] {
          "reshape a single sample to [1, \(inputs)]"
        } else if shape.count == 1, inputs == 1 {
          "reshape it to [\(shape[0]), 1]"
        } else {
          "correct it, or the network's inputs"
        }
      throw InputError(
        "found shape \(shape), expected [batch, \(inputs)]", tensor: "x", remedy: remedy)
    }
    guard shape[0] > 0 else {
      throw InputError(
        "found shape \(shape), expected at least one sample", tensor: "x",
        remedy: "give a batch that is not empty")
    }
    try requireFinite(x, "x")
    return shape[0]
  }

  /// The masks of the layers that name one, each `[batch, units]`: a mask `[units]` is repeated.
  func layerMasks(_ masks: [String: Tensor], batch: Int) throws
    -> [(name: String, tensor: Tensor)?]
  {
    try zip(1..., layers).map { number, layer in
      guard case .mask(let name) = layer.dropout else { return nil }
      guard let mask = masks[name] else {
        throw InputError(
          "there is no such mask, layer \(number) multiplies by it", tensor: name,
          remedy: nearestName(to: name, among: masks.keys.sorted())
            .map { "did you mean '\($0)'?" }
            ?? "add it to the batch, [\(batch), \(layer.units)] or [\(layer.units)]")
      }
      guard mask.shape == [layer.units] || mask.shape == [batch, layer.units] else {
        throw InputError(
          "found shape \(mask.shape), expected [\(batch), \(layer.units)] or [\(layer.units)], the "
            + "mask of layer \(number)", tensor: name,
          remedy: mask.shape == [layer.units, batch]
            ? "the axes are swapped: transpose it, or give --transpose \(name)" : "correct the mask"
        )
      }
      try requireFinite(mask, name)
      guard mask.shape.count == 1 else { return (name, mask) }
      let values = [[Double]](repeating: mask.values, count: batch).flatMap { $0 }
      return (
        name,
        Tensor(shape: [batch, layer.units], values: values, elementType: mask.elementType)
      )
    }
  }

  /// y as the loss takes it, `[batch, outputs]`: class indices become one-hot rows.
  func targets(_ y: Tensor, batch: Int) throws -> Tensor {
    let outputs = layers.last?.units ?? 0
    guard loss.kind.isOverClasses else { return try elementTargets(y, batch, outputs) }
    if y.shape == [batch] || y.shape == [batch, 1] { return try oneHot(y, classes: outputs) }
    if y.shape == [batch, outputs] {
      try checkRows(y, classes: outputs)
      return y
    }
    let rows = loss.kind == .softmaxCrossEntropy ? "probabilities" : "one-hot labels"
    throw wrongShape(
      of: y, batch, outputs,
      expected: "[\(batch)] (class indices) or [\(batch), \(outputs)] (\(rows))")
  }

  // MARK: Classes

  private func oneHot(_ y: Tensor, classes: Int) throws -> Tensor {
    var values = [Double](repeating: 0, count: y.count * classes)
    for (sample, label) in y.values.enumerated() {
      guard label == label.rounded(), label >= 0, label < Double(classes) else {
        throw InputError(
          "found \(plain(label)), expected a class index, a whole number from 0 to \(classes - 1)",
          tensor: "y", index: y.index(ofFlat: sample), remedy: remedy(forLabels: y, classes))
      }
      values[sample * classes + Int(label)] = 1
    }
    return Tensor(shape: [y.count, classes], values: values)
  }

  private func remedy(forLabels y: Tensor, _ classes: Int) -> String {
    if y.values.contains(where: { $0 != $0.rounded() }) {
      return "labels are whole numbers: correct y, or take a loss for real targets"
    }
    if y.values.allSatisfy({ (1...Double(classes)).contains($0) }) {
      return "classes count from 0: subtract 1"
    }
    return "correct the label, or the units of the last layer"
  }

  /// Rows of probabilities, or of one-hot labels for the multi-class hinge.
  private func checkRows(_ y: Tensor, classes: Int) throws {
    let oneHot = loss.kind != .softmaxCrossEntropy
    for (flat, value) in y.values.enumerated() {
      guard value.isFinite, value >= 0, !oneHot || value == 0 || value == 1 else {
        throw InputError(
          "found \(plain(value)), expected "
            + (oneHot ? "0 or 1 (a one-hot label)" : "a probability of at least 0"),
          tensor: "y", index: y.index(ofFlat: flat),
          remedy: oneHot ? "give class indices [batch]" : "correct the target")
      }
    }
    let tolerance = oneHot ? 0 : 1e-3
    for sample in 0..<y.shape[0] {
      let sum = y.values[sample * classes..<(sample + 1) * classes].reduce(0, +)
      guard (sum - 1).magnitude <= tolerance else {
        throw InputError(
          "found a row of sum \(plain(sum)), expected 1"
            + (oneHot ? " (a one-hot label)" : " within 0.001 (probabilities)"),
          tensor: "y", index: [sample],
          remedy: oneHot ? "give class indices [batch]" : "divide each row by its sum")
      }
    }
  }

  // MARK: Real targets

  private func elementTargets(_ y: Tensor, _ batch: Int, _ outputs: Int) throws -> Tensor {
    guard y.shape == [batch, outputs] || (outputs == 1 && y.shape == [batch]) else {
      throw wrongShape(
        of: y, batch, outputs,
        expected: outputs == 1
          ? "[\(batch), 1] or [\(batch)]" : "[\(batch), \(outputs)] (a target for each output)")
    }
    try requireFinite(y, "y")
    let range: (contains: (Double) -> Bool, expected: String, remedy: String)? =
      switch loss.kind {
      case .binaryCrossEntropy, .binaryCrossEntropyWithLogits:
        (
          { (0...1).contains($0) }, "a number from 0 to 1 for binary cross-entropy",
          y.values.allSatisfy { $0.magnitude == 1 }
            ? "labels -1 and 1 become 0 and 1 by (y + 1)/2" : "correct the target"
        )
      case .hinge:
        (
          { $0.magnitude == 1 }, "-1 or 1 for the hinge loss",
          y.values.allSatisfy { $0 == 0 || $0 == 1 }
            ? "labels 0 and 1 become -1 and 1 by 2*y - 1" : "correct the label"
        )
      default: nil
      }
    if let range, let flat = y.values.firstIndex(where: { !range.contains($0) }) {
      throw InputError(
        "found \(plain(y.values[flat])), expected \(range.expected)", tensor: "y",
        index: y.index(ofFlat: flat), remedy: range.remedy)
    }
    return Tensor(shape: [batch, outputs], values: y.values, elementType: y.elementType)
  }

  private func wrongShape(
    of y: Tensor, _ batch: Int, _ outputs: Int, expected: String
  ) -> InputError {
    let remedy =
      if y.shape == [outputs, batch] {
        "the axes are swapped: transpose it (y.T), or give --transpose y"
      } else if y.shape == [1, batch] {
        "reshape it to [\(batch)]"
      } else if let samples = y.shape.first, samples != batch {
        "x holds \(batch) samples: give both the same number"
      } else if y.shape == [batch] {
        "class indices go with softmax-cross-entropy and multiclass-hinge"
      } else {
        "correct y, or the units of the last layer"
      }
    return InputError(
      "found shape \(y.shape), expected \(expected)", tensor: "y", remedy: remedy)
  }
}

/// Throws an `InputError` at the first NaN or infinity.
func requireFinite(_ tensor: Tensor, _ name: String) throws {
  guard let flat = tensor.values.firstIndex(where: { !$0.isFinite }) else { return }
  throw InputError(
    "found \(plain(tensor.values[flat])), expected a finite number", tensor: name,
    index: tensor.index(ofFlat: flat), remedy: "correct it before checking")
}

/// A number as a person writes it: whole ones without a point.
private func plain(_ value: Double) -> String {
  Int(exactly: value).map(String.init) ?? "\(value)"
}
