/// An inspection for people at a terminal: at most 100 columns.
public enum TextInspection {
  /// The lines, with a line break at the end.
  ///
  /// - Parameters:
  ///   - nodes: whether every node is listed.
  ///   - colour: whether to write escape sequences for colour.
  public static func write(_ inspection: Inspection, nodes: Bool, colour: Bool = false) -> String {
    let style = TextStyle(colour: colour)
    let estimate = inspection.estimate
    let parts = [
      head(inspection, style), values(inspection, style), operators(inspection, style),
      estimate == nil ? parameters(inspection, style) : [],
      graph(inspection, nodes: nodes, style),
      estimate.map { segments($0, style) } ?? [], estimate.map { effort($0) } ?? [],
      estimate.map { devices($0, style) } ?? [], notes(inspection, style),
    ]
    return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
      .joined(separator: "\n\n") + "\n"
  }

  // MARK: The file

  private static func head(_ inspection: Inspection, _ style: TextStyle) -> [String] {
    let parameters = inspection.parameters
    let count = TextFormat.count(parameters.reduce(0) { $0 + $1.count }, "parameter")
    return [
      style.bold(TextFormat.wrapped(inspection.model)),
      TextFormat.wrapped(inspection.facts.joined(separator: ", ")),
      TextFormat.wrapped("\(count) in \(TextFormat.count(parameters.count, "tensor")) of θ"),
    ]
  }

  private static func values(_ inspection: Inspection, _ style: TextStyle) -> [String] {
    var table = TextTable([("", .left), ("name", .left), ("type", .left), ("shape", .left)])
    // Those that θ is made of stand in its own table.
    let theta = Set(inspection.parameters.map(\.name))
    let rows =
      inspection.inputs.filter { !theta.contains($0.name) }.map { ("input", $0) }
      + inspection.outputs.map { ("output", $0) }
    for (role, value) in rows {
      table.add([
        role, name(value.name), value.type?.rawValue ?? "-", value.shape.map(shape) ?? "?",
      ])
    }
    return rows.isEmpty ? [] : table.lines(heading: style.faint)
  }

  private static func parameters(_ inspection: Inspection, _ style: TextStyle) -> [String] {
    guard !inspection.parameters.isEmpty else { return [] }
    var table = TextTable([
      ("tensor of θ", .left), ("shape", .left), ("type", .left), ("components", .right),
    ])
    for parameter in inspection.parameters {
      table.add([
        TextFormat.plain(parameter.name), shape(parameter.shape), parameter.type.rawValue,
        TextFormat.count(parameter.count),
      ])
    }
    return table.lines(heading: style.faint)
  }

  private static func operators(_ inspection: Inspection, _ style: TextStyle) -> [String] {
    guard !inspection.operators.isEmpty else { return [] }
    var table = TextTable([
      ("operator", .left), ("nodes", .right), ("supported", .left), ("", .left),
    ])
    for use in inspection.operators {
      let mark = use.isSupported ? "yes" : use.isNeeded ? "NO" : "no, unneeded"
      table.add([
        TextFormat.plain(use.name), TextFormat.count(use.count), mark,
        TextFormat.shortened(use.note, to: 52),
      ]) { use.isSupported || !use.isNeeded ? $0 : style.red($0) }
    }
    return table.lines(heading: style.faint)
  }

  // MARK: The graph

  private static func graph(
    _ inspection: Inspection, nodes isListed: Bool, _ style: TextStyle
  ) -> [String] {
    let nodes = inspection.nodes
    let applied = nodes.filter { $0.kind == .operation }
    let others = [
      (Inspection.Node.Kind.parameter, "parameter"), (.constant, "constant"), (.input, "input"),
    ].compactMap { kind, noun in
      let count = nodes.count { $0.kind == kind }
      return count == 0 ? nil : TextFormat.count(count, noun)
    }
    let title =
      (inspection.estimate == nil ? "The graph of the file: " : "The graph that is evaluated: ")
      + TextFormat.count(nodes.count, "node")
      + " (\((others + [TextFormat.count(applied.count, "operator")]).joined(separator: ", "))), "
      + "\(TextFormat.count(nodes.count { $0.moves })) of them depend on θ"
    guard !isListed else { return [TextFormat.wrapped(title)] + list(nodes, style) }
    // The file's operators stand in their own table already.
    return [TextFormat.wrapped(title)]
      + (inspection.estimate == nil ? [] : summary(applied, style))
  }

  private static func summary(_ applied: [Inspection.Node], _ style: TextStyle) -> [String] {
    var table = TextTable([
      ("operator", .left), ("nodes", .right), ("depend on θ", .right), ("elements", .right),
    ])
    let groups = Dictionary(grouping: applied, by: \.operation)
    for (name, group) in groups.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) })
    {
      let elements = group.reduce(0) { $0 + ($1.shape?.reduce(1, *) ?? 0) }
      table.add([
        name, TextFormat.count(group.count), TextFormat.count(group.count(where: \.moves)),
        TextFormat.count(elements),
      ])
    }
    return table.lines(heading: style.faint)
  }

  private static func list(_ nodes: [Inspection.Node], _ style: TextStyle) -> [String] {
    var table = TextTable([
      ("node", .left), ("", .right), ("kind", .left), ("shape", .left), ("of", .left),
      ("θ", .left),
    ])
    for (number, node) in nodes.enumerated() {
      table.add([
        TextFormat.plain(node.name), String(number),
        TextFormat.plain(node.kind == .operation ? node.operation : node.kind.rawValue),
        node.shape.map(shape) ?? "?",
        TextFormat.shortened(node.inputs.map(String.init).joined(separator: " "), to: 20),
        (node.moves ? "moves" : "") + (node.costFactor == nil ? "" : ", in J"),
      ])
    }
    return table.lines(heading: style.faint)
  }

  // MARK: Estimates

  private static func segments(_ estimate: CheckEstimate, _ style: TextStyle) -> [String] {
    var table = TextTable([
      ("tensor of θ", .left), ("shape", .left), ("components", .right), ("steps", .right),
      ("elements/lane", .right), ("work/lane", .right),
    ])
    for segment in estimate.segments {
      let isRefused = segment.refusal != nil
      table.add([
        TextFormat.plain(segment.name), shape(segment.shape), TextFormat.count(segment.count),
        isRefused ? "-" : TextFormat.count(segment.steps),
        isRefused ? "-" : TextFormat.count(segment.elementsPerLane),
        isRefused ? "NO WAY" : TextFormat.short(segment.workPerLane),
      ]) { isRefused ? style.red($0) : $0 }
    }
    let legend =
      "What one lane (one component moved by one step) takes; work in multiply-adds, one forward pass "
      + "is \(TextFormat.short(estimate.forwardWork)):"
    return [TextFormat.wrapped(legend)] + table.lines(heading: style.faint)
  }

  private static func effort(_ estimate: CheckEstimate) -> [String] {
    func line(_ name: String, _ effort: CheckEstimate.Effort) -> String {
      TextFormat.wrapped(
        TextFormat.count(effort.components, "component") + " in "
          + TextFormat.count(effort.lanes, "lane") + ", "
          + "\(TextFormat.short(effort.work)) multiply-adds; the host takes about "
          + "\(TextFormat.bytes(effort.hostBytes)), and \(TextFormat.seconds(effort.hostSeconds)) "
          + "for its own part", first: name)
    }
    return [line("A full check: ", estimate.full)]
      + (estimate.sample.map { [line("A sample:     ", $0)] } ?? [])
  }

  private static func devices(_ estimate: CheckEstimate, _ style: TextStyle) -> [String] {
    let hasSample = estimate.sample != nil
    var table = TextTable([
      ("device", .left), ("", .left), ("tables", .right), ("memory", .right), ("least", .right),
      ("lanes", .right), ("full check", .right),
      (hasSample ? "sample" : "", .right),
    ])
    var refusals: [String] = []
    for device in estimate.devices {
      let isHost = device.selector == "cpu"
      let bytes = { (value: Int) in isHost ? "-" : TextFormat.bytes(value) }
      table.add([
        "\(device.selector) \(TextFormat.plain(device.name))", device.precision,
        bytes(device.tableBytes), bytes(device.usualBytes), bytes(device.leastBytes),
        TextFormat.count(device.usualLanes),
        TextFormat.seconds(device.fullSeconds),
        device.sampleSeconds.map(TextFormat.seconds) ?? "",
      ]) { device.refusal == nil ? $0 : style.red($0) }
      if let refusal = device.refusal {
        refusals.append(TextFormat.wrapped(refusal, first: "\(device.selector): "))
      }
    }
    let legend =
      "Estimates by what devices say of themselves, right within a few times at best; memory with the "
      + "usual batch of lanes, and at least; the host's own part comes on top:"
    return [TextFormat.wrapped(legend)] + table.lines(heading: style.faint) + refusals
  }

  // MARK: Notes

  private static func notes(_ inspection: Inspection, _ style: TextStyle) -> [String] {
    var lines = inspection.refusals.map {
      style.red(TextFormat.wrapped($0, first: "A check would refuse: "))
    }
    if inspection.estimate == nil, inspection.refusals.isEmpty {
      lines.append(
        TextFormat.wrapped("with a batch (--batch) work, memory and time are estimated too."))
    }
    return lines
      + inspection.warnings.map { style.yellow(TextFormat.wrapped($0, first: "Warning: ")) }
  }

  private static func name(_ text: String) -> String {
    TextFormat.shortened(TextFormat.plain(text), to: 40)
  }

  private static func shape(_ axes: [Int]) -> String { shape(axes.map(String.init)) }

  private static func shape(_ axes: [String]) -> String {
    TextFormat.shortened("[" + TextFormat.plain(axes.joined(separator: ", ")) + "]", to: 40)
  }
}
