/// A place in a JSON document: a value and the path to it, such as `layers[1].activation`.
///
/// Each accessor throws an `InputError` naming the path where the value is of another kind.
package struct JSONNode {
  package let value: JSONValue
  /// Empty for the whole document.
  package let path: String

  package init(_ value: JSONValue, path: String = "") {
    self.value = value
    self.path = path
  }

  /// An error at this place.
  package func error(_ problem: String, remedy: String? = nil) -> InputError {
    InputError(problem, tensor: path.isEmpty ? nil : path, remedy: remedy)
  }

  private func found(expecting expected: String) -> InputError {
    error("found \(value.summary), expected \(expected)", remedy: "correct this value")
  }

  // MARK: Objects

  /// The members of an object that may hold the keys given and no others.
  ///
  /// - Parameter kind: What the object describes, for messages.
  package func object(_ kind: String, keys: [String]) throws -> JSONObject {
    guard case .object(let members) = value else { throw found(expecting: "an object, \(kind)") }
    for (key, value) in members.sorted(by: { $0.key < $1.key }) where !keys.contains(key) {
      throw child(key, value).error(
        "unknown key in \(kind)", remedy: suggestion(for: key, among: keys))
    }
    return JSONObject(node: self, kind: kind)
  }

  fileprivate func child(_ key: String, _ value: JSONValue) -> JSONNode {
    JSONNode(value, path: path.isEmpty ? key : "\(path).\(key)")
  }

  // MARK: Values

  package func elements(_ expected: String) throws -> [JSONNode] {
    guard case .array(let elements) = value else { throw found(expecting: expected) }
    return elements.enumerated().map { JSONNode($1, path: "\(path)[\($0)]") }
  }

  package func string(_ expected: String = "a string") throws -> String {
    guard case .string(let string) = value else { throw found(expecting: expected) }
    return string
  }

  package func bool() throws -> Bool {
    guard case .bool(let bool) = value else { throw found(expecting: "true or false") }
    return bool
  }

  /// A number that meets a condition.
  package func number(
    _ expected: String = "a number", where isValid: (Double) -> Bool = { _ in true }
  ) throws -> Double {
    guard case .number(let number) = value, isValid(number) else {
      throw found(expecting: expected)
    }
    return number
  }

  /// A whole number of at least 1 and at most 2³¹ − 1.
  package func count() throws -> Int {
    let expected = "a whole number from 1 to \(Int32.max)"
    return Int(
      try number(expected) { $0 >= 1 && $0 <= Double(Int32.max) && $0.rounded() == $0 })
  }

  /// A name that is not empty.
  package func name() throws -> String {
    let name = try string("a name")
    guard !name.isEmpty else { throw error("found an empty name", remedy: "name the tensor") }
    return name
  }

  /// The case of an enumeration that the string names.
  package func choice<Choice>(_ kind: String, _ known: [(name: String, value: Choice)]) throws
    -> Choice
  {
    let name = try string("\(kind), as a string")
    guard let choice = known.first(where: { $0.name == name }) else {
      throw error(
        "unknown \(kind) \(name.debugDescription)",
        remedy: suggestion(for: name, among: known.map(\.name)))
    }
    return choice.value
  }

  private func suggestion(for name: String, among known: [String]) -> String {
    let list = "expected one of " + known.joined(separator: ", ")
    guard let nearest = nearestName(to: name, among: known) else { return list }
    return "did you mean \(nearest.debugDescription)? (\(list))"
  }
}

/// An object whose keys have been checked.
package struct JSONObject {
  fileprivate let node: JSONNode
  fileprivate let kind: String

  /// The value of a key; nil where it is absent.
  package subscript(_ key: String) -> JSONNode? {
    node.value[key].map { node.child(key, $0) }
  }

  /// The value of a key that must be there.
  package func required(_ key: String) throws -> JSONNode {
    guard let child = self[key] else {
      throw node.error("the key \"\(key)\" of \(kind) is missing", remedy: "add it")
    }
    return child
  }
}

extension JSONValue {
  /// The value in a few words, for messages.
  var summary: String {
    switch self {
    case .null: "null"
    case .bool(let bool): "\(bool)"
    case .number(let number):
      number.rounded() == number && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
    case .string(let string): "the string \(String(string.prefix(40)).debugDescription)"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
