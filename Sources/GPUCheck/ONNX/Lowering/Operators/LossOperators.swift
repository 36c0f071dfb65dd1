// Losses of ONNX: cross-entropy of logits, and the negative log-likelihood of log probabilities.

enum LossOperators {
  static let operators: [OperatorLowering] = [
    .outputs("SoftmaxCrossEntropyLoss", "`softmax-cross-entropy`") { call, builder in
      let logits = try call.input(0)
      let loss = try crossEntropy(call, logits, builder)
      let logarithms =
        try call.wants(1)
        ? builder.softmax(logits, axis: 1, isLogarithm: true) : nil
      return [loss, logarithms]
    },
    .one(
      "NegativeLogLikelihoodLoss",
      "`softmax-cross-entropy` of what a log softmax was of, else a weighted sum"
    ) {
      call, builder in
      let x = try call.input(0)
      if let origin = builder.softmaxed(x), origin.isLogarithm, origin.axis == 1 {
        return try crossEntropy(call, origin.logits, builder)
      }
      let (targets, weights) = try targets(call, x, builder)
      let terms = try builder.negative(
        builder.sum(builder.multiply(rows(x, builder), targets), axes: [1], keep: false))
      return try reduced(call, terms, weights: weights, x, builder)
    },
  ]

  private static func crossEntropy(
    _ call: OperatorCall, _ logits: LoweredValue, _ builder: GraphBuilder
  ) throws -> LoweredValue {
    let (targets, weights) = try targets(call, logits, builder)
    let terms = try builder.apply(.softmaxCrossEntropy, [rows(logits, builder), targets])
    return try reduced(call, terms, weights: weights, logits, builder)
  }

  /// `[batch, classes, …]` as `[rows, classes]`.
  static func rows(_ x: LoweredValue, _ builder: GraphBuilder) throws -> LoweredValue {
    try builder.reshape(
      builder.movedToEnd(x, 1), [x.count / max(1, x.shape[1]), x.shape[1]])
  }

  /// The weight of its label for every row, at the label's place; and these weights alone.
  private static func targets(
    _ call: OperatorCall, _ x: LoweredValue, _ builder: GraphBuilder
  ) throws -> (LoweredValue, weights: [Double]) {
    guard x.rank >= 2 else {
      throw call.error("found scores of shape \(x.shape), expected [batch, classes, …]")
    }
    let classes = x.shape[1]
    let labels = try builder.atTheta(call.input(1), "the labels")
    guard labels.shape == [x.shape[0]] + x.shape.dropFirst(2) else {
      throw call.error(
        "found labels of shape \(labels.shape) for scores of shape \(x.shape), expected "
          + "\([x.shape[0]] + x.shape.dropFirst(2))")
    }
    let ignored = try call.int("ignore_index")
    let perClass = try call.optional(2).map {
      try builder.atTheta($0, "the classes' weights").values
    }
    guard perClass?.count ?? classes == classes else {
      throw call.error("found \(perClass?.count ?? 0) weights for \(classes) classes")
    }
    var targets = [Double](repeating: 0, count: labels.count * classes)
    var weights: [Double] = []
    for (row, value) in labels.values.enumerated() {
      let label = Int(clamping: value)
      guard label != ignored else {
        weights.append(0)
        continue
      }
      guard (0..<classes).contains(label), Double(label) == value else {
        throw InputError(
          "found label \(value), expected a class from 0 to \(classes - 1)"
            + (ignored.map { " or \($0), which is ignored" } ?? ""),
          tensor: call.node.inputs[1], index: labels.index(ofFlat: row),
          remedy: "correct the labels, or set ignore_index")
      }
      let weight = perClass?[label] ?? 1
      targets[row * classes + label] = weight
      weights.append(weight)
    }
    return (builder.constant([labels.count, classes], targets), weights)
  }

  /// The losses of all rows, their sum, or their mean by weight.
  private static func reduced(
    _ call: OperatorCall, _ terms: LoweredValue, weights: [Double], _ x: LoweredValue,
    _ builder: GraphBuilder
  ) throws -> LoweredValue {
    switch try call.string("reduction", "mean") {
    case "none": return try builder.reshape(terms, [x.shape[0]] + x.shape.dropFirst(2))
    case "sum": return try builder.sum(terms, axes: [0], keep: false)
    case "mean":
      return try builder.divide(
        builder.sum(terms, axes: [0], keep: false), weights.reduce(0, +))
    case let other:
      throw call.error("found reduction '\(other)', expected none, sum or mean")
    }
  }
}
