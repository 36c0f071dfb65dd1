import Kernels

extension JournalIdentity {
  /// What the results of a check depend on. The gradient is no part of it (only its precision is,
  /// by which ties are told): a gradient that was mended is checked against what is already known.
  init(
    _ problem: Problem, _ options: CheckOptions, _ precision: Precision, devices: [String],
    kernels: String
  ) {
    var theta = StableHash()
    theta.add(problem.parameters.values)
    var rest = StableHash()
    rest.add("\(options.evaluator) \(precision) \(options.scheme) \(problem.gradient.elementType)")
    rest.add("\(String(describing: options.epsilon)) \(String(describing: options.sample))")
    rest.add("\(options.seed)")
    for device in devices { rest.add(device) }
    rest.add(kernels)
    self.init(problem: problem.graph.hash, parameters: theta.value, options: rest.value)
  }
}

extension JournalIdentity {
  /// The same of a cost that is the user's own code, known by a hash of its files.
  init(
    cost: UInt64, _ parameters: ParameterVector, _ options: CheckOptions, _ precision: Precision,
    _ stored: ElementType, device: String
  ) {
    var theta = StableHash()
    theta.add(parameters.values)
    for part in parameters.layout.segments {
      theta.add(part.name)
      theta.add(part.shape)
    }
    var rest = StableHash()
    rest.add("\(precision) \(options.scheme) \(stored) \(options.average)")
    rest.add("\(String(describing: options.epsilon)) \(String(describing: options.sample))")
    rest.add("\(options.seed)")
    rest.add(device)
    self.init(problem: cost, parameters: theta.value, options: rest.value)
  }
}

extension Graph {
  /// A hash of nodes, values and terms.
  fileprivate var hash: UInt64 {
    var hash = StableHash()
    for node in nodes {
      hash.add(node.name)
      hash.add(node.shape)
      switch node.definition {
      case .constant(let tensor): hash.add(tensor.values)
      case .parameter(let segment): hash.add("parameter \(segment)")
      case .apply(let operation, let inputs): hash.add("\(operation) of \(inputs)")
      }
    }
    for term in terms { hash.add("\(term.node) times \(term.factor)") }
    return hash.value
  }
}
