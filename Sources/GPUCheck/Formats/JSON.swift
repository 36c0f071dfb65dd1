import Foundation

/// A JSON value (RFC 8259), read and written by Foundation. It keeps true apart from 1; members stand
/// in the order of their keys.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The value of a key of an object; nil for another value and where the key is absent.
  package subscript(_ key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  /// Parses one value and nothing after it. Throws an `InputError` that says what is malformed, and
  /// around which character, or which key of an object stands twice.
  package init(parsing data: Data) throws {
    do {
      self.init(try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed))
    } catch {
      let problem = (error as NSError).userInfo[NSDebugDescriptionErrorKey] as? String
      throw InputError(
        "not valid JSON: " + (problem ?? "\(error)").trimmingCharacters(in: ["."]),
        remedy: "correct it at that place")
    }
    try requireUniqueKeys(data)
  }

  /// What Foundation parsed.
  private init(_ parsed: Any) {
    switch parsed {
    case let number as NSNumber:
      // Foundation's booleans are numbers of the C type char.
      self =
        String(cString: number.objCType) == "c"
        ? .bool(number.boolValue) : .number(number.doubleValue)
    case let string as String: self = .string(string)
    case let array as [Any]: self = .array(array.map { JSONValue($0) })
    case let object as [String: Any]: self = .object(object.mapValues { JSONValue($0) })
    default: self = .null
    }
  }

  /// The value as JSON text; numbers read back as the same doubles, NaN and infinities are null.
  package func encoded(pretty: Bool = true) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// A whole number.
  package static func count(_ value: Int) -> JSONValue { .number(Double(value)) }

  /// A string, or null.
  package static func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral members: (String, JSONValue)...) {
    self = .object(Dictionary(members) { _, last in last })
  }
}

extension JSONValue: Encodable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .number(let value):
      if !value.isFinite {
        try container.encodeNil()
      } else if value.magnitude < 0x1p53, let whole = Int64(exactly: value),
        whole != 0 || value.sign == .plus
      {
        try container.encode(whole)
      } else {
        try container.encode(value)
      }
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}
