import Foundation
import GPUCheck
import Testing

/// A schema of docs/, and which of its definitions were met.
struct SchemaCheck {
  private let schema: JSONValue
  private var seen: Set<String> = []

  init(_ name: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
        "docs/\(name)")
    schema = try JSONValue(parsing: Data(contentsOf: file))
  }

  /// Holds what was written to the schema: its keys, and no others.
  mutating func expect(_ written: String) throws {
    try expect(JSONValue(parsing: Data(written.utf8)), as: schema, "object")
  }

  /// Whether every definition was met.
  func expectAllMet() throws {
    guard case .object(let definitions)? = schema["$defs"] else {
      throw InputError("no definitions")
    }
    #expect(seen.isSuperset(of: definitions.keys), "\(Set(definitions.keys).subtracting(seen))")
  }

  /// Holds a value to the part of JSON Schema that the files use.
  private mutating func expect(_ value: JSONValue, as type: JSONValue, _ path: String) throws {
    if case .string(let reference)? = type["$ref"] {
      let name = String(reference.dropFirst("#/$defs/".count))
      seen.insert(name)
      let definition = try #require(schema["$defs"]?[name], "\(path): \(name)")
      return try expect(value, as: definition, path)
    }
    if case .array(let choices)? = type["oneOf"] {
      // null, or something.
      if value == .null { return }
      return try expect(value, as: try #require(choices.last), path)
    }
    if let constant = type["const"] { #expect(value == constant, "\(path)") }
    if case .array(let allowed)? = type["enum"] { #expect(allowed.contains(value), "\(path)") }
    if let kind = type["type"] { #expect(Self.is(value, kind), "\(path): \(value)") }
    if value == .null { return }
    if case .object(let properties)? = type["properties"] {
      guard case .object(let members) = value, case .array(let required)? = type["required"] else {
        Issue.record("\(path): \(value)")
        return
      }
      #expect(Set(members.keys) == Set(properties.keys), "\(path)")
      #expect(
        required.count == properties.count
          && properties.keys.allSatisfy { required.contains(.string($0)) }, "\(path)")
      for (key, member) in members {
        if let type = properties[key] { try expect(member, as: type, "\(path).\(key)") }
      }
    }
    if let items = type["items"], case .array(let elements) = value {
      for element in elements { try expect(element, as: items, path + "[]") }
    }
  }

  private static func `is`(_ value: JSONValue, _ type: JSONValue) -> Bool {
    if case .array(let types) = type { return types.contains { Self.is(value, $0) } }
    switch (type, value) {
    case (.string("null"), .null), (.string("boolean"), .bool), (.string("number"), .number),
      (.string("string"), .string), (.string("array"), .array), (.string("object"), .object):
      return true
    case (.string("integer"), .number(let number)): return number == number.rounded()
    default: return false
    }
  }
}
