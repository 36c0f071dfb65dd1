/// The name that a mistyped one most likely stands for: the nearest by edits (insertions,
/// deletions, substitutions and swaps of neighbours, after Damerau), case, hyphens and underscores
/// aside; nil where none is within a third of its length. The first of equally near ones.
package func nearestName(to name: String, among known: [String]) -> String? {
  let typed = letters(of: name)
  // Nothing that a person types is longer, and the work grows with the product of the lengths.
  guard !typed.isEmpty, typed.count <= 256 else { return nil }
  var nearest: (name: String, edits: Int)?
  for candidate in known {
    let letters = letters(of: candidate)
    let limit = max(1, max(typed.count, letters.count) / 3)
    guard abs(letters.count - typed.count) <= limit else { continue }
    let edits = editDistance(typed, letters)
    if edits <= limit, edits < nearest?.edits ?? .max { nearest = (candidate, edits) }
  }
  return nearest?.name
}

private func letters(of name: String) -> [Character] {
  name.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }.map { $0 }
}

/// The optimal string alignment distance: Levenshtein's, with swaps of neighbours.
private func editDistance(_ one: [Character], _ other: [Character]) -> Int {
  var before: [Int] = []
  var above = Array(0...other.count)
  for (row, letter) in one.enumerated() {
    var current = [row + 1]
    for (column, wanted) in other.enumerated() {
      var edits = min(
        above[column] + (letter == wanted ? 0 : 1), above[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, letter == other[column - 1], one[row - 1] == wanted {
        edits = min(edits, before[column - 1] + 1)
      }
      current.append(edits)
    }
    before = above
    above = current
  }
  return above[other.count]
}
