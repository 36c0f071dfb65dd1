/// Takes the nodes of a graph one after the other and lowers those that are needed.
struct ModelWalk {
  let builder: GraphBuilder
  /// The version of every domain's operators.
  let opsets: [String: Int]

  /// The values of some names of a graph.
  func values(of names: [String], in graph: ONNXGraph, _ scope: Scope) throws -> [LoweredValue] {
    let needed = Self.needed(for: names, in: graph)
    for (number, node) in graph.nodes.enumerated() where needed.contains(number) {
      try lower(node, scope)
    }
    return try names.map { name in
      guard let value = try scope.value(name) else {
        throw InputError(
          "there is no such value, or the node that makes it gives none", tensor: name,
          remedy: "export the model again")
      }
      return value
    }
  }

  private func lower(_ node: ONNXNode, _ scope: Scope) throws {
    let call = OperatorCall(
      node: node, opset: opsets[node.domain] ?? 1,
      inputs: try node.inputs.map { $0.isEmpty ? nil : try scope.value($0) })
    for (name, value) in zip(node.inputs, call.inputs) where !name.isEmpty && value == nil {
      throw call.error("its input '\(name)' has no value")
    }
    builder.name = node.outputs.first { !$0.isEmpty } ?? node.label
    let results: [LoweredValue?]
    switch (node.domain, node.operation) {
    case ("", "If"): results = try branch(call, scope)
    case ("", "Loop"): results = try loop(call, scope)
    case ("", "Scan"): results = try scan(call, scope)
    default:
      guard let lowering = OperatorRegistry.lowering(of: node) else {
        throw UnsupportedOperator(node).error
      }
      results = try InputError.about(tensor: call.label) { try lowering.lower(call, builder) }
    }
    for (name, result) in zip(node.outputs, results) where !name.isEmpty {
      if let result { scope.define(name, result) }
    }
  }

  /// The positions of the nodes that some names are made of.
  static func needed(for names: [String], in graph: ONNXGraph) -> Set<Int> {
    var wanted = Set(names)
    var needed: Set<Int> = []
    for (number, node) in graph.nodes.enumerated().reversed()
    where node.outputs.contains(where: wanted.contains) {
      needed.insert(number)
      wanted.formUnion(node.inputs)
      wanted.formUnion(node.outerNames)
    }
    return needed
  }

  // MARK: Control flow

  /// The branch that a constant condition takes, put in the node's place.
  private func branch(_ call: OperatorCall, _ scope: Scope) throws -> [LoweredValue?] {
    guard let condition = try builder.tensor(call.input(0))?.values.first else {
      throw call.error(
        "its condition depends on θ, so J has jumps",
        remedy: "export the model with the branch taken, or use Where")
    }
    let body = try call.graph(condition != 0 ? "then_branch" : "else_branch")
    return try values(of: body.outputs.map(\.name), in: body, Scope(body, within: scope))
  }

  /// A loop of a known number of turns, each put behind the other.
  private func loop(_ call: OperatorCall, _ scope: Scope) throws -> [LoweredValue?] {
    let body = try call.graph("body")
    let turns = try call.optional(0).map { try known($0, "its number of turns", call) }
    var goesOn = try call.optional(1).map { try known($0, "its condition", call) } ?? 1
    var carried = try call.inputs.indices.dropFirst(2).map(call.input)
    guard body.inputs.count == carried.count + 2, body.outputs.count > carried.count else {
      throw call.error("its body takes \(body.inputs.count) inputs, expected \(carried.count + 2)")
    }
    var scanned = [[LoweredValue]](
      repeating: [], count: body.outputs.count - 1 - carried.count)
    var turn = 0
    while goesOn != 0, turns.map({ Double(turn) < $0 }) ?? true {
      guard turn < Self.mostTurns else {
        throw call.error("it turns more than \(Self.mostTurns) times")
      }
      let inner = Scope(body, within: scope)
      inner.define(body.inputs[0].name, builder.scalar(Double(turn), .int64))
      inner.define(body.inputs[1].name, builder.scalar(1, .bool))
      for (input, value) in zip(body.inputs.dropFirst(2), carried) {
        inner.define(input.name, value)
      }
      let results = try values(of: body.outputs.map(\.name), in: body, inner)
      goesOn = try known(results[0], "its condition", call)
      carried = Array(results[1...].prefix(carried.count))
      for (number, value) in results.dropFirst(1 + carried.count).enumerated() {
        scanned[number].append(value)
      }
      turn += 1
    }
    return try carried + scanned.map { try stacked($0, axis: 0, call) }
  }

  /// A body over the positions of an axis.
  private func scan(_ call: OperatorCall, _ scope: Scope) throws -> [LoweredValue?] {
    let body = try call.graph("body")
    let count = try call.int("num_scan_inputs", 0)
    let all = try call.allInputs()
    guard (1...max(1, all.count)).contains(count), body.inputs.count == all.count,
      body.outputs.count >= all.count - count
    else { throw call.error("its body takes \(body.inputs.count) inputs, expected \(all.count)") }
    var state = Array(all.dropLast(count))
    let scanned = Array(all.suffix(count))
    let outputs = body.outputs.count - state.count
    func setting(_ name: String, of total: Int) throws -> [Int] {
      let values = try call.ints(name) ?? [Int](repeating: 0, count: total)
      guard values.count == total else { throw call.error("found \(name) \(values)") }
      return values
    }
    let axes = try setting("scan_input_axes", of: count)
    let backwards = try setting("scan_input_directions", of: count)
    let outputAxes = try setting("scan_output_axes", of: outputs)
    let outputBackwards = try setting("scan_output_directions", of: outputs)
    let places = try zip(axes, scanned).map { try call.axis($0, rank: $1.rank) }
    let turns = scanned[0].shape.indices.contains(places[0]) ? scanned[0].shape[places[0]] : 0
    guard turns <= Self.mostTurns, zip(scanned, places).allSatisfy({ $0.shape[$1] == turns }) else {
      throw call.error(
        "found shapes \(scanned.map(\.shape)), expected one length up to \(Self.mostTurns)")
    }
    var results = [[LoweredValue]](repeating: [], count: outputs)
    for turn in 0..<turns {
      let inner = Scope(body, within: scope)
      for (input, value) in zip(body.inputs, state) { inner.define(input.name, value) }
      for (number, value) in scanned.enumerated() {
        let position = backwards[number] == 0 ? turn : turns - 1 - turn
        var shape = value.shape
        shape.remove(at: places[number])
        inner.define(
          body.inputs[state.count + number].name,
          try builder.reshape(
            builder.slice(value, axis: places[number], position..<position + 1), shape))
      }
      let made = try values(of: body.outputs.map(\.name), in: body, inner)
      state = Array(made.prefix(state.count))
      for (number, value) in made.dropFirst(state.count).enumerated() {
        results[number].append(value)
      }
    }
    return try state
      + results.enumerated().map { number, parts in
        try stacked(
          outputBackwards[number] == 0 ? parts : parts.reversed(), axis: outputAxes[number], call)
      }
  }

  private static let mostTurns = 1 << 12

  private func stacked(_ parts: [LoweredValue], axis: Int, _ call: OperatorCall) throws
    -> LoweredValue?
  {
    guard let first = parts.first else { return nil }
    return try builder.stack(parts, axis: call.axis(axis, rank: first.rank + 1))
  }

  private func known(_ value: LoweredValue, _ meaning: String, _ call: OperatorCall) throws
    -> Double
  {
    guard let value = try builder.tensor(value)?.values.first else {
      throw call.error(
        "\(meaning) depends on θ, so J has jumps",
        remedy: "export the model with the loop unrolled")
    }
    return value
  }
}

extension ONNXNode {
  /// The names that bodies within the node may take from around it.
  var outerNames: Set<String> {
    var names: Set<String> = []
    for case .graph(let body) in attributes.values {
      for node in body.nodes {
        names.formUnion(node.inputs)
        names.formUnion(node.outerNames)
      }
      names.formUnion(body.outputs.map(\.name))
    }
    return names
  }
}
