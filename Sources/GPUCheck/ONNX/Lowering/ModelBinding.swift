/// Brings the tensors of files to a model's inputs and initialisers.
struct ModelBinding {
  private let graph: ONNXGraph
  private let inputs: [String: ONNXValue]

  init(_ graph: ONNXGraph) {
    self.graph = graph
    inputs = Dictionary(graph.inputs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The type that the model gives an input or initialiser.
  func elementType(of name: String) -> ElementType {
    inputs[name]?.elementType ?? graph.initializers[name]?.elementType ?? .float32
  }

  // MARK: θ

  /// θ: the tensors that the gradient names.
  func parameters(_ given: [String: Tensor], gradient: [String]) throws -> ParameterVector {
    let tensors = try ordered(gradient).map { ($0, try parameter($0, given)) }
    let types = tensors.map(\.1.elementType).filter(\.isFloatingPoint)
    return try ParameterVector(
      layout: ParameterLayout(tensors.map { ($0, $1.shape) }),
      values: tensors.flatMap(\.1.values),
      elementType: types.max { $0.unitRoundoff < $1.unitRoundoff } ?? .float64)
  }

  /// How θ is laid out, where its values are not needed: shapes that are given come before those that
  /// the model declares.
  func layout(_ given: [String: [Int]], gradient: [String]) throws -> ParameterLayout {
    ParameterLayout(try ordered(gradient).map { ($0, try shape($0, given[$0])) })
  }

  /// Those of some tensors whose shape the model tells.
  func known(_ names: [String]) -> ParameterLayout {
    ParameterLayout(
      names.compactMap { name in
        let shape = graph.initializers[name]?.shape ?? inputs[name]?.shape?.extents
        return shape.flatMap { LanePlan.canPerturb($0) ? (name, $0) : nil }
      })
  }

  /// The names of the gradient in the order of the model's inputs, then of its initialisers.
  private func ordered(_ gradient: [String]) throws -> [String] {
    let names = Set(gradient)
    let unknown = gradient.filter { inputs[$0] == nil && graph.initializers[$0] == nil }.sorted()
    if let first = unknown.first { throw missing(first, among: unknown, others: names) }
    let order =
      graph.inputs.map(\.name) + graph.initializerOrder.filter { inputs[$0] == nil }
    let found = order.filter(names.contains)
    guard !found.isEmpty else {
      throw InputError(
        "the gradient names no tensor, expected some of \(listed(order))",
        remedy: "write it with the names of the model's inputs or initialisers")
    }
    return found
  }

  private func requireFloatingPoint(_ name: String) throws {
    let type = elementType(of: name)
    guard type.isFloatingPoint else {
      throw InputError(
        "its elements are \(type.rawValue), expected a floating-point type: integers have no gradient",
        tensor: name, remedy: "leave it out of the gradient")
    }
  }

  private func shape(_ name: String, _ given: [Int]?) throws -> [Int] {
    try requireFloatingPoint(name)
    let stored = graph.initializers[name]?.shape
    if let given, let stored, given != stored { throw wrongShape(name, given, expected: stored) }
    guard let shape = given ?? stored ?? inputs[name]?.shape?.extents else {
      throw InputError(
        "it is an input of the model, whose shape is not told", tensor: name,
        remedy: "give the parameters (--parameters), with this name")
    }
    guard LanePlan.canPerturb(shape) else {
      throw InputError(
        "found shape \(shape), expected at most \(Int32.max) components", tensor: name,
        remedy: "check a smaller network of the same kind")
    }
    return shape
  }

  private func parameter(_ name: String, _ given: [String: Tensor]) throws -> Tensor {
    try requireFloatingPoint(name)
    let stored = graph.initializers[name]
    guard let tensor = given[name] else {
      guard let stored else {
        throw InputError(
          "it is an input of the model, and no file holds its value", tensor: name,
          remedy: "give the parameters (--parameters), with this name")
      }
      return try finite(stored.tensor(), name)
    }
    if let stored, stored.shape != tensor.shape {
      throw wrongShape(name, tensor.shape, expected: stored.shape)
    }
    return try finite(tensor, name)
  }

  private func finite(_ tensor: Tensor, _ name: String) throws -> Tensor {
    try requireFinite(tensor, name)
    return tensor
  }

  /// A parameter that is not checked; nil where the model has none of that name.
  func constant(_ name: String, _ tensor: Tensor) throws -> LoweredValue? {
    guard let shape = graph.initializers[name]?.shape ?? (inputs[name] == nil ? nil : tensor.shape)
    else { return nil }
    guard shape == tensor.shape else { throw wrongShape(name, tensor.shape, expected: shape) }
    var tensor = tensor
    tensor.elementType = elementType(of: name)
    return LoweredValue(tensor)
  }

  private func wrongShape(_ name: String, _ found: [Int], expected: [Int]) -> InputError {
    InputError(
      "found shape \(found), expected \(expected)", tensor: name,
      remedy: found == expected.reversed()
        ? "it is transposed: give --transpose \(name), or transpose it in the file"
        : "correct it, or the model")
  }

  /// Names of the gradient that the model does not have. Exporters fold parameters away: then
  /// initialisers of other names, such as onnx::MatMul_42, stand for them, or nothing does.
  private func missing(_ name: String, among unknown: [String], others: Set<String>) -> InputError {
    let known =
      graph.inputs.map(\.name) + graph.initializerOrder.filter { inputs[$0] == nil }
    let spare = known.filter {
      !others.contains($0) && elementType(of: $0).isFloatingPoint
    }
    var problem = "the model has no input or initialiser of this name"
    if unknown.count > 1 { problem += ", nor of \(listed(Array(unknown.dropFirst())))" }
    if let nearest = nearestName(to: name, among: spare) {
      return InputError(
        problem, tensor: name, remedy: "did you mean '\(nearest)'? (--rename \(name)=\(nearest))")
    }
    // Where the model has some of the gradient's names its exporter knew them all, and names like
    // these are an exporter's own.
    let isFolded =
      unknown.count < others.count || spare.contains { $0.contains("::") || $0.hasPrefix("val_") }
    guard isFolded else {
      return InputError(
        problem + "; found \(known.isEmpty ? "none" : listed(known))", tensor: name,
        remedy: "name each tensor as the model does, or give --rename FROM=TO")
    }
    let made = spare.filter { graph.initializers[$0] != nil }
    problem += "; the exporter has folded \(unknown.count == 1 ? "it" : "them")"
    if !made.isEmpty { problem += " into constants such as \(listed(made))" }
    return InputError(
      problem, tensor: name,
      remedy: "export the model with its parameters as inputs, or without constant folding")
  }

  // MARK: The batch

  /// The batch's tensor for an input.
  func batchTensor(_ input: ONNXValue, _ batch: [String: Tensor]) throws -> Tensor {
    guard var tensor = batch[input.name] else {
      let spare = batch.keys.filter { inputs[$0] == nil }.sorted()
      throw InputError(
        "the batch has no such tensor, expected the model's input"
          + (input.shape.map { " \($0.text)" } ?? "") + "; found "
          + (batch.isEmpty ? "none" : listed(batch.keys.sorted())), tensor: input.name,
        remedy: nearestName(to: input.name, among: spare).map {
          "did you mean '\($0)'? (--rename \($0)=\(input.name))"
        } ?? "name it as the model does, or give --rename FROM=TO")
    }
    let type = input.elementType ?? tensor.elementType
    if type.isInteger, tensor.elementType.isFloatingPoint,
      let at = tensor.values.firstIndex(where: { $0 != $0.rounded(.towardZero) })
    {
      throw InputError(
        "found \(tensor.values[at]), expected \(type.rawValue)", tensor: input.name,
        index: tensor.index(ofFlat: at), remedy: "store whole numbers")
    }
    tensor.elementType = type
    return tensor
  }

  // MARK: Warnings

  /// What J does not depend on, and what was handed in for nothing.
  func warnings(_ graph: Graph, parameters: [String: Tensor], batch: [String: Tensor]) -> [String] {
    let used = graph.usedSegments
    var warnings: [String] = []
    let idle = graph.layout.segments.enumerated().filter { !used.contains($0.offset) }
      .map(\.element.name)
    if !idle.isEmpty {
      warnings.append(
        "J does not depend on \(listed(idle)): the right gradient is zero")
    }
    let unknown = parameters.keys.filter { inputs[$0] == nil && self.graph.initializers[$0] == nil }
    if !unknown.isEmpty {
      warnings.append(
        "the parameters hold \(listed(unknown.sorted())), which the model does not have")
    }
    let extra = batch.keys.filter { inputs[$0] == nil }
    if !extra.isEmpty {
      warnings.append("the batch holds \(listed(extra.sorted())), which the model does not use")
    }
    return warnings
  }
}
