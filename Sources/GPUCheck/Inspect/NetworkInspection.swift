extension Network {
  /// What the file tells of a network.
  func inspection(
    _ path: String, _ graph: Graph, _ batch: [String: Tensor], hasBatch: Bool
  ) -> Inspection {
    let samples = hasBatch ? batch["x"]?.shape.first.map { String($0) } ?? "batch" : "batch"
    let targets = batch["y"]?.shape.dropFirst().map { String($0) } ?? []
    let masks = batchNames.subtracting(["x", "y"]).sorted().map { name in
      Inspection.Value(name: name, type: nil, shape: batch[name]?.shape.map { String($0) })
    }
    var uses: [String: Int] = [:]
    for node in graph.nodes {
      if case .apply(let operation, _) = node.definition {
        uses[operation.primitive.name, default: 0] += 1
      }
    }
    return Inspection(
      model: path, kind: .network, facts: ["network file \(NetworkFile.schema)"],
      inputs: [
        Inspection.Value(name: "x", type: nil, shape: [samples, String(inputs)]),
        Inspection.Value(name: "y", type: nil, shape: [samples] + targets),
      ] + masks,
      outputs: [],
      parameters: parameterLayout.segments.map {
        Inspection.Parameter(name: $0.name, shape: $0.shape, type: .float64)
      },
      operators: uses.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
        Inspection.OperatorUse(
          name: $0.key, count: $0.value, isSupported: true, isNeeded: true, note: "a primitive")
      },
      nodes: [], refusals: [],
      warnings: hasBatch ? [] : ["without --batch, everything is told for a batch of one sample"])
  }

  /// A batch of one sample that every loss takes. Throws an `InputError` where a layer is wider than
  /// anybody would make up numbers for.
  func oneSample() throws -> [String: Tensor] {
    let widest = layers.map(\.units).max().map { max($0, inputs) } ?? inputs
    guard widest <= ProblemFiles.batchElements else {
      throw InputError(
        "a layer of \(widest) values is too wide to make a sample up", remedy: "give a --batch")
    }
    let ones = { (shape: [Int]) in
      Tensor(shape: shape, values: [Double](repeating: 1, count: shape.reduce(1, *)))
    }
    var batch = [
      "x": ones([1, inputs]),
      "y": loss.kind.isOverClasses
        ? Tensor(shape: [1], values: [0], elementType: .int64) : ones([1, layers.last?.units ?? 1]),
    ]
    for layer in layers {
      if case .mask(let name) = layer.dropout { batch[name] = ones([layer.units]) }
    }
    return batch
  }
}
