import Kernels

extension Checker {
  /// A cost in OpenCL C, compiled for this checker's device.
  ///
  /// - Parameter files: what the cost is made of, by which a journal knows it.
  /// - Throws: `InputError` where there is no OpenCL device, more than one, or one without the
  ///   precision asked for; `CostBuildError` where the text does not compile.
  package func cost(
    _ source: CostSource, at parameters: ParameterVector, precision: PrecisionChoice,
    files: [String] = []
  ) throws -> UserCost {
    guard let backend = devices.backends.first, devices.backends.count == 1 else {
      throw InputError(
        "\(devices.backends.count) devices are chosen, expected one: two would round a cost "
          + "differently", file: source.file, remedy: "give --device once")
    }
    guard precision != .f64 || backend.supportsDouble else {
      throw InputError("\(backend.name) has no double", remedy: "use --precision f32")
    }
    let lanes: Precision = precision == .f32 || !backend.supportsDouble ? .f32 : .f64
    let evaluator = try backend.prepare(source, at: parameters, precision: lanes)
    let unused = source.unused
    return UserCost(
      evaluators: [evaluator], name: backend.name,
      files: files,
      warnings: unused.isEmpty
        ? [] : ["the batch holds \(listed(unused)), which cost does not ask for"])
  }
}
