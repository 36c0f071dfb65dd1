import Kernels

/// A comparison for people at a terminal: at most 100 columns, the outcome first.
public enum TextComparison {
  /// The lines, with a line break at the end.
  ///
  /// - Parameter colour: whether to write escape sequences for colour.
  public static func write(_ comparison: Comparison, colour: Bool = false) -> String {
    let style = TextStyle(colour: colour)
    let tables = ComparisonTables(comparison: comparison, style: style)
    let parts =
      [headline(comparison, style), facts(comparison)]
      + comparison.devices.indices.map { device(comparison, $0) }
      + [
        tables.runs(), tables.largest(), tables.histograms(), tables.tensors(), tables.matrix(),
        tables.worst(), notes(comparison, style),
      ]
    return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
      .joined(separator: "\n\n") + "\n"
  }

  // MARK: Outcome

  private static func headline(_ comparison: Comparison, _ style: TextStyle) -> [String] {
    let runs = TextFormat.count(comparison.runs.count, "run")
    let devices = TextFormat.count(comparison.devices.count, "device")
    let compared =
      "\(TextFormat.count(comparison.components.count)) of "
      + TextFormat.count(comparison.layout.count, "component")
    switch comparison.outcome {
    case .agree:
      return [
        style.bold(style.green("AGREE")) + "  \(runs) on \(devices), \(compared)",
        "All lie within each other's error bars, and within the textbook's: rounding explains it all.",
      ]
    case .undecidable:
      let wide = comparison.runs.indices
        .filter { !comparison.runs[$0].isDecidable || comparison.runs[$0].verdict == .undecidable }
        .map { String($0 + 1) }.joined(separator: ", ")
      return [
        style.bold(style.yellow("UNDECIDABLE")) + "  \(runs) on \(devices), \(compared)",
        TextFormat.wrapped(
          "No difference was found, but the error bars of run \(wide) are too wide to tell: use "
            + "--evaluator difference, --epsilon auto, or --precision f64."),
      ]
    case .differ:
      var lines = [style.bold(style.red("DIFFER")) + "  \(runs) on \(devices), \(compared)"]
      for pair in comparison.pairs + comparison.textbook where pair.outside > 0 {
        let other = pair.second.map { "run \($0 + 1)" } ?? "the textbook"
        lines.append(
          TextFormat.wrapped(
            "Run \(pair.first + 1) and \(other) lie outside their error bars in "
              + TextFormat.count(pair.outside, "component") + "."))
      }
      if comparison.verdictsDiffer {
        lines.append("Some runs pass the gradient that others fail.")
      }
      return lines
    }
  }

  // MARK: Facts

  private static func fact(_ name: String, _ text: String) -> String {
    TextFormat.wrapped(text, first: name + String(repeating: " ", count: max(1, 13 - name.count)))
  }

  private static func facts(_ comparison: Comparison) -> [String] {
    [
      fact("cost", "J = \(TextFormat.value(comparison.cost)) in double on the host"),
      fact(
        "method",
        "\(comparison.scheme.rawValue) differences, step \(step(comparison.epsilon)) in "
          + "every run, so that arithmetic alone tells them apart"),
      fact(
        "reference",
        "run \(comparison.reference + 1), which the others are shown against; all are held against "
          + "each other"),
      fact("time", TextFormat.seconds(comparison.seconds)),
    ]
  }

  /// A float32 number by the digits that tell it from other float32 numbers.
  private static func step(_ value: Double) -> String {
    let single = Float(value)
    return Double(single) == value
      ? TextFormat.exact(Double("\(single)") ?? value)
      : TextFormat.exact(value)
  }

  private static func device(_ comparison: Comparison, _ place: Int) -> [String] {
    let device = comparison.devices[place]
    let letter = ComparisonTables.letter(place)
    let name = TextFormat.wrapped(device.name, first: "device \(letter)     ")
    guard let tested = device.tested else {
      return [name, fact("  arithmetic", "IEEE 754, and the mathematical functions of the host")]
    }
    let description = tested.description
    return [name]
      + description.precisions.map {
        fact("  \($0.rawValue) says", words(description.arithmetic($0)))
      }
      + tested.selfTests.filter { !$0.functions.isEmpty }.map { test in
        let errors = test.functions.filter { shownFunctions.contains($0.name) }
          .map { "\($0.name) \(TextFormat.short($0.maxULP))" }
        return fact(
          "  \(test.precision.rawValue) tested",
          "off by at most, in ULP: " + errors.joined(separator: ", "))
      }
  }

  /// What networks are made of.
  private static let shownFunctions: Set = [
    "exp", "expm1", "log1p", "tanh", "erf", "1/sqrt", "division",
  ]

  /// A device's arithmetic in words.
  package static func words(_ facts: Arithmetic) -> String {
    let rounding: [(Arithmetic, String)] = [
      (.roundsToNearest, "to nearest"), (.roundsToZero, "to zero"),
      (.roundsToInfinity, "to infinity"),
    ]
    let modes = rounding.filter { facts.contains($0.0) }.map(\.1)
    return [
      facts.contains(.denormals) ? "denormals kept" : "denormals may be flushed to zero",
      facts.contains(.infinityAndNaN) ? "infinities and NaN" : "no infinities, no NaN",
      modes.isEmpty ? "rounding unknown" : "rounds " + modes.joined(separator: ", "),
      facts.contains(.fma) ? "fma" : "no fma claimed",
      facts.contains(.dividesCorrectly)
        ? "division and square root correctly rounded"
        : "division and square root not correctly rounded",
    ].joined(separator: "; ") + (facts.contains(.isSoftware) ? "; in software" : "")
  }

  // MARK: Notes

  private static func notes(_ comparison: Comparison, _ style: TextStyle) -> [String] {
    var lines: [String] = []
    let asked = comparison.textbook.first?.compared ?? 0
    let share =
      asked == comparison.components.count
      ? "all \(TextFormat.count(asked, "component"))"
      : "a sample of \(TextFormat.count(asked, "component"))"
    lines.append(
      TextFormat.wrapped(
        "\(share), whole forward passes in plain loops in double, costs subtracted.",
        first: "Textbook: "))
    if let kinks = kinks(comparison) { lines.append(TextFormat.wrapped(kinks, first: "Kinks: ")) }
    lines.append(
      TextFormat.wrapped(
        comparison.hasGradient
          ? "what gpucheck check says of the gradient on that device."
          : "what a check would say of the run's gradient, held to the reference's.",
        first: "Verdicts: "))
    for warning in comparison.warnings {
      lines.append(style.yellow(TextFormat.wrapped(warning, first: "Warning: ")))
    }
    return lines
  }

  /// What is to say of kinks; nil where no run met one.
  private static func kinks(_ comparison: Comparison) -> String? {
    let seeing = comparison.runs.filter(\.seesKinks)
    guard let first = seeing.first else { return nil }
    let uncommon = comparison.uncommonKinks
    if uncommon.isEmpty {
      guard first.crossed + first.tied > 0 else { return nil }
      return "\(TextFormat.count(first.crossed, "component")) crossed one and "
        + "\(TextFormat.count(first.tied)) stand on one, the same in every run that sees them."
    }
    let names = uncommon.prefix(3).map { ComparisonTables.name(of: $0, in: comparison.layout) }
    return
      "\(TextFormat.count(uncommon.count, "component")) met one in some runs and not in others: "
      + names.joined(separator: ", ") + (uncommon.count > 3 ? ", …" : "") + "."
  }
}
