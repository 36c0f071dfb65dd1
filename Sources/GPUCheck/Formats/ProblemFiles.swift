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
    let network = try NetworkFile.read(model)
    var mapping = TensorMapping(names, for: network)
    let count = network.parameterLayout.count
    func read(_ path: String) throws -> TensorFileContents {
      let contents = try TensorFile.read(path, expecting: count)
      return try InputError.about(file: path) { try mapping.parameters(contents) }
    }
    let theta = try read(parameters)
    let dTheta = try read(gradient)
    let tensors = try readBatch(batch, &mapping)
    try mapping.requireUse()
    let vector = try InputError.about(file: parameters) { try network.parameterVector(theta) }
    let dVector = try InputError.about(file: gradient) { try network.gradientVector(dTheta) }
    let graph = try InputError.about(file: batch) { try network.graph(batch: tensors) }
    return network.problem(
      graph, parameters: vector, gradient: dVector, unused: network.unusedNames(in: tensors))
  }

  /// Elements that a compressed batch may expand to whatever its size: how many samples it holds
  /// only the batch itself tells.
  private static let batchElements = 1 << 24

  private static func readBatch(
    _ path: String, _ mapping: inout TensorMapping
  ) throws -> [String: Tensor] {
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
