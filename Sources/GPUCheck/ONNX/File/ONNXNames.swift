/// A name of a file as error lines show it: in one line, and not longer than anyone reads.
func shown(_ name: String) -> String {
  let limit = 80
  let characters = name.unicodeScalars.prefix(limit).map { scalar in
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .format: "\u{FFFD}"
    default: String(scalar)
    }
  }
  return characters.joined() + (name.unicodeScalars.dropFirst(limit).isEmpty ? "" : "…")
}

/// The name of a domain of operators: the standard one may be written out, and means the same.
func canonicalDomain(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }
