import Foundation

/// A JSON value (RFC 8259). Unlike Foundation's, it keeps true apart from 1 and the order of keys.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A key and its value.
  package struct Member: Sendable, Equatable {
    package var key: String
    package var value: JSONValue
  }

  /// The value of a key of an object; nil for another value and where the key is absent.
  package subscript(_ key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first(where: { $0.key == key })?.value
  }

  /// Parses one value and nothing after it.
  ///
  /// Throws an `InputError` with line and column for anything malformed, for a key that stands
  /// twice in an object, for a number that no double holds, and for nesting beyond 64 levels.
  package init(parsing data: Data) throws {
    var parser = JSONParser(data)
    self = try parser.document()
  }
}

private struct JSONParser {
  private static let deepest = 64
  private let bytes: [UInt8]
  private var position = 0

  init(_ data: Data) { bytes = [UInt8](data) }

  private func error(_ what: String, at offset: Int? = nil) -> InputError {
    let before = bytes[..<min(offset ?? position, bytes.count)]
    let line = before.count { $0 == 0x0A } + 1
    // Columns count characters: bytes that go on with a UTF-8 sequence begin none.
    let column = before.reversed().prefix { $0 != 0x0A }.count { $0 & 0xC0 != 0x80 } + 1
    return InputError(
      "line \(line), column \(column): \(what)", remedy: "correct the JSON at that place")
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private var found: String {
    guard let byte = next else { return "the end of the text" }
    return (0x21...0x7E).contains(byte)
      ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
      position += 1
    }
  }

  private mutating func take(_ mark: Unicode.Scalar) -> Bool {
    guard let byte = next, UInt32(byte) == mark.value else { return false }
    position += 1
    return true
  }

  mutating func document() throws -> JSONValue {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    let value = try value(depth: 0)
    guard next == nil else { throw error("found \(found) after the value, expected the end") }
    return value
  }

  /// A value with the space around it.
  private mutating func value(depth: Int) throws -> JSONValue {
    guard depth <= Self.deepest else {
      throw error("nested deeper than \(Self.deepest) levels")
    }
    skipSpace()
    let value: JSONValue
    switch next {
    case UInt8(ascii: "{"): value = try object(depth: depth)
    case UInt8(ascii: "["): value = try array(depth: depth)
    case UInt8(ascii: "\""): value = .string(try string())
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
      value = .number(try number())
    default: value = try word()
    }
    skipSpace()
    return value
  }

  private mutating func word() throws -> JSONValue {
    let words: [(String, JSONValue)] = [
      ("true", .bool(true)), ("false", .bool(false)), ("null", .null),
    ]
    for (word, value) in words where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw error("found \(found), expected a value")
  }

  private mutating func object(depth: Int) throws -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if take("}") { return .object([]) }
    repeat {
      skipSpace()
      let start = position
      guard next == UInt8(ascii: "\"") else {
        throw error("found \(found), expected a key in double quotes")
      }
      let key = try string()
      guard keys.insert(key).inserted else {
        throw error("the key \(key.debugDescription) stands twice in one object", at: start)
      }
      skipSpace()
      guard take(":") else { throw error("found \(found), expected ':'") }
      members.append(.init(key: key, value: try value(depth: depth + 1)))
    } while take(",")
    guard take("}") else { throw error("found \(found), expected ',' or '}'") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array([]) }
    repeat {
      elements.append(try value(depth: depth + 1))
    } while take(",")
    guard take("]") else { throw error("found \(found), expected ',' or ']'") }
    return .array(elements)
  }

  private mutating func number() throws -> Double {
    let start = position
    func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
    func digits() throws {
      guard isDigit(next) else { throw error("found \(found), expected a digit") }
      while isDigit(next) { position += 1 }
    }
    _ = take("-")
    if take("0") {
      if isDigit(next) { throw error("a number begins with 0") }
    } else {
      try digits()
    }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("-") { _ = take("+") }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw error("the number \(text.prefix(40)) is out of range", at: start)
    }
    return value
  }

  private mutating func string() throws -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else {
        throw error(
          byte == 0x0A ? "a string does not end on its line" : "found \(found) in a string")
      }
      position += 1
      if byte == UInt8(ascii: "\\") {
        text.append(contentsOf: String(try escape()).utf8)
      } else {
        text.append(byte)
      }
    }
    guard take("\"") else { throw error("a string does not end", at: start) }
    guard let string = String(bytes: text, encoding: .utf8) else {
      throw error("a string is not UTF-8", at: start)
    }
    return string
  }

  /// What follows a backslash.
  private mutating func escape() throws -> Character {
    let plain: [UInt8: Character] = [
      0x22: "\"", 0x5C: "\\", 0x2F: "/", 0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r",
      0x74: "\t",
    ]
    if let byte = next, let character = plain[byte] {
      position += 1
      return character
    }
    guard take("u") else { throw error("found \(found) after '\\'") }
    var code = try hexadecimal()
    if (0xD800...0xDBFF).contains(code) {
      // The first half of a surrogate pair.
      guard take("\\"), take("u") else { throw error("half of a surrogate pair") }
      let low = try hexadecimal()
      guard (0xDC00...0xDFFF).contains(low) else { throw error("half of a surrogate pair") }
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
    return Character(scalar)
  }

  private mutating func hexadecimal() throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("found \(found), expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}
