/// The files of a problem.
public enum ProblemFiles {
  /// Reads a network file, a batch (`x`, `y` and the dropout masks by name), and θ and dθ, each by
  /// name or as one flat vector in the order of `Network.parameterLayout`.
  ///
  /// - Parameter names: what is renamed and transposed on the way.
  ///
  /// Throws an `InputError` naming the file, the tensor, and the element where one is to blame.
  public static func load(
    model: String, batch: String, parameters: String, gradient: String,
    names: TensorNames = .asStored
  ) throws -> Problem {
    var files = try Files(model: model, names: names)
    let theta = try files.vector(parameters)
    let dTheta = try files.vector(gradient)
    let tensors = try files.batch(batch)
    try files.mapping.requireUse()
    let network = files.network
    let vector = try InputError.about(file: parameters) { try network.parameterVector(theta) }
    let dVector = try InputError.about(file: gradient) { try network.gradientVector(dTheta) }
    let graph = try InputError.about(file: batch) { try network.graph(batch: tensors) }
    return network.problem(
      graph, parameters: vector, gradient: dVector, unused: network.unusedNames(in: tensors))
  }

  /// The same without a gradient: the graph, θ, and what to know of how they were read.
  public static func load(
    model: String, batch: String, parameters: String, names: TensorNames = .asStored
  ) throws -> (graph: Graph, parameters: ParameterVector, warnings: [String]) {
    var files = try Files(model: model, names: names)
    let theta = try files.vector(parameters)
    let tensors = try files.batch(batch)
    try files.mapping.requireUse()
    let network = files.network
    let vector = try InputError.about(file: parameters) { try network.parameterVector(theta) }
    let graph = try InputError.about(file: batch) { try network.graph(batch: tensors) }
    return (graph, vector, network.warnings(unused: network.unusedNames(in: tensors)))
  }

  /// The files of one problem on their way to the network's names.
  struct Files {
    let network: Network
    var mapping: TensorMapping

    init(model: String, names: TensorNames) throws {
      network = try NetworkFile.read(model)
      mapping = TensorMapping(
        names, layout: network.parameterLayout, batchNames: network.batchNames)
    }

    /// θ or dθ.
    mutating func vector(_ path: String) throws -> TensorFileContents {
      let contents = try TensorFile.read(path, expecting: network.parameterLayout.count)
      return try InputError.about(file: path) { try mapping.parameters(contents) }
    }

    mutating func batch(_ path: String) throws -> [String: Tensor] {
      let contents = try TensorFile.read(path, expecting: batchElements)
      return try InputError.about(file: path) {
        guard case .named(let tensors) = contents else {
          throw InputError(
            "found one array without a name, expected an .npz of x and y",
            remedy: "write it with numpy.savez(path, x=x, y=y)")
        }
        return try mapping.batch(tensors)
      }
    }
  }

  /// Elements that a compressed batch may expand to whatever its size: how many samples it holds
  /// only the batch itself tells.
  static let batchElements = 1 << 24
}
