import Kernels

/// What is told of an ONNX model: from the file alone, and with a batch of the graph of J too.
struct ONNXInspector {
  let path: String
  let model: ONNXModel
  let source: ONNXProblemSource
  private let binding: ModelBinding
  /// Why no output can be J as things stand; nil where one can.
  private let withoutCost: InputError?

  /// - Parameter cost: what is J; its labels are not needed.
  init(_ path: String, _ model: ONNXModel, cost: CostChoice) throws {
    self.path = path
    self.model = model
    binding = ModelBinding(model.graph)
    source = ONNXProblemSource(model: model, cost: cost)
    do {
      _ = try cost.outputs(of: model.graph)
      withoutCost = nil
    } catch let error as InputError where cost == .output(nil) {
      // What the model lacks, not what was asked for.
      withoutCost = error
    }
  }

  /// What the file tells, with the refusals that are known already.
  ///
  /// - Parameter layout: θ where somebody says what it is.
  func inspection(_ layout: ParameterLayout?) throws -> Inspection {
    let needed = try withoutCost == nil ? source.neededNames() : nil
    let parameters = parameters(
      layout ?? binding.known(source.defaultParameters(batch: [], needed: needed)))
    let operators = operatorUses(needed)
    let missing = operators.filter { !$0.isSupported && $0.isNeeded }
    return Inspection(
      model: path, kind: .onnx, facts: facts,
      inputs: model.graph.inputs.map(value), outputs: model.graph.outputs.map(value),
      parameters: parameters, operators: operators,
      nodes: Inspection.Node.nodes(of: model.graph, parameters: Set(parameters.map(\.name))),
      refusals: missing.map { "the operator \($0.name) is not supported: \($0.note)" }
        + (withoutCost.map { ["\($0)"] } ?? []),
      warnings: [])
  }

  private var facts: [String] {
    ["ONNX, IR version \(model.irVersion), opset \(model.opset)"]
      + model.opsets.sorted { $0.key < $1.key }.filter { !$0.key.isEmpty }
      .map { "opset \($0.value) of \($0.key)" }
      + (model.producer.isEmpty ? [] : ["written by \(model.producer)"])
  }

  private func value(_ value: ONNXValue) -> Inspection.Value {
    Inspection.Value(
      name: value.name, type: value.elementType,
      shape: value.shape?.map { dimension in
        switch dimension {
        case .size(let extent): String(extent)
        case .symbol(let name): name
        case .unknown: "?"
        }
      })
  }

  /// The tensors of θ, with the types that the model gives them.
  func parameters(_ layout: ParameterLayout) -> [Inspection.Parameter] {
    layout.segments.map {
      Inspection.Parameter(
        name: $0.name, shape: $0.shape, type: binding.elementType(of: $0.name))
    }
  }

  /// The operators of the graph and of the bodies within it, most frequent first.
  private func operatorUses(_ needed: Set<String>?) -> [Inspection.OperatorUse] {
    var uses: [String: Inspection.OperatorUse] = [:]
    func count(_ node: ONNXNode, isNeeded: Bool) {
      var use = uses[node.fullOperation] ?? Self.use(node)
      use.count += 1
      use.isNeeded = use.isNeeded || isNeeded
      uses[node.fullOperation] = use
      for case .graph(let body) in node.attributes.values {
        for inner in body.nodes { count(inner, isNeeded: isNeeded) }
      }
    }
    for node in model.graph.nodes {
      count(node, isNeeded: needed.map { node.outputs.contains(where: $0.contains) } ?? true)
    }
    return uses.values.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
  }

  private static func use(_ node: ONNXNode) -> Inspection.OperatorUse {
    var use = Inspection.OperatorUse(
      name: node.fullOperation, count: 0, isSupported: true, isNeeded: false, note: "")
    if UnsupportedOperator.isControlFlow(node) {
      use.note = "its body, put in its place"
    } else if let lowering = OperatorRegistry.lowering(of: node) {
      use.note = lowering.summary.filter { $0 != "`" }
    } else {
      use.isSupported = false
      use.note = UnsupportedOperator(node).reason ?? "there is no lowering of it"
    }
    return use
  }
}

extension ONNXProblemSource {
  /// What θ is where nobody says it: floating-point initialisers but for those without axes, which
  /// exporters write for constants, and floating-point inputs that no batch holds and whose shape is
  /// told. Of both those that J needs, where that is known.
  func defaultParameters(batch: Set<String>, needed: Set<String>?) -> [String] {
    let inputs = Dictionary(
      model.graph.inputs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    return parameterNames.filter { name in
      guard !batch.contains(name), needed?.contains(name) ?? true else { return false }
      if let stored = model.graph.initializers[name] { return !stored.shape.isEmpty }
      return inputs[name]?.shape?.extents.map(LanePlan.canPerturb) ?? false
    }
  }
}
