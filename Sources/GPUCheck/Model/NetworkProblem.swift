// From a network and its arrays to a problem for the checker.

extension Network {
  /// The problem of values in memory.
  ///
  /// - Parameters:
  ///   - batch: `x`, `y` and the dropout masks by name.
  ///   - parameters: θ, by name or flat; must be finite.
  ///   - gradient: dθ, by name or flat; NaN and infinities are for the check to report.
  ///
  /// Throws an `InputError` naming the tensor, and the element where one is to blame.
  public func problem(
    batch: [String: Tensor], parameters: TensorFileContents, gradient: TensorFileContents
  ) throws -> Problem {
    let theta = try parameterVector(parameters)
    let gradient = try gradientVector(gradient)
    return problem(
      try graph(batch: batch), parameters: theta, gradient: gradient,
      unused: unusedNames(in: batch))
  }

  /// The same, with θ and dθ by name.
  public func problem(
    batch: [String: Tensor], parameters: [String: Tensor], gradient: [String: Tensor]
  ) throws -> Problem {
    try problem(batch: batch, parameters: .named(parameters), gradient: .named(gradient))
  }

  // MARK: Parts, each of which comes from a file of its own

  /// Puts a problem together from its parts.
  package func problem(
    _ graph: Graph, parameters: ParameterVector, gradient: ParameterVector, unused: [String]
  ) -> Problem {
    Problem(
      graph: graph, parameters: parameters, storedGradient: gradient,
      warnings: warnings(unused: unused))
  }

  /// The network's warnings, and one of what a batch holds for nothing.
  package func warnings(unused: [String]) -> [String] {
    guard !unused.isEmpty else { return warnings }
    return warnings + [
      "the batch holds \(unused.joined(separator: ", ")), which the network does not use"
    ]
  }

  /// θ from a file's tensors; finite.
  package func parameterVector(_ contents: TensorFileContents) throws -> ParameterVector {
    let layout = parameterLayout
    if case .named(let tensors) = contents, let name = transposedWeights(tensors),
      let expected = layout.segment(named: name)?.shape
    {
      let other = weightLayout == .outIn ? WeightLayout.inOut : .outIn
      throw InputError(
        "found shape \(Array(expected.reversed())), expected \(expected), and "
          + "\(layers.count == 1 ? "it" : "every weight matrix") is transposed", tensor: name,
        remedy: "set weightLayout to \"\(other.rawValue)\" in the network")
    }
    let vector = try ParameterVector(contents, layout: layout)
    try vector.requireFinite()
    return vector
  }

  /// dθ from a file's tensors.
  package func gradientVector(_ contents: TensorFileContents) throws -> ParameterVector {
    try ParameterVector(contents, layout: parameterLayout)
  }

  /// The graph of a batch file's tensors: `x`, `y` and the masks.
  package func graph(batch: [String: Tensor]) throws -> Graph {
    let extra = unusedNames(in: batch)
    func tensor(_ name: String, _ meaning: String) throws -> Tensor {
      if let tensor = batch[name] { return tensor }
      throw InputError(
        "there is no such tensor, expected \(meaning); found "
          + (batch.isEmpty ? "none" : batch.keys.sorted().joined(separator: ", ")), tensor: name,
        remedy: nearestName(to: name, among: extra).map {
          "did you mean '\($0)'? (--rename \($0)=\(name))"
        } ?? "name the inputs x and the targets y, or give --rename FROM=TO")
    }
    let x = try tensor("x", "the inputs")
    let y = try tensor("y", "the targets")
    return try graph(x: x, y: y, masks: batch.filter { $0.key != "x" && $0.key != "y" })
  }

  /// The tensors of a batch that nothing asks for.
  package func unusedNames(in batch: [String: Tensor]) -> [String] {
    let used = batchNames
    return batch.keys.filter { !used.contains($0) }.sorted()
  }

  /// What the network takes from a batch: `x`, `y` and the names of the masks.
  var batchNames: Set<String> {
    var names: Set = ["x", "y"]
    for layer in layers {
      if case .mask(let name) = layer.dropout { names.insert(name) }
    }
    return names
  }

  /// The first weight matrix that tells so, where all of them come transposed.
  private func transposedWeights(_ tensors: [String: Tensor]) -> String? {
    let layout = parameterLayout
    var first: String?
    for layer in layers {
      guard let expected = layout.segment(named: layer.weights)?.shape,
        let found = tensors[layer.weights]?.shape, found == expected.reversed()
      else { return nil }
      if found != expected { first = first ?? layer.weights }
    }
    return first
  }
}
