/// A table in columns two spaces apart, at most so many columns wide: the first column gives way.
struct TextTable {
  enum Alignment { case left, right }

  var heads: [String]
  /// One for each head.
  var alignments: [Alignment]
  private var rows: [(cells: [String], style: (String) -> String)] = []

  init(_ columns: [(head: String, alignment: Alignment)]) {
    heads = columns.map(\.head)
    alignments = columns.map(\.alignment)
  }

  /// Adds a row with a cell for each head; `style` dresses the whole line.
  mutating func add(_ cells: [String], style: @escaping (String) -> String = { $0 }) {
    precondition(cells.count == heads.count)
    rows.append((cells, style))
  }

  /// The lines, each after two spaces.
  func lines(columns: Int = 100, heading: (String) -> String = { $0 }) -> [String] {
    var widths = heads.map(\.count)
    for row in rows {
      for (column, cell) in row.cells.enumerated() {
        widths[column] = max(widths[column], cell.count)
      }
    }
    let others = widths.dropFirst().reduce(0) { $0 + $1 + 2 }
    widths[0] = min(widths[0], max(12, columns - 2 - others))
    return [heading(line(heads, widths))] + rows.map { $0.style(line($0.cells, widths)) }
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var line = " "
    for (column, cell) in cells.enumerated() {
      let cell = TextFormat.shortened(cell, to: widths[column])
      let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
      line += column == 0 ? " " : "  "
      line += alignments[column] == .left ? cell + space : space + cell
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}
