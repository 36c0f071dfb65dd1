import Kernels

/// Looks a model's files through: what it is made of and, as far as that can be told beforehand, what
/// a check would take.
public enum ModelInspector {
  /// An ONNX model. Without a batch the graph is the file's, and nothing is estimated.
  ///
  /// - Parameters:
  ///   - parameters: says what θ is where there is no gradient; its other tensors are constants.
  ///   - gradient: says what θ is.
  ///
  /// Throws an `InputError` naming the file, and the tensor or node where one is to blame. Operators
  /// that are not supported are no error: the inspection lists them.
  public static func onnx(
    _ path: String, batch: String? = nil, parameters: String? = nil, gradient: String? = nil,
    cost: ONNXCost = ONNXCost(), names: TensorNames = .asStored,
    _ options: InspectOptions = InspectOptions()
  ) throws -> Inspection {
    try onnx(
      path, batch: batch, parameters: parameters, gradient: gradient, cost: cost, names: names,
      options, devices: nil)
  }

  /// The same for given devices; nil for those of this machine, which are asked for only where there
  /// is something to estimate.
  package static func onnx(
    _ path: String, batch: String?, parameters: String?, gradient: String?,
    cost: ONNXCost = ONNXCost(), names: TensorNames = .asStored,
    _ options: InspectOptions = InspectOptions(), devices: [DeviceDescription]?
  ) throws -> Inspection {
    var files = try ONNXProblemFiles.Files(model: path, names: names)
    let dTheta = try gradient.map { try files.parameters($0) }
    let theta = try parameters.map { try files.parameters($0) } ?? [:]
    var tensors = try batch.map { try files.batch($0) } ?? [:]
    try files.mapping.requireUse()
    let choice = try files.choice(forInspecting: cost, batch: &tensors, hasBatch: batch != nil)
    return try InputError.about(file: path) {
      let inspector = try ONNXInspector(path, files.model, cost: choice)
      let named = dTheta?.keys.sorted() ?? (theta.isEmpty ? nil : theta.keys.sorted())
      let shapes = theta.merging(dTheta ?? [:]) { $1 }.mapValues(\.shape)
      let layout = try named.map {
        try ModelBinding(files.model.graph).layout(shapes, gradient: $0)
      }
      var inspection = try inspector.inspection(layout)
      guard inspection.refusals.isEmpty else { return inspection }
      let lowered: (graph: Graph, warnings: [String])
      if let named {
        guard batch != nil || inspector.source.needsNoBatch(gradient: named) else {
          return inspection
        }
        lowered = try inspector.source.outline(
          batch: tensors, shapes: shapes, constants: theta, gradient: named)
      } else {
        guard batch != nil else { return inspection }
        lowered = try inspector.source.outline(batch: tensors)
      }
      inspection.parameters = inspector.parameters(lowered.graph.layout)
      inspection.add(lowered.graph, options, devices: devices ?? present())
      inspection.warnings += lowered.warnings
      return inspection
    }
  }

  /// A network in a JSON file. Without a batch one sample is taken, which tells all but how much work
  /// a sample more is.
  public static func network(
    _ path: String, batch: String? = nil, parameters: String? = nil, gradient: String? = nil,
    names: TensorNames = .asStored, _ options: InspectOptions = InspectOptions()
  ) throws -> Inspection {
    try network(
      path, batch: batch, parameters: parameters, gradient: gradient, names: names, options,
      devices: nil)
  }

  /// The same for given devices; nil for those of this machine.
  package static func network(
    _ path: String, batch: String?, parameters: String?, gradient: String?,
    names: TensorNames = .asStored, _ options: InspectOptions = InspectOptions(),
    devices: [DeviceDescription]?
  ) throws -> Inspection {
    var files = try ProblemFiles.Files(model: path, names: names)
    let network = files.network
    // θ is the network's; a file of it can only be wrong.
    for file in [parameters, gradient].compactMap(\.self) {
      let contents = try files.vector(file)
      _ = try InputError.about(file: file) { try network.gradientVector(contents) }
    }
    let tensors =
      try batch.map { try files.batch($0) }
      ?? InputError.about(file: path) { try network.oneSample() }
    try files.mapping.requireUse()
    let graph = try InputError.about(file: batch ?? path) { try network.graph(batch: tensors) }
    let unused = batch == nil ? [] : network.unusedNames(in: tensors)
    var inspection = network.inspection(path, graph, tensors, hasBatch: batch != nil)
    inspection.add(graph, options, devices: devices ?? present())
    inspection.warnings += network.warnings(unused: unused)
    return inspection
  }

  /// The devices of this machine, untested.
  private static func present() -> [DeviceDescription] { Devices.all().devices.map(\.description) }
}

extension Inspection {
  /// Puts the graph that a check evaluates in the place of the file's, with what a check would take.
  fileprivate mutating func add(
    _ graph: Graph, _ options: InspectOptions, devices: [DeviceDescription]
  ) {
    nodes = Node.nodes(of: graph)
    let estimate = CheckEstimate(graph, options, devices: devices)
    refusals += estimate.segments.compactMap { segment in
      segment.refusal.map { "\(segment.name): \($0)" }
    }
    self.estimate = estimate
  }
}

extension ONNXProblemSource {
  /// The graph of J over all that may be θ and that J depends on.
  fileprivate func outline(batch: [String: Tensor]) throws -> (graph: Graph, warnings: [String]) {
    let names = defaultParameters(batch: Set(batch.keys), needed: try neededNames())
    guard !names.isEmpty else {
      throw InputError(
        "nothing that J needs can be θ: there is no floating-point initialiser, and no such input "
          + "beside the batch's",
        remedy: "say what θ is with --parameters or --gradient")
    }
    let lowered = try outline(batch: batch, gradient: names)
    let used = Set(lowered.graph.usedSegments.map { lowered.graph.layout.segments[$0].name })
    guard used.count < names.count, !used.isEmpty else { return lowered }
    return try outline(batch: batch, gradient: names.filter(used.contains))
  }

  /// Whether θ and constants are all that J is made of.
  fileprivate func needsNoBatch(gradient: [String]) -> Bool {
    (try? batchInputs(gradient: gradient).isEmpty) ?? false
  }
}

extension ONNXProblemFiles.Files {
  /// What of the model is J. Without a batch there are no labels, and the outputs are known anyway.
  fileprivate func choice(
    forInspecting cost: ONNXCost, batch: inout [String: Tensor], hasBatch: Bool
  ) throws -> CostChoice {
    if let loss = cost.loss, !hasBatch {
      return .loss(
        loss.kind, cost.reduction, output: cost.output, labels: Tensor(shape: [0], values: []))
    }
    return try choice(cost, batch: &batch)
  }
}
