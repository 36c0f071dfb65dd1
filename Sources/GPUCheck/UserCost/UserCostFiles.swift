/// The files of θ, dθ and a batch for a cost that is the user's own code.
package enum UserCostFiles {
  /// θ and dθ. θ's own file says how θ is laid out: its tensors in the file's order, an array without
  /// a name as `theta`; dθ may come by name in any order, or flat.
  ///
  /// Throws an `InputError` naming the file, the tensor, and the element where one is to blame.
  package static func load(
    parameters: String, gradient: String
  ) throws -> (parameters: ParameterVector, gradient: ParameterVector) {
    let tensors = try TensorFile.readInOrder(parameters)
    let theta = try InputError.about(file: parameters) {
      let layout = ParameterLayout(tensors.map { ($0.name ?? "theta", $0.tensor.shape) })
      guard layout.count > 0 else {
        throw InputError("there is no parameter", remedy: "write θ, one tensor or more")
      }
      guard layout.count <= Int32.max else {
        throw InputError("found \(layout.count) parameters, expected at most \(Int32.max)")
      }
      let vector = try ParameterVector(
        layout: layout, values: tensors.flatMap(\.tensor.values),
        elementType: ElementType.leastExact(of: tensors.map(\.tensor.elementType)))
      try vector.requireFinite()
      return vector
    }
    let contents = try TensorFile.read(gradient, expecting: theta.layout.count)
    return (
      theta,
      try InputError.about(file: gradient) { try ParameterVector(contents, layout: theta.layout) }
    )
  }

  /// The tensors of a batch by name.
  package static func batch(_ path: String) throws -> [String: Tensor] {
    let contents = try TensorFile.read(path, expecting: ProblemFiles.batchElements)
    guard case .named(let tensors) = contents else {
      throw InputError(
        "found one array without a name, expected named ones", file: path,
        remedy: "write it with numpy.savez(path, x=x)")
    }
    return tensors
  }
}
