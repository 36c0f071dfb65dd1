/// A graph in the DOT language of Graphviz (https://graphviz.org/doc/info/lang.html).
///
/// Parameters are boxes, inputs and constants ellipses, operators rounded boxes: filled where they
/// depend on θ, dashed where they do not. Terms of J have a double border.
public enum DotGraph {
  /// The graph, with a line break at the end.
  public static func write(_ inspection: Inspection) -> String {
    var lines = [
      "digraph \(quoted(inspection.model)) {",
      "  node [fontname=\"sans-serif\", fontsize=10];",
    ]
    for (number, node) in inspection.nodes.enumerated() {
      lines.append("  n\(number) [label=\(label(node)), \(look(node))];")
    }
    for (number, node) in inspection.nodes.enumerated() {
      for input in node.inputs {
        let isStill = !inspection.nodes[input].moves
        lines.append("  n\(input) -> n\(number)\(isStill ? " [style=dashed]" : "");")
      }
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  /// The operator, the name and the shape, in lines of their own.
  private static func label(_ node: Inspection.Node) -> String {
    let shape = node.shape.map { "[" + $0.map(String.init).joined(separator: ", ") + "]" }
    let lines = [node.operation, node.name, shape ?? ""].filter { !$0.isEmpty }
    return "\"" + lines.map(escaped).joined(separator: "\\n") + "\""
  }

  private static func look(_ node: Inspection.Node) -> String {
    let border = node.costFactor == nil ? "" : ", peripheries=2"
    return switch node.kind {
    case .parameter: "shape=box, style=filled, fillcolor=\"#fdd9a0\"" + border
    case .input: "shape=ellipse, style=filled, fillcolor=\"#e8e8e8\"" + border
    case .constant: "shape=ellipse, style=dashed" + border
    case .operation where node.moves:
      "shape=box, style=\"rounded,filled\", fillcolor=\"#cfe3f7\"" + border
    case .operation: "shape=box, style=\"rounded,dashed\"" + border
    }
  }

  private static func quoted(_ text: String) -> String { "\"\(escaped(text))\"" }

  /// Text as it stands within quotes: backslashes are doubled, since a label takes them for more than
  /// a mark before a quote.
  private static func escaped(_ text: String) -> String {
    TextFormat.plain(text).reduce(into: "") { result, character in
      if character == "\"" || character == "\\" { result.append("\\") }
      result.append(character)
    }
  }
}
