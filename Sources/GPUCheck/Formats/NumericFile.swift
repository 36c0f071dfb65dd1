/// dθ_approx and its error bars as a file: what `--save-numeric` writes.
package enum NumericFile {
  /// The name under which the error bars of a tensor are saved.
  static func barName(of tensor: String) -> String { tensor + ".uncertainty" }

  /// Throws an `InputError` naming the file where it could not hold the tensors of a layout: for an
  /// unknown suffix, and for names that the format does not allow or that would stand twice.
  package static func check(_ path: String, layout: ParameterLayout) throws {
    let nothing = ParameterLayout(layout.segments.map { ($0.name, [0]) })
    _ = try InputError.about(file: path) {
      try TensorFile.encode(tensors(path, nothing, numeric: [], uncertainty: []), for: path)
    }
  }

  /// Writes dθ_approx and its bars: by name, `W1` and `W1.uncertainty`, or as the two rows of one
  /// array `[2, parameters]` in an `.npy`. NaN stands for a component that was not checked.
  package static func write(
    _ report: CheckReport, layout: ParameterLayout, to path: String
  ) throws {
    try TensorFile.write(
      tensors(path, layout, numeric: report.numeric, uncertainty: report.uncertainty), to: path)
  }

  private static func tensors(
    _ path: String, _ layout: ParameterLayout, numeric: [Double], uncertainty: [Double]
  ) throws -> [(name: String, tensor: Tensor)] {
    if TensorFormat(path: path) == .npy {
      return [("numeric", Tensor(shape: [2, numeric.count], values: numeric + uncertainty))]
    }
    let values = try ParameterVector(layout: layout, values: numeric).tensors
    let bars = try ParameterVector(layout: layout, values: uncertainty).tensors
    return values + bars.map { (barName(of: $0.name), $0.tensor) }
  }
}
