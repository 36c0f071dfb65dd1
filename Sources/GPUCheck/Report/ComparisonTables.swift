import Kernels

/// The tables of a comparison.
struct ComparisonTables {
  let comparison: Comparison
  let style: TextStyle

  /// A, B, … for devices.
  static func letter(_ device: Int) -> String {
    guard device < 26, let scalar = Unicode.Scalar(65 + UInt32(device)) else {
      return "#\(device + 1)"
    }
    return String(Character(scalar))
  }

  /// `W1[3, 17]`.
  static func name(of component: Int, in layout: ParameterLayout) -> String {
    let (segment, index) = layout.locate(component)
    let part = layout.segments[segment]
    return name(part.name, unravel(index, shape: part.shape))
  }

  private static func name(_ tensor: String, _ index: [Int]) -> String {
    TextFormat.plain(tensor) + "[" + index.map(String.init).joined(separator: ", ") + "]"
  }

  /// `2 B difference f32`.
  private func label(_ run: Int) -> String {
    let facts = comparison.runs[run]
    return "\(run + 1) \(Self.letter(facts.device)) \(facts.evaluator.rawValue) "
      + facts.precision.rawValue
  }

  private func label(_ run: Int?) -> String { run.map { label($0) } ?? "textbook" }

  /// Every run but the reference, with its difference from it.
  private var others: [(run: Int, pair: PairDifference)] {
    comparison.runs.indices.compactMap { run in
      comparison.pair(run, comparison.reference).map { (run, $0) }
    }
  }

  /// A distance in a narrow column.
  private func distance(_ value: Double) -> String {
    value.isNaN ? "NaN" : TextFormat.rough(value)
  }

  private func titled(_ title: String, _ table: TextTable) -> [String] {
    [TextFormat.wrapped(title)] + table.lines(heading: style.faint)
  }

  // MARK: Runs

  func runs() -> [String] {
    var table = TextTable(
      [
        ("run", .left), ("cost - J", .right), ("in ULP", .right), ("to ref.", .right),
        ("outside", .right), ("textbook", .right),
      ] + (comparison.hasGradient ? [("to dθ", .right)] : []) + [
        ("floor", .right), ("verdict", .left), ("time", .right),
      ])
    for (number, run) in comparison.runs.enumerated() {
      let pair = comparison.pair(number, comparison.reference)
      let judge = comparison.textbook[number]
      let outside =
        comparison.pairs.filter { $0.first == number || $0.second == number }
        .reduce(judge.outside) { $0 + $1.outside }
      let cells =
        [
          label(number), distance(run.cost - comparison.cost),
          run.cost.isNaN
            ? "NaN" : TextFormat.short(ulps(run.cost, from: comparison.cost, run.precision)),
          pair.map { distance($0.relativeDifference) } ?? "-",
          TextFormat.count(outside), distance(judge.relativeDifference),
        ] + (run.distanceToGradient.map { [distance($0)] } ?? []) + [
          distance(run.noiseFloor), run.verdict.rawValue, TextFormat.seconds(run.seconds),
        ]
      table.add(cells) { outside > 0 ? style.red($0) : $0 }
    }
    return titled(
      "Runs (distances of the numeric gradients to the reference's"
        + (comparison.hasGradient ? ", the textbook's and dθ" : " and the textbook's")
        + "; outside: components beyond the error bars, over all other runs and the textbook; "
        + "floor: the distance that the bars alone allow):", table)
  }

  // MARK: Differences from the reference

  func largest() -> [String] {
    var table = TextTable([
      ("component", .left), ("run", .left), ("largest", .left), ("difference", .right),
      ("run's value", .right), ("reference's", .right),
    ])
    for (run, pair) in others {
      let isFirst = pair.first == run
      let measures: [(String, ComponentDifference?, (ComponentDifference) -> String)] = [
        ("absolute", pair.largestAbsolute, { TextFormat.rough($0.absolute) }),
        ("relative", pair.largestRelative, { TextFormat.rough($0.relative) }),
        (
          "ULP of \(pair.precision.rawValue)", pair.largestULP,
          { $0.ulp.map { TextFormat.short(Double($0)) } ?? "not a number" }
        ),
      ]
      for (name, component, value) in measures {
        guard let component else { continue }
        table.add([
          Self.name(component.tensor, component.index), label(run), name, value(component),
          TextFormat.value(isFirst ? component.first : component.second),
          TextFormat.value(isFirst ? component.second : component.first),
        ])
      }
      if pair.largestAbsolute == nil {
        table.add(["none: identical", label(run), "", "0", "", ""])
      }
    }
    return titled("Largest differences from the reference:", table)
  }

  /// Where the columns of the histogram begin: JSON has every power of two.
  private static let edges: [UInt64] = [0, 1, 2, 4, 8, 64, 1024, 65_536]

  func histograms() -> [String] {
    let heads = Self.edges.indices.map { place in
      guard place + 1 < Self.edges.count else { return "65,536+" }
      let last = Self.edges[place + 1] - 1
      return Self.edges[place] == last ? "\(last)" : "\(Self.edges[place])-\(last)"
    }
    var table = TextTable(
      [("run", .left), ("ULP of", .left)] + heads.map { ($0, .right) })
    for (run, pair) in others {
      var counts = [Int](repeating: 0, count: Self.edges.count)
      for (bucket, count) in pair.histogram.counts.enumerated() {
        let first = ULPHistogram.range(ofBucket: bucket).lowerBound
        let place = Self.edges.lastIndex { $0 <= first } ?? 0
        counts[place] += count
      }
      table.add([label(run), pair.precision.rawValue] + counts.map { TextFormat.count($0) })
    }
    return titled("Components by their distance from the reference's, in ULP:", table)
  }

  // MARK: Distances

  /// Columns of a table of runs at a time.
  private static let columns = 8

  private func distances(
    _ title: String, _ head: String, columns: [Int], rows: [(name: String, cells: [String])]
  ) -> [String] {
    stride(from: 0, to: columns.count, by: Self.columns).flatMap { start in
      let range = start..<min(start + Self.columns, columns.count)
      var table = TextTable([(head, .left)] + columns[range].map { ("run \($0 + 1)", .right) })
      for row in rows { table.add([row.name] + row.cells[range]) }
      let lines = table.lines(heading: style.faint)
      return start == 0 ? [TextFormat.wrapped(title)] + lines : [""] + lines
    }
  }

  func tensors() -> [String] {
    let others = others
    return distances(
      "Distance to the reference by tensor:", "tensor", columns: others.map(\.run),
      rows: comparison.layout.segments.enumerated().map { number, part in
        let cells = others.map { _, pair in
          let tensor = pair.tensors[number]
          return tensor.compared == 0 ? "-" : distance(tensor.relativeDifference)
        }
        return (TextFormat.plain(part.name), cells)
      })
  }

  func matrix() -> [String] {
    guard comparison.runs.count > 2 else { return [] }
    return distances(
      "Distance of every run to every other:", "run", columns: Array(comparison.runs.indices),
      rows: comparison.runs.indices.map { row in
        let cells = comparison.runs.indices.map { column in
          comparison.pair(row, column).map { distance($0.relativeDifference) } ?? "-"
        }
        return (label(row), cells)
      })
  }

  // MARK: Outside

  func worst() -> [String] {
    let worst = comparison.worst
    guard !worst.isEmpty else { return [] }
    var table = TextTable([
      ("component", .left), ("run", .left), ("value", .right), ("bar", .right),
    ])
    for (pair, component) in worst {
      let name = Self.name(component.tensor, component.index)
      table.add([
        name, label(pair.first), TextFormat.value(component.first),
        TextFormat.rough(component.firstBar),
      ])
      table.add(
        [
          "", label(pair.second), TextFormat.value(component.second),
          TextFormat.rough(component.secondBar),
        ])
    }
    return titled(
      "The components farthest outside the bars of two (\(worst.count) of "
        + "\(TextFormat.count(comparison.outside))):", table)
  }
}
