/// What the user's function `cost` takes, as its text declares it: buffers of the batch, and local
/// memory.
package struct CostSignature: Sendable, Equatable {
  /// One argument after the lane.
  package struct Parameter: Sendable, Equatable {
    package var name: String
    /// As the text has it, such as `global const real * x`.
    package var declaration: String
    package var element: Element
    /// Memory of the lane's work-group rather than a buffer of the batch.
    package var isLocal: Bool
    package var line: Int
  }

  /// What a buffer is made of; the raw value is the name in OpenCL C.
  package enum Element: String, Sendable, CaseIterable {
    case real, float, double
    case char, uchar, short, ushort, int, uint, long, ulong
  }

  package let parameters: [Parameter]

  /// Finds the definition of `cost` in a text. Comments, strings and what the preprocessor reads are
  /// passed over.
  ///
  /// Throws an `InputError` with the line where there is none, or where an argument is neither a
  /// `global` or `constant` pointer nor a `local` one.
  package init(_ text: String) throws {
    let tokens = Self.tokens(of: text)
    guard let (line, list) = Self.definition(tokens) else {
      throw InputError(
        "there is no function named cost, expected real cost(lane_t lane, …) { … }",
        remedy: "docs/user-cost.md has examples")
    }
    let parts = list.split(omittingEmptySubsequences: false) { $0.text == "," }
    let first = parts.first.map { $0.filter { $0.text != "const" }.map(\.text) }
    guard first == ["lane_t", "lane"] else {
      throw InputError(
        "the first argument of cost is '\(parts.first?.joined ?? "")', expected lane_t lane",
        remedy: "theta(j) reads it"
      ).at(line)
    }
    parameters = try parts.dropFirst().map { try Self.parameter($0) }
    var seen: Set<String> = []
    for parameter in parameters where !seen.insert(parameter.name).inserted {
      throw InputError("cost takes two arguments named \(parameter.name)").at(parameter.line)
    }
  }

  private static let addressSpaces: Set = ["global", "constant", "local"]
  private static let qualifiers: Set = ["const", "restrict", "__restrict", "volatile"]

  private static func parameter(_ tokens: ArraySlice<Token>) throws -> Parameter {
    let text = tokens.joined
    let words = tokens.map { $0.text.hasPrefix("__") ? String($0.text.dropFirst(2)) : $0.text }
    let space = words.first(where: addressSpaces.contains)
    let rest = words.filter { !addressSpaces.contains($0) && !qualifiers.contains($0) }
    guard let space, rest.count == 3, rest[1] == "*", let name = rest.last,
      name.first?.isLetter == true || name.first == "_"
    else {
      throw InputError(
        "cost takes '\(text)', expected a buffer such as global const real *x, or local real *h",
        remedy: "numbers come as constants: x_count, x_shape0, W1_offset"
      ).at(tokens.first?.line)
    }
    guard let element = Element(rawValue: rest[0]) else {
      throw InputError(
        "cost takes '\(text)', expected a buffer of "
          + Element.allCases.map(\.rawValue).joined(separator: ", "),
        remedy: "real is double where the device has it"
      ).at(tokens.first?.line)
    }
    guard !name.hasPrefix("lane") else {
      throw InputError(
        "cost takes an argument named \(name); names that begin with lane are gpucheck's",
        remedy: "choose another"
      ).at(tokens.first?.line)
    }
    return Parameter(
      name: name, declaration: text, element: element, isLocal: space == "local",
      line: tokens.first?.line ?? 1)
  }

  // MARK: Tokens

  fileprivate struct Token {
    var text: String
    var line: Int
  }

  /// The line of `cost ( … ) {`, and what stands between the parentheses.
  private static func definition(_ tokens: [Token]) -> (line: Int, list: ArraySlice<Token>)? {
    for (at, token) in tokens.enumerated() where token.text == "cost" {
      guard at + 1 < tokens.count, tokens[at + 1].text == "(" else { continue }
      var depth = 0
      for end in at + 1..<tokens.count {
        if tokens[end].text == "(" { depth += 1 }
        if tokens[end].text == ")" { depth -= 1 }
        guard depth == 0 else { continue }
        if end + 1 < tokens.count, tokens[end + 1].text == "{" {
          return (token.line, tokens[at + 2..<end])
        }
        break
      }
    }
    return nil
  }

  /// Names, numbers and single signs.
  private static func tokens(of text: String) -> [Token] {
    var tokens: [Token] = []
    var line = 1
    var isLineStart = true
    var rest = text[...]
    func isWord(_ letter: Character) -> Bool { letter.isLetter || letter.isNumber || letter == "_" }
    while let letter = rest.first {
      let start = rest
      if rest.hasPrefix("//") || (isLineStart && letter == "#") {
        rest = afterLine(rest)
      } else if rest.hasPrefix("/*") {
        rest = rest.dropFirst(2)
        rest = rest.firstRange(of: "*/").map { rest[$0.upperBound...] } ?? rest.suffix(0)
      } else if letter == "\"" || letter == "'" {
        rest = rest.dropFirst()
        while let next = rest.first, next != letter, !next.isNewline {
          rest = rest.dropFirst(next == "\\" ? 2 : 1)
        }
        rest = rest.dropFirst()
        isLineStart = false
      } else if letter.isWhitespace {
        rest = rest.dropFirst()
      } else {
        let word = isWord(letter) ? rest.prefix(while: isWord) : rest.prefix(1)
        tokens.append(Token(text: String(word), line: line))
        rest = rest.dropFirst(word.count)
        isLineStart = false
      }
      let newlines = start[..<rest.startIndex].count(where: \.isNewline)
      if newlines > 0 { isLineStart = true }
      line += newlines
    }
    return tokens
  }

  /// What follows a line, and those that it goes on in.
  private static func afterLine(_ text: Substring) -> Substring {
    var rest = text
    while let end = rest.firstIndex(where: \.isNewline) {
      let goesOn = rest[..<end].last == "\\"
      rest = rest[rest.index(after: end)...]
      if !goesOn { return rest }
    }
    return rest.suffix(0)
  }
}

extension ArraySlice<CostSignature.Token> {
  fileprivate var joined: String { map(\.text).joined(separator: " ") }
}

extension InputError {
  /// The same error, said of a line of a file that is named later.
  fileprivate func at(_ line: Int?) -> InputError {
    guard let line else { return self }
    var error = self
    error.problem = "line \(line): " + problem
    return error
  }
}
