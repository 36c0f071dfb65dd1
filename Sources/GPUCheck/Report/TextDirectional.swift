/// What a report for people says of a check along directions.
enum TextDirectional {
  /// Why the check did not pass, or what its passing means.
  static func reasons(_ report: CheckReport, _ directional: DirectionalReport) -> [String] {
    var lines: [String] = []
    let count = TextFormat.count(directional.directions, "random direction")
    if report.passed {
      lines.append(
        "Every tensor has the slopes that its gradient says, along \(count) in each: below is what "
          + "size of error they could have missed.")
    }
    for tensor in directional.tensors where !tensor.passed && !tensor.isUndecided {
      let failing = tensor.slopes.filter { !$0.passed }.count
      let found = tensor.places.map { place($0, in: tensor) }
      let slopes =
        "\(failing) of \(TextFormat.count(tensor.slopes.count, "slope")) outside the bars"
      lines.append(
        "\(tensor.name) is wrong: "
          + (found.isEmpty ? slopes : found.prefix(8).joined(separator: "; "))
          + (found.count > 8 ? "; and \(found.count - 8) places more" : "") + ".")
    }
    let undecided = directional.tensors.filter(\.isUndecided).map(\.name)
    if !undecided.isEmpty {
      lines.append(
        "Undecided, since elements stand on a kink: \(undecided.joined(separator: ", ")).")
    }
    if !report.textbookAgreement.passed {
      lines.append(
        "The textbook disagrees with this evaluation, so no number here proves anything.")
    }
    if lines.isEmpty { lines.append("The lines below say why.") }
    return lines.map { TextFormat.wrapped($0) }
  }

  static func tensors(
    _ report: CheckReport, _ directional: DirectionalReport, _ style: TextStyle
  ) -> [String] {
    guard report.checked > 0 else { return [] }
    var table = TextTable([
      ("tensor", .left), ("shape", .left), ("distance", .right), ("wrong", .right),
      ("kinks", .right), ("size", .right), ("missed", .right), ("", .left),
    ])
    for (tensor, part) in zip(directional.tensors, report.tensors) {
      let mark = tensor.isUndecided ? "undecided" : tensor.passed ? "ok" : "WRONG"
      let cells = [
        TextFormat.plain(tensor.name),
        "[" + tensor.shape.map(String.init).joined(separator: ", ") + "]",
        TextFormat.rough(part.relativeDifference), "\(part.wrong) of \(tensor.slopes.count)",
        TextFormat.count(part.kinks), TextFormat.rough(tensor.typical),
        TextFormat.rough(tensor.detectable), mark,
      ]
      table.add(cells) { tensor.passed ? $0 : style.red($0) }
    }
    let percent = TextFormat.short(100 * DirectionalReport.probability)
    let legend =
      "By tensor: the distance between slopes along directions, how many are wrong, the size of a "
      + "component of the gradient, and the largest error of a single component that may have been "
      + "missed (a larger one is seen with a probability of \(percent) %):"
    return [TextFormat.wrapped(legend)] + table.lines(heading: style.faint)
  }

  /// A wrong place in words.
  static func place(_ place: WrongPlace, in tensor: DirectionalReport.Tensor) -> String {
    let verb = place.rows.count == 1 || place.part == .tensor ? "is" : "are"
    switch place.part {
    case .tensor: return "all of it " + amount(place, verb: "is")
    case .rows:
      return positions(tensor.shape.count == 1 ? "component" : "row", place.rows.map { [$0] }) + " "
        + amount(place, verb: verb)
    case .columns:
      let verb = place.columns.count == 1 ? "is" : "are"
      return positions("column", columns(place.columns, tensor)) + " " + amount(place, verb: verb)
    case .component:
      let row = tensor.shape.isEmpty ? [] : [place.rows.lowerBound]
      let index = row + (columns(place.columns, tensor).first ?? [])
      let name = "component " + bracketed(index)
      guard let analytic = place.analytic, let numeric = place.numeric else { return name }
      return name + " is \(TextFormat.value(analytic)) and should be \(TextFormat.value(numeric))"
    case .box:
      return positions(tensor.shape.count == 1 ? "component" : "row", place.rows.map { [$0] })
        + ", "
        + positions("column", columns(place.columns, tensor)) + ": something is wrong there"
    }
  }

  private static func amount(_ place: WrongPlace, verb: String) -> String {
    guard let ratio = place.ratio else { return verb + " wrong" }
    if ratio == 0 { return verb + " zero" }
    return verb + " \(TextFormat.short(ratio)) times what it should be"
  }

  /// Positions of all axes but the first.
  private static func columns(_ range: Range<Int>, _ tensor: DirectionalReport.Tensor) -> [[Int]] {
    let shape = Array(tensor.shape.dropFirst())
    return [range.lowerBound, range.upperBound - 1].map { unravel($0, shape: shape) }
      .reduce(into: []) { if $0.last != $1 { $0.append($1) } }
  }

  private static func positions(_ noun: String, _ list: [[Int]]) -> String {
    guard let first = list.first, let last = list.last else { return noun }
    if first == last { return "\(noun) \(short(first))" }
    return "\(noun)s \(short(first)) to \(short(last))"
  }

  private static func short(_ index: [Int]) -> String {
    index.count == 1 ? "\(index[0])" : bracketed(index)
  }

  private static func bracketed(_ index: [Int]) -> String {
    "[" + index.map(String.init).joined(separator: ", ") + "]"
  }
}
