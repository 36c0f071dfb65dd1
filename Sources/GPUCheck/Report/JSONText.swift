extension JSONValue: ExpressibleByDictionaryLiteral {
  /// An object with its keys in the order written.
  package init(dictionaryLiteral members: (String, JSONValue)...) {
    self = .object(members.map { Member(key: $0.0, value: $0.1) })
  }

  /// A whole number.
  package static func count(_ value: Int) -> JSONValue { .number(Double(value)) }

  /// A string, or null.
  package static func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }

  /// The value as JSON text (RFC 8259): keys in their order, numbers with the fewest digits that
  /// read back as the same double, null for NaN and infinities. What fits in a line stands in one.
  package func encoded(columns: Int = 100) -> String { text(indent: 0, room: columns) }

  private func text(indent: Int, room: Int) -> String {
    let flat = flat
    guard flat.count > room - indent else { return flat }
    let margin = String(repeating: " ", count: indent)
    func block(_ open: String, _ parts: [String], _ close: String) -> String {
      open + "\n" + parts.map { margin + "  " + $0 }.joined(separator: ",\n") + "\n" + margin
        + close
    }
    switch self {
    case .array(let elements) where !elements.isEmpty:
      // The comma after an element takes a column.
      return block("[", elements.map { $0.text(indent: indent + 2, room: room - 1) }, "]")
    case .object(let members) where !members.isEmpty:
      let parts = members.map { member in
        let key = Self.quoted(member.key) + ": "
        return key + member.value.text(indent: indent + 2, room: room - 1 - key.count)
      }
      return block("{", parts, "}")
    default: return flat
    }
  }

  /// The value on one line.
  private var flat: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let value): Self.digits(of: value)
    case .string(let value): Self.quoted(value)
    case .array(let elements): "[" + elements.map(\.flat).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0.key) + ": " + $0.value.flat }.joined(separator: ", ") + "}"
    }
  }

  private static func digits(of value: Double) -> String {
    guard value.isFinite else { return "null" }
    // "1" rather than "1.0", but never "0" for the negative zero.
    if let whole = Int64(exactly: value), value.magnitude < 0x1p53, value.sign == .plus || whole < 0
    {
      return "\(whole)"
    }
    return "\(value)"
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\0"..."\u{1F}", "\u{7F}":
        let hex = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
