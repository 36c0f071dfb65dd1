import Foundation

/// The dictionary that opens an `.npy` file: a Python literal of exactly the three keys `descr`,
/// `fortran_order` and `shape`, in any order (NumPy enhancement proposal 1).
struct NumPyHeader: Equatable {
  /// The dtype as it is written, such as `<f8`.
  var descr: String
  var fortranOrder: Bool
  var shape: [Int]

  init(parsing text: Data) throws {
    var scanner = NumPyHeaderScanner(text)
    var descr: String?
    var fortranOrder: Bool?
    var shape: [Int]?

    try scanner.expect("{")
    while !scanner.take("}") {
      let key = try scanner.string()
      try scanner.expect(":")
      switch key {
      case "descr" where descr == nil:
        guard !scanner.take("[") else {
          throw InputError(
            "a structured dtype, expected a plain number type such as '<f8'",
            remedy: "save each field as an array of its own")
        }
        descr = try scanner.string()
      case "fortran_order" where fortranOrder == nil: fortranOrder = try scanner.boolean()
      case "shape" where shape == nil: shape = try scanner.tuple()
      case "descr", "fortran_order", "shape":
        throw scanner.malformed("the key '\(key)' stands twice")
      default:
        throw scanner.malformed(
          "unknown key '\(key)', expected 'descr', 'fortran_order' and 'shape'")
      }
      if !scanner.take(",") {
        try scanner.expect("}")
        break
      }
    }
    try scanner.expectEnd()
    guard let descr, let fortranOrder, let shape else {
      let missing =
        descr == nil ? "descr" : fortranOrder == nil ? "fortran_order" : "shape"
      throw scanner.malformed("the key '\(missing)' is missing")
    }
    self.descr = descr
    self.fortranOrder = fortranOrder
    self.shape = shape
  }
}

/// Reads the few Python literals that the header of an `.npy` file is made of.
private struct NumPyHeaderScanner {
  private let text: [UInt8]
  private var position = 0

  init(_ text: Data) { self.text = [UInt8](text) }

  func malformed(_ what: String) -> InputError {
    InputError("malformed .npy header: \(what)", remedy: "write the file again with numpy.save")
  }

  private var next: UInt8? { position < text.count ? text[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
  }

  /// What stands at the position, for a message.
  private var found: String {
    guard let byte = next else { return "the end" }
    let shown = (0x21...0x7E).contains(byte)
    return (shown ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)") + " at \(position)"
  }

  /// Steps over a punctuation mark where it comes next.
  mutating func take(_ mark: Unicode.Scalar) -> Bool {
    skipSpace()
    guard let byte = next, UInt32(byte) == mark.value else { return false }
    position += 1
    return true
  }

  mutating func expect(_ mark: Unicode.Scalar) throws {
    guard take(mark) else { throw malformed("found \(found), expected '\(mark)'") }
  }

  mutating func expectEnd() throws {
    skipSpace()
    guard next == nil else { throw malformed("found \(found), expected the end") }
  }

  mutating func string() throws -> String {
    skipSpace()
    guard let quote = next, quote == 0x22 || quote == 0x27 else {
      throw malformed("found \(found), expected a quoted string")
    }
    position += 1
    let start = position
    while let byte = next, byte != quote {
      guard (0x20...0x7E).contains(byte), byte != 0x5C else {
        throw malformed("found \(found) within a string")
      }
      position += 1
    }
    guard next == quote else { throw malformed("a string does not end") }
    defer { position += 1 }
    return String(decoding: text[start..<position], as: UTF8.self)
  }

  mutating func boolean() throws -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where text[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw malformed("found \(found), expected True or False")
  }

  /// A tuple of natural numbers: `()`, `(3,)`, `(3, 4)`.
  mutating func tuple() throws -> [Int] {
    try expect("(")
    var numbers: [Int] = []
    while !take(")") {
      numbers.append(try natural())
      let comma = take(",")
      if !comma {
        guard numbers.count > 1 else {
          throw malformed("found \(found), expected ',' in a shape of one axis")
        }
        try expect(")")
        break
      }
    }
    return numbers
  }

  private mutating func natural() throws -> Int {
    skipSpace()
    if next == 0x2D { throw malformed("a negative number in the shape") }
    let start = position
    var value = 0
    while let byte = next, (0x30...0x39).contains(byte) {
      guard let sum = value.multiplied(by: 10)?.adding(Int(byte) - 0x30) else {
        throw malformed("a number in the shape is larger than any array")
      }
      value = sum
      position += 1
    }
    guard position > start else { throw malformed("found \(found), expected a whole number") }
    // Python 2 wrote long integers as 3L.
    if next == 0x4C { position += 1 }
    return value
  }
}
