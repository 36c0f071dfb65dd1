import Kernels

/// A cost that does not compile: the first complaint in one line, and all that the compiler said.
package struct CostBuildError: Error, Sendable, CustomStringConvertible {
  package let error: InputError
  package let log: [String]

  package var description: String { error.description }
}

extension CostSource {
  /// Compiles the cost. Throws `CostBuildError` with the user's own line numbers.
  func build(
    _ layout: ParameterLayout, in context: Context, _ kernels: KernelText, _ precision: Precision
  ) throws -> Program {
    let (parts, own) = try program(layout, kernels)
    do {
      return try Program(context, source: parts, Specialisation(precision: precision))
    } catch let error as OpenCLError where error.isBuildFailure {
      throw refusal(log: error.detail ?? "", above: parts[..<own])
    }
  }

  /// What a build log comes to. Oclgrind counts the lines of the whole text, whatever #line says.
  private func refusal(log: String, above: ArraySlice<String>) -> CostBuildError {
    // The parts are joined by line breaks, and the user's begins with a #line.
    let before = above.reduce(1) { $0 + $1.count(where: \.isNewline) + 1 }
    let lines = log.split(whereSeparator: \.isNewline).map(String.init)
      .filter { !$0.hasPrefix("options: ") }
      .map { line in
        line.replacing(/input\.cl:(\d+)/) { match in
          guard let number = Int(match.1), number > before else { return String(match.0) }
          return "\(file):\(number - before)"
        }
      }
    let complaint = lines.first { $0.contains("error") } ?? "the driver does not say why"
    return CostBuildError(
      error: InputError("it does not compile: \(complaint)", file: file), log: lines)
  }
}
