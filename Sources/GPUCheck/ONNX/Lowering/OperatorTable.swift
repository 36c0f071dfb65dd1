extension OperatorRegistry {
  /// The operators as a table in Markdown, for docs/onnx.md.
  package static var table: String {
    let rows = all.map { operation in
      let name = operation.domain.isEmpty ? operation.name : "\(operation.domain).\(operation.name)"
      return "| \(name) | \(escaped(operation.summary)) | \(escaped(operation.restriction)) |"
    }
    return (["| operator | lowered to | restrictions |", "|---|---|---|"] + rows)
      .joined(separator: "\n")
  }

  /// Text for a cell: a bar would end it.
  private static func escaped(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}
