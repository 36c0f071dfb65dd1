/// The files of a problem.
public enum ProblemFiles {
  /// Reads a network file, a batch (`.npz` with `x`, `y` and the dropout masks), and θ and dθ, each
  /// an `.npz` by name or one flat `.npy` in the order of `Network.parameterLayout`.
  ///
  /// Throws an `InputError` naming the file, the tensor, and the element where one is to blame.
  public static func load(
    model: String, batch: String, parameters: String, gradient: String
  ) throws -> Problem {
    let network = try NetworkFile.read(model)
    let theta = try reading(parameters) { try network.parameterVector($0) }
    let dTheta = try reading(gradient) { try network.gradientVector($0) }
    let (graph, unused) = try self.graph(of: network, batch: batch)
    return network.problem(graph, parameters: theta, gradient: dTheta, unused: unused)
  }

  /// The same without a gradient: the graph, θ, and what to know of how they were read.
  public static func load(
    model: String, batch: String, parameters: String
  ) throws -> (graph: Graph, parameters: ParameterVector, warnings: [String]) {
    let network = try NetworkFile.read(model)
    let theta = try reading(parameters) { try network.parameterVector($0) }
    let (graph, unused) = try self.graph(of: network, batch: batch)
    return (graph, theta, network.warnings(unused: unused))
  }

  /// The graph of a batch file, and its tensors that nothing asks for.
  private static func graph(
    of network: Network, batch: String
  ) throws -> (Graph, unused: [String]) {
    try reading(batch) { contents in
      guard case .named(let tensors) = contents else {
        throw InputError(
          "found one array without a name, expected an .npz of x and y",
          remedy: "write it with numpy.savez(path, x=x, y=y)")
      }
      return (try network.graph(batch: tensors), network.unusedNames(in: tensors))
    }
  }

  /// What becomes of a tensor file's contents; errors name the file.
  private static func reading<Result>(
    _ path: String, _ body: (TensorFileContents) throws -> Result
  ) throws -> Result {
    let contents = try TensorFile.read(path)
    do {
      return try body(contents)
    } catch let error as InputError {
      throw error.inFile(path)
    }
  }
}
