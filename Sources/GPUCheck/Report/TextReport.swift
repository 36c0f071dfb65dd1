/// The report for people at a terminal: at most 100 columns, the verdict first.
public enum TextReport {
  /// The lines of the report, with a line break at the end.
  ///
  /// - Parameters:
  ///   - tolerance: the distance up to which the check could pass, for the reasons of a failure.
  ///   - colour: whether to write escape sequences for colour.
  public static func write(
    _ report: CheckReport, tolerance: Double = CheckOptions().tolerance, colour: Bool = false
  ) -> String {
    let style = TextStyle(colour: colour)
    let directional = report.directional
    let parts = [
      headline(report, style)
        + (directional.map { TextDirectional.reasons(report, $0) } ?? reasons(report, tolerance)),
      facts(report),
      directional.map { TextDirectional.tensors(report, $0, style) } ?? tensors(report, style),
      components(report, style), notes(report, style),
      report.profile.map(ProfileReport.text) ?? [],
    ]
    return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
      .joined(separator: "\n\n") + "\n"
  }

  // MARK: Verdict

  private static func headline(_ report: CheckReport, _ style: TextStyle) -> [String] {
    let word: String
    let dress: (String) -> String
    switch (report.passed, report.verdict) {
    case (true, .right): (word, dress) = ("RIGHT", style.green)
    case (true, let verdict): (word, dress) = (verdict.rawValue.uppercased(), style.yellow)
    case (false, .undecidable): (word, dress) = ("UNDECIDABLE", style.yellow)
    case (false, .wrong): (word, dress) = ("WRONG", style.red)
    case (false, _): (word, dress) = ("FAILED", style.red)
    }
    let verdict = style.bold(dress(word))
    let all = TextFormat.count(report.parameters, "parameter")
    guard report.checked > 0 else { return [verdict + "  none of \(all) was checked"] }
    let distance = TextFormat.rough(report.relativeDifference)
    if let directional = report.directional {
      let count = TextFormat.count(directional.directions, "direction")
      return [verdict + "  distance \(distance) along \(count) in each tensor of \(all)"]
    }
    return [
      verdict + "  distance \(distance) over \(TextFormat.count(report.checked)) of \(all)"
    ]
  }

  /// What the verdict means, or why the check did not pass.
  private static func reasons(_ report: CheckReport, _ tolerance: Double) -> [String] {
    var lines: [String] = []
    let limit = max(tolerance, report.noiseFloor)
    switch (report.passed, report.verdict) {
    case (true, .right):
      lines.append("The gradient is right: it is what perturbing every parameter gives.")
    case (true, .acceptable) where report.relativeDifference > 1e-5:
      lines.append(
        "The gradient passes: the distance is within the noise floor. Look at the components.")
    case (true, .acceptable):
      lines.append("The gradient passes, but not below 1e-7: look at the worst components.")
    case (true, _):
      lines.append(
        "The gradient passes only because a distance up to \(TextFormat.rough(limit)) may: "
          + "look at the components.")
    case (false, .undecidable) where !report.lost.isEmpty: break
    case (false, .undecidable) where report.textbookAgreement.passed:
      lines.append(
        "The noise floor \(TextFormat.rough(report.noiseFloor)) is too high to tell right from "
          + "wrong.")
    case (false, _): break
    }
    if report.wrong > 0 {
      let names = report.tensors.filter { $0.wrong > 0 }.map(\.name)
      let beyond = report.wrong == 1 ? "lies outside its error bar" : "lie outside their error bars"
      lines.append(
        "\(TextFormat.count(report.wrong, "component")) \(beyond), in "
          + list(names, limit: 12) + ".")
    }
    if !report.lost.isEmpty {
      lines.append(
        "\(TextFormat.count(report.lost.count, "component")) could not be evaluated: nothing is "
          + "known of \(report.lost.count == 1 ? "it" : "them").")
    }
    if !report.textbookAgreement.passed {
      lines.append(
        "The textbook disagrees with this evaluation, so no number here proves anything.")
    }
    if !report.passed, report.verdict != .undecidable, report.relativeDifference > limit {
      let bound =
        report.noiseFloor > tolerance
        ? "noise floor \(TextFormat.rough(limit))" : "tolerance \(TextFormat.exact(limit))"
      lines.append("The distance is beyond the \(bound).")
    }
    if lines.isEmpty {
      lines.append("The \(report.findings.isEmpty ? "warnings" : "findings") below say why.")
    }
    return lines.map { TextFormat.wrapped($0) }
  }

  // MARK: Facts

  private static func facts(_ report: CheckReport) -> [String] {
    func fact(_ name: String, _ text: String) -> String {
      TextFormat.wrapped(text, first: name + String(repeating: " ", count: 13 - name.count))
    }
    let seconds = report.seconds
    let rate = Double(report.checked) / seconds.evaluation
    let speed =
      rate.isFinite && report.checked > 0 && report.directional == nil
      ? " (\(TextFormat.count(Int(rate.rounded()), "parameter"))/s)" : ""
    let scale = [
      fact(
        "distance",
        "|numeric - analytic| / (|numeric| + |analytic|), 0 to 1: up to 1e-7 is right, 1e-5 "
          + "acceptable, 1e-3 suspicious, more is wrong"),
      fact(
        "noise floor",
        TextFormat.rough(report.noiseFloor)
          + ": the distance that errors within the bars alone could make"),
    ]
    return (report.checked > 0 ? scale : []) + [
      fact("cost", "J = \(TextFormat.value(report.cost)) at the given parameters"),
      fact(
        "method",
        "\(report.evaluator.rawValue) in \(report.precision), \(report.scheme.rawValue) "
          + "differences, step \(TextFormat.exact(report.epsilon))"
          + (report.costNoise.map { "; the cost's own noise is \(TextFormat.rough($0))" } ?? "")),
      fact("device", devices(report)),
      fact(
        "time",
        TextFormat.seconds(seconds.evaluation) + " of evaluation\(speed), "
          + TextFormat.seconds(seconds.total) + " in all (files "
          + TextFormat.seconds(seconds.load) + ", device " + TextFormat.seconds(seconds.setup)
          + ")"),
    ]
      + (report.recalled > 0
        ? [
          fact(
            "journal",
            TextFormat.count(report.recalled, "perturbation") + " known from an earlier run")
        ] : [])
  }

  /// Where it ran; of several devices, who did how much.
  private static func devices(_ report: CheckReport) -> String {
    let all = report.devices.reduce(0) { $0 + $1.lanes }
    guard report.devices.count > 1, all > 0 else { return report.device }
    return report.devices.map { share in
      let percent = (100 * Double(share.lanes) / Double(all)).rounded()
      return "\(share.name): \(Int(percent)) %"
    }.joined(separator: "; ")
  }

  // MARK: Tables

  private static func tensors(_ report: CheckReport, _ style: TextStyle) -> [String] {
    guard report.checked > 0 else { return [] }
    var table = TextTable([
      ("tensor", .left), ("shape", .left), ("checked", .right), ("distance", .right),
      ("wrong", .right), ("kinks", .right), ("", .left),
    ])
    for tensor in report.tensors {
      let mark = tensor.checked == 0 ? "not checked" : tensor.passed ? "ok" : "WRONG"
      let cells = [
        TextFormat.plain(tensor.name), index(tensor.shape), TextFormat.count(tensor.checked),
        tensor.checked == 0 ? "-" : TextFormat.rough(tensor.relativeDifference),
        TextFormat.count(tensor.wrong), TextFormat.count(tensor.kinks), mark,
      ]
      table.add(cells) { tensor.passed ? $0 : style.red($0) }
    }
    return table.lines(heading: style.faint)
  }

  private static func components(_ report: CheckReport, _ style: TextStyle) -> [String] {
    // A right gradient needs no list: one line shows how near to its bar a component came.
    let isRight = report.passed && report.verdict == .right
    let shown = report.worst.prefix(isRight ? 1 : report.worst.count)
    guard !shown.isEmpty else { return [] }
    var table = TextTable([
      ("component", .left), ("analytic", .right), ("numeric", .right), ("difference", .right),
      ("bar", .right), ("", .left),
    ])
    for component in shown {
      let cells = [
        TextFormat.plain(component.tensor) + index(component.index),
        TextFormat.value(component.analytic), TextFormat.value(component.numeric),
        TextFormat.rough(component.difference), TextFormat.rough(component.uncertainty),
        component.passed ? "ok" : "WRONG",
      ]
      table.add(cells) { component.passed ? $0 : style.red($0) }
    }
    let title =
      isRight
      ? "The component nearest to its error bar"
      : report.wrong > shown.count
        ? "The worst \(shown.count) of \(TextFormat.count(report.wrong)) wrong components"
        : "The worst components"
    let legend =
      title + " (indices count from 0; analytic is the gradient given, numeric the one found here; "
      + "a difference beyond the bar is wrong):"
    return [TextFormat.wrapped(legend)] + table.lines(heading: style.faint)
  }

  // MARK: Notes

  private static func notes(_ report: CheckReport, _ style: TextStyle) -> [String] {
    var lines: [String] = []
    let kinks = report.kinks
    let noun = report.directional == nil ? "component" : "direction"
    if kinks.crossed > 0 {
      lines.append(
        TextFormat.wrapped(
          "\(TextFormat.count(kinks.crossed, noun)) crossed a kink (a ReLU or the like "
            + "changed its branch within the step); tried again with a smaller step.",
          first: "Kinks: "))
    }
    if kinks.tied > 0 {
      let stand = kinks.tied == 1 ? "stands" : "stand"
      lines.append(
        TextFormat.wrapped(
          "\(TextFormat.count(kinks.tied, noun)) \(stand) on a kink, where any value "
            + "between the slopes of the two sides is right.", first: "Kinks: "))
    }
    // Of a cost of the user's own there is no other to ask.
    if report.checked > 0, report.costNoise == nil {
      lines.append(
        TextFormat.wrapped(agreement(report.textbookAgreement, noun), first: "Textbook: "))
    }
    let shown = report.lost.prefix(10)
    for lost in shown {
      lines.append(
        style.yellow(
          TextFormat.wrapped(
            TextFormat.plain(lost.tensor) + index(lost.index) + ": " + lost.reason, first: "Lost: ")
        ))
    }
    if report.lost.count > shown.count {
      lines.append("Lost: \(TextFormat.count(report.lost.count - shown.count)) more.")
    }
    for finding in report.findings {
      let place = finding.tensors.isEmpty ? "" : " (\(list(finding.tensors, limit: 12)))"
      lines.append(TextFormat.wrapped(finding.text + place, first: "Finding: "))
    }
    for warning in report.warnings {
      lines.append(style.yellow(TextFormat.wrapped(warning, first: "Warning: ")))
    }
    return lines
  }

  private static func agreement(
    _ agreement: CheckReport.TextbookAgreement, _ noun: String
  ) -> String {
    guard agreement.components > 0 else { return "no \(noun) was evaluated again." }
    let again =
      TextFormat.count(agreement.components, noun) + " evaluated again by "
      + "plain loops in double: "
    let distance = TextFormat.rough(agreement.relativeDifference)
    return again + (agreement.passed ? "they agree" : "THEY DISAGREE") + ", distance \(distance)."
  }

  /// `[3, 4]`, of a shape too.
  private static func index(_ places: [Int]) -> String {
    "[" + places.map(String.init).joined(separator: ", ") + "]"
  }

  private static func list(_ names: [String], limit: Int) -> String {
    let shown = names.prefix(limit).joined(separator: ", ")
    return names.count > limit ? shown + " and \(names.count - limit) more" : shown
  }
}
