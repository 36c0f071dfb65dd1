import ONNXFormat

/// Replaces nodes that call a function of the model by the function's nodes
/// (https://onnx.ai/onnx/repo-docs/IR.html, "Functions").
///
/// Every call gets names of its own for the values within it, such as `Gelu.2/x`; a formal input or
/// output gets the name that the call gives it.
struct ONNXFunctions {
  /// The versions of operators that the functions ask for, by domain.
  let opsets: [String: Int]
  private let functions: [Key: FunctionProto]
  /// Names of values that stand in the model, or were made here.
  private var taken: Set<String> = []
  /// How many calls were inlined.
  private var calls = 0
  /// How much may still be written.
  private var room: Int

  /// How many calls may lie within each other.
  private static let depthLimit = 64
  private static let exportAgain = "export the model again"

  /// What a node names its function by.
  private struct Key: Hashable {
    var domain: String
    var name: String
    var overload: String

    /// What error lines call the function.
    var label: String { "the function '\(shown(name))'" }
  }

  /// Nodes that refer to each other: the model's, or those of a function in one of its calls.
  private struct Body {
    /// Before the names that are made up for a call; nil in the model itself, where names stay.
    var prefix: String?
    /// What the names of a function's values become.
    var names: [String: String] = [:]
    /// What the call says for the function's attributes; nil where it says nothing.
    var attributes: [String: AttributeProto?] = [:]
    /// The functions that are being inlined, the outermost first.
    var calls: [Key] = []
  }

  /// Throws an `InputError` for two functions of one name and for one that is written for another
  /// opset than the model.
  init(_ model: ModelProto, opset: Int, limit: Int) throws {
    var functions: [Key: FunctionProto] = [:]
    var opsets: [String: Int] = [:]
    for function in model.functions {
      let key = Key(
        domain: canonicalDomain(function.domain), name: function.name, overload: function.overload)
      guard functions.updateValue(function, forKey: key) == nil else {
        throw InputError("\(key.label) is defined twice", remedy: Self.exportAgain)
      }
      let versions = try ONNXFile.versions(function.opsetImport)
      if let version = versions[""], version != opset {
        throw InputError(
          "\(key.label) is written for opset \(version), the model for \(opset)",
          remedy: "export both with the same opset_version")
      }
      opsets.merge(versions) { one, _ in one }
    }
    self.functions = functions
    self.opsets = opsets
    room = limit
    note(model.graph)
  }

  /// The graph without calls, also in the graphs within it.
  mutating func inline(_ graph: GraphProto) throws -> GraphProto {
    try expand(graph, in: Body())
  }

  // MARK: Names

  /// Notes the names of values that a graph defines.
  private mutating func note(_ graph: GraphProto) {
    taken.formUnion(Self.definitions(graph))
    for attribute in graph.node.lazy.flatMap(\.attribute) where attribute.hasG {
      note(attribute.g)
    }
  }

  private static func definitions(_ graph: GraphProto) -> [String] {
    graph.input.map(\.name) + graph.initializer.map(\.name) + graph.node.flatMap(\.output)
  }

  /// A name that nothing has yet.
  private mutating func fresh(_ name: String, _ prefix: String) -> String {
    var candidate = prefix + name
    while !taken.insert(candidate).inserted { candidate += "'" }
    return candidate
  }

  private func rename(_ name: String, in body: Body) throws -> String {
    if body.prefix == nil || name.isEmpty { return name }
    guard let renamed = body.names[name] else {
      throw InputError(
        "\(body.calls.last?.label ?? "a function") uses '\(shown(name))', which nothing in it defines",
        remedy: Self.exportAgain)
    }
    return renamed
  }

  // MARK: Nodes

  private mutating func expand(_ graph: GraphProto, in body: Body) throws -> GraphProto {
    var graph = graph
    var body = body
    if let prefix = body.prefix {
      // Its own names hide those around it.
      for name in Self.definitions(graph) where !name.isEmpty {
        try spend(1)
        body.names[name] = fresh(name, prefix)
      }
      for place in graph.input.indices {
        graph.input[place].name = try rename(graph.input[place].name, in: body)
      }
      for place in graph.initializer.indices {
        graph.initializer[place].name = try rename(graph.initializer[place].name, in: body)
      }
      for place in graph.output.indices {
        graph.output[place].name = try rename(graph.output[place].name, in: body)
      }
    }
    graph.node = try expand(graph.node, in: body)
    return graph
  }

  private mutating func expand(_ nodes: [NodeProto], in body: Body) throws -> [NodeProto] {
    var expanded: [NodeProto] = []
    for var node in nodes {
      if let prefix = body.prefix {
        try spend(Self.weight(node))
        if !node.name.isEmpty { node.name = prefix + node.name }
      }
      node.input = try node.input.map { try rename($0, in: body) }
      node.output = try node.output.map { try rename($0, in: body) }
      node.attribute = try node.attribute.compactMap { try resolve($0, in: body) }
      let key = Key(
        domain: canonicalDomain(node.domain), name: node.opType, overload: node.overload)
      if let function = functions[key] {
        expanded += try inline(function, key, calledBy: node, in: body)
      } else {
        expanded.append(node)
      }
    }
    return expanded
  }

  /// An attribute of a node: itself, or the call's that it refers to; nil where the call has none.
  private mutating func resolve(
    _ attribute: AttributeProto, in body: Body
  ) throws -> AttributeProto? {
    var attribute = attribute
    if body.prefix != nil, attribute.hasRefAttrName {
      guard let said = body.attributes[attribute.refAttrName] else {
        throw InputError(
          "\(body.calls.last?.label ?? "a function") uses '\(shown(attribute.refAttrName))', which "
            + "is none of its attributes", remedy: Self.exportAgain)
      }
      guard var value = said else { return nil }
      // Its names are the caller's already.
      if value.hasG { try spend(Self.weight(value.g)) }
      try spend(Self.weight(value))
      value.name = attribute.name
      return value
    }
    if attribute.hasG { attribute.g = try expand(attribute.g, in: body) }
    return attribute
  }

  /// What a call stands for.
  private mutating func inline(
    _ function: FunctionProto, _ key: Key, calledBy node: NodeProto, in caller: Body
  ) throws -> [NodeProto] {
    func refusal(_ problem: String) -> InputError {
      InputError("\(key.label) \(problem)", remedy: Self.exportAgain)
    }
    guard !caller.calls.contains(key) else { throw refusal("calls itself, expected no recursion") }
    guard caller.calls.count < Self.depthLimit else {
      throw refusal("is called within more than \(Self.depthLimit) others")
    }
    guard node.input.count <= function.input.count, node.output.count <= function.output.count
    else {
      throw refusal(
        "has \(function.input.count) inputs and \(function.output.count) outputs, and is called "
          + "with \(node.input.count) and \(node.output.count)")
    }
    calls += 1
    let prefix = String(function.name.prefix(40)) + ".\(calls)/"
    var body = Body(prefix: prefix, calls: caller.calls + [key])
    for (place, formal) in function.input.enumerated() {
      let actual = node.input.indices.contains(place) ? node.input[place] : ""
      guard body.names.updateValue(actual, forKey: formal) == nil else {
        throw refusal("has two inputs '\(shown(formal))'")
      }
    }
    let inputs = body.names
    for name in function.node.lazy.flatMap(\.output) where !name.isEmpty {
      try spend(1)
      guard inputs[name] == nil else { throw refusal("computes its input '\(shown(name))'") }
      body.names[name] = fresh(name, prefix)
    }
    // An input that is handed through.
    var copies: [NodeProto] = []
    for (place, formal) in function.output.enumerated() {
      guard let inner = body.names[formal] else {
        throw refusal("computes its output '\(shown(formal))' in no node")
      }
      guard node.output.indices.contains(place), !node.output[place].isEmpty else { continue }
      guard !function.output[..<place].contains(formal), inputs[formal] == nil else {
        try spend(1)
        copies.append(
          .with {
            $0.opType = "Identity"
            $0.input = [inner]
            $0.output = [node.output[place]]
          })
        continue
      }
      body.names[formal] = node.output[place]
    }
    body.attributes = try attributes(of: function, calledBy: node, refusal)
    return try expand(function.node, in: body) + copies
  }

  /// What a call says for each attribute of the function.
  private func attributes(
    of function: FunctionProto, calledBy node: NodeProto, _ refusal: (String) -> InputError
  ) throws -> [String: AttributeProto?] {
    var attributes: [String: AttributeProto?] = [:]
    for name in function.attribute { attributes.updateValue(nil, forKey: name) }
    for attribute in function.attributeProto {
      guard !attribute.hasG else {
        throw refusal("has a graph as the default of '\(shown(attribute.name))'")
      }
      attributes[attribute.name] = attribute
    }
    for attribute in node.attribute {
      guard attributes.updateValue(attribute, forKey: attribute.name) != nil else {
        throw refusal("is called with '\(shown(attribute.name))', which is none of its attributes")
      }
    }
    return attributes
  }

  // MARK: Limits

  private mutating func spend(_ weight: Int) throws {
    room -= weight
    guard room >= 0 else {
      throw InputError(
        "the model grows beyond all measure where its functions are inlined",
        remedy: "inline them before, with onnx.inliner, or export the model without functions")
    }
  }

  /// About how many objects a node comes to.
  private static func weight(_ node: NodeProto) -> Int {
    node.attribute.reduce(1 + node.input.count + node.output.count) { $0 + weight($1) }
  }

  private static func weight(_ attribute: AttributeProto) -> Int {
    1 + attribute.ints.count + attribute.floats.count + attribute.strings.count
  }

  private static func weight(_ graph: GraphProto) -> Int {
    graph.node.reduce(1 + graph.input.count + graph.output.count + graph.initializer.count) {
      sum, node in
      node.attribute.reduce(sum + weight(node)) { $1.hasG ? $0 + weight($1.g) : $0 }
    }
  }
}
