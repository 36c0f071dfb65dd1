/// What of a model's outputs is J, as it is asked for on the command line.
public struct ONNXCost: Sendable, Equatable {
  /// The output that is J; nil for the only one of one element.
  public var output: String?
  /// A loss to add to an output, and the tensor of the batch that holds its labels.
  public var loss: (kind: Loss.Kind, labels: String)?
  /// How the samples' losses are put together.
  public var reduction: Loss.Reduction
  /// A file of dout by output: J = Σ dout·output.
  public var upstream: String?

  public init(
    output: String? = nil, loss: (kind: Loss.Kind, labels: String)? = nil,
    reduction: Loss.Reduction = .mean, upstream: String? = nil
  ) {
    self.output = output
    self.loss = loss
    self.reduction = reduction
    self.upstream = upstream
  }

  public static func == (a: ONNXCost, b: ONNXCost) -> Bool {
    a.output == b.output && a.loss?.kind == b.loss?.kind && a.loss?.labels == b.loss?.labels
      && a.reduction == b.reduction && a.upstream == b.upstream
  }
}

/// The files of a problem whose network is an ONNX model.
public enum ONNXProblemFiles {
  /// Reads a model, a batch (the model's other inputs by name), θ (nil: the model's initialisers) and
  /// dθ, whose names say what θ is.
  ///
  /// Throws an `InputError` naming the file, the tensor or node, and the element where one is to
  /// blame.
  public static func load(
    model: String, batch: String?, parameters: String?, gradient: String,
    cost: ONNXCost = ONNXCost(), names: TensorNames = .asStored
  ) throws -> Problem {
    var files = try Files(model: model, names: names)
    let dTheta = try files.parameters(gradient)
    let lowered = try files.lower(
      batch: batch, parameters: parameters, names: Array(dTheta.keys), cost: cost)
    let vector = try InputError.about(file: gradient) {
      try ParameterVector(.named(dTheta), layout: lowered.parameters.layout)
    }
    return Problem(
      graph: lowered.graph, parameters: lowered.parameters, storedGradient: vector,
      warnings: lowered.warnings)
  }

  /// The same without a gradient: θ is what the file of the parameters names.
  public static func load(
    model: String, batch: String?, parameters: String, cost: ONNXCost = ONNXCost(),
    names: TensorNames = .asStored
  ) throws -> (graph: Graph, parameters: ParameterVector, warnings: [String]) {
    var files = try Files(model: model, names: names)
    let theta = try files.parameters(parameters)
    let lowered = try files.lower(
      batch: batch, parameters: parameters, names: Array(theta.keys), cost: cost)
    return (lowered.graph, lowered.parameters, lowered.warnings)
  }

  /// The files of one problem on their way to the model's names.
  struct Files {
    let path: String
    let model: ONNXModel
    var mapping: TensorMapping
    /// Elements of all that could be a parameter.
    let parameterElements: Int

    init(model path: String, names: TensorNames) throws {
      self.path = path
      model = try ONNXFile.read(path)
      let layout = ParameterLayout(ONNXProblemSource(model: model).declaredParameters)
      parameterElements = layout.count
      mapping = TensorMapping(
        names, layout: layout, batchNames: Set(model.graph.inputs.map(\.name)))
    }

    /// θ or dθ by name.
    mutating func parameters(_ path: String) throws -> [String: Tensor] {
      let contents = try TensorFile.read(path, expecting: parameterElements)
      return try InputError.about(file: path) {
        guard case .named(let tensors) = try mapping.parameters(contents) else {
          throw InputError(
            "found one array without a name, expected tensors with the names of the model's inputs "
              + "or initialisers",
            remedy: "write them with numpy.savez or safetensors")
        }
        // Error bars, which --save-numeric writes beside the tensors, are passed over.
        let bars = Set(tensors.keys.map { NumericFile.barName(of: $0) })
        let known = Set(model.graph.inputs.map(\.name) + model.graph.initializerOrder)
        return tensors.filter { !bars.contains($0.key) || known.contains($0.key) }
      }
    }

    /// The model's inputs by name.
    mutating func batch(_ path: String) throws -> [String: Tensor] {
      let contents = try TensorFile.read(path, expecting: ProblemFiles.batchElements)
      return try InputError.about(file: path) {
        guard case .named(let named) = contents else {
          throw InputError(
            "found one array without a name, expected the model's inputs by name",
            remedy: "write them with numpy.savez or safetensors")
        }
        return try mapping.batch(named)
      }
    }

    mutating func lower(
      batch: String?, parameters: String?, names: [String], cost: ONNXCost
    ) throws -> ONNXProblemSource.Lowered {
      let theta = try parameters.map { try self.parameters($0) } ?? [:]
      var tensors = try batch.map { try self.batch($0) } ?? [:]
      try mapping.requireUse()
      let choice = try InputError.about(file: batch ?? path) {
        try self.choice(cost, batch: &tensors)
      }
      let source = ONNXProblemSource(model: model, cost: choice)
      return try InputError.about(file: path) {
        try source.lower(batch: tensors, parameters: theta, gradient: names)
      }
    }

    /// What of the model is J; takes the labels out of the batch.
    func choice(_ cost: ONNXCost, batch: inout [String: Tensor]) throws -> CostChoice {
      if let loss = cost.loss {
        guard let labels = batch[loss.labels] else {
          throw InputError(
            "the batch has no such tensor, expected the labels of --loss; found "
              + (batch.isEmpty ? "none" : listed(batch.keys.sorted())),
            tensor: loss.labels, remedy: "name the tensor of the batch with --labels")
        }
        if !model.graph.inputs.contains(where: { $0.name == loss.labels }) {
          batch[loss.labels] = nil
        }
        return .loss(loss.kind, cost.reduction, output: cost.output, labels: labels)
      }
      guard let path = cost.upstream else { return .output(cost.output) }
      return try InputError.about(file: path) {
        switch try TensorFile.read(path, expecting: ProblemFiles.batchElements) {
        case .named(let tensors): return .upstream(tensors)
        case .flat(let tensor):
          let outputs = model.graph.outputs.map(\.name)
          guard let only = cost.output ?? (outputs.count == 1 ? outputs.first : nil) else {
            throw InputError(
              "found one array without a name; the model has the outputs \(listed(outputs))",
              remedy: "name the output with --cost, or write an .npz with the outputs' names")
          }
          return .upstream([only: tensor])
        }
      }
    }
  }
}

extension ONNXProblemSource {
  /// What could be a parameter and has a shape of its own: initialisers, and inputs without symbolic
  /// dimensions.
  var declaredParameters: [(name: String, shape: [Int])] {
    ModelBinding(model.graph).known(parameterNames).segments.map { ($0.name, $0.shape) }
  }
}
