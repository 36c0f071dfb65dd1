/// How the tensors of a problem's files are named and laid out, where that is not as the network
/// says: which are renamed, and which are transposed.
public struct TensorNames: Sendable, Equatable {
  /// Everything is called and laid out as the network says.
  public static let asStored = TensorNames()

  struct Rename: Sendable, Equatable {
    /// As it was given.
    var text: String
    var from: NamePattern
    var to: NamePattern
  }

  let renames: [Rename]
  let transposed: [NamePattern]

  private init() { (renames, transposed) = ([], []) }

  /// - Parameters:
  ///   - rename: each `FROM=TO`. A `*` in both stands for the same letters: `fc1.*=layer1/*`. The
  ///     first that matches a tensor's name counts. One with `*` leaves alone a tensor whose name the
  ///     network knows.
  ///   - transpose: names of matrices after renaming, perhaps with `*`.
  ///
  /// Throws an `InputError` for text of another form.
  public init(rename: [String], transpose: [String]) throws {
    renames = try rename.map { text in
      let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, let from = parts.first, let to = parts.last, !from.isEmpty,
        !to.isEmpty
      else {
        throw InputError(
          "--rename \(text): found \(parts.count == 2 ? "an empty name" : "no pair of names"), "
            + "expected FROM=TO",
          remedy: "name a tensor of the files and what the network calls it")
      }
      let pair = Rename(text: text, from: NamePattern(from), to: NamePattern(to))
      guard pair.from.stars == pair.to.stars else {
        throw InputError(
          "--rename \(text): found \(pair.from.stars) and \(pair.to.stars) times *, expected as many "
            + "on both sides",
          remedy: "each * of the new name stands for what the same one of the old name matched")
      }
      return pair
    }
    transposed = try transpose.map { text in
      guard !text.isEmpty else {
        throw InputError("--transpose: the name is empty", remedy: "name a matrix of the network")
      }
      return NamePattern(text)
    }
  }
}

/// A name in which every `*` stands for any letters.
struct NamePattern: Sendable, Equatable {
  let text: String
  /// What stands before, between and after the stars.
  private let pieces: [Substring]

  init(_ text: String) {
    self.text = text
    pieces = text.split(separator: "*", omittingEmptySubsequences: false)
  }

  var stars: Int { pieces.count - 1 }

  /// What the stars of the pattern stand for in a name, each as short as it can be; nil where the
  /// name does not match.
  func match(_ name: String) -> [Substring]? {
    guard let first = pieces.first, let last = pieces.last else { return nil }
    guard stars > 0 else { return name == text ? [] : nil }
    guard name.hasPrefix(first), name.dropFirst(first.count).hasSuffix(last) else { return nil }
    var rest = name.dropFirst(first.count).dropLast(last.count)
    var found: [Substring] = []
    for piece in pieces.dropFirst().dropLast() {
      guard
        let place = piece.isEmpty ? rest.startIndex..<rest.startIndex : rest.firstRange(of: piece)
      else { return nil }
      found.append(rest[..<place.lowerBound])
      rest = rest[place.upperBound...]
    }
    return found + [rest]
  }

  /// The pattern with its stars replaced.
  func filled(_ parts: [Substring]) -> String {
    zip(pieces, parts + [""]).map { String($0 + $1) }.joined()
  }
}
