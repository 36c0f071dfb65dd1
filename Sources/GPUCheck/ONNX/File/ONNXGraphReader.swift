import ONNXFormat

/// Reads a graph and the graphs within it: values, constants, nodes, and whether every name that is
/// used is defined, once.
struct ONNXGraphReader {
  let tensors: ONNXTensorReader
  /// The graphs around the one that is read, from the innermost out.
  private let around: [Names]

  /// Who defines the names of a graph.
  private final class Names {
    enum Definition {
      case input
      case initializer
      /// The position of a node in the file.
      case node(Int)
    }

    var definitions: [String: Definition] = [:]
  }

  /// How many graphs may lie within each other.
  private static let depthLimit = 16
  private static let exportAgain = "export the model again"

  init(tensors: ONNXTensorReader) {
    self.init(tensors: tensors, around: [])
  }

  private init(tensors: ONNXTensorReader, around: [Names]) {
    self.tensors = tensors
    self.around = around
  }

  /// The model's graph.
  func read(_ proto: GraphProto) throws -> ONNXGraph { try readGraph(proto).graph }

  /// A graph, and the names of the graphs around it that it uses.
  private func readGraph(_ proto: GraphProto) throws -> (graph: ONNXGraph, captured: Set<String>) {
    let names = try names(of: proto)
    let inputs = try proto.input.map { try ONNXValueReader.read($0, "input") }
    let outputs = try proto.output.map { try ONNXValueReader.read($0, "output") }
    var initializers: [String: ONNXTensor] = [:]
    for tensor in proto.initializer { initializers[tensor.name] = try tensors.read(tensor) }

    var captured: Set<String> = []
    var nodes: [ONNXNode] = []
    var dependencies: [[Int]] = []
    for node in proto.node {
      let (node, used) = try read(node, in: names)
      nodes.append(node)
      var others: [Int] = []
      for name in used {
        switch names.definitions[name] {
        case .node(let other): others.append(other)
        case .input, .initializer: break
        case nil: captured.insert(name)
        }
      }
      dependencies.append(others)
    }
    for output in outputs where names.definitions[output.name] == nil {
      guard isDefined(output.name) else {
        throw undefined(output.name, in: names, "the output '\(shown(output.name))' is of no node")
      }
      captured.insert(output.name)
    }
    let graph = ONNXGraph(
      name: proto.name, nodes: try ordered(nodes, dependencies), inputs: inputs, outputs: outputs,
      initializers: initializers, initializerOrder: proto.initializer.map(\.name))
    return (graph, captured)
  }

  // MARK: Names

  /// The names that a graph defines; throws where one is defined twice.
  private func names(of proto: GraphProto) throws -> Names {
    let names = Names()
    func define(_ name: String, _ definition: Names.Definition) throws {
      if let other = names.definitions.updateValue(definition, forKey: name) {
        throw InputError(
          "the name is defined twice, \(describe(other, proto)) and \(describe(definition, proto))",
          tensor: shown(name), remedy: Self.exportAgain)
      }
    }
    for input in proto.input {
      guard !input.name.isEmpty else {
        throw InputError("an input of the graph has no name", remedy: Self.exportAgain)
      }
      try define(input.name, .input)
    }
    if let sparse = proto.sparseInitializer.first {
      throw InputError(
        "this initialiser is sparse, expected a dense one", tensor: shown(sparse.values.name),
        remedy: "export the model with dense tensors")
    }
    for tensor in proto.initializer {
      guard !tensor.name.isEmpty else {
        throw InputError("an initialiser has no name", remedy: Self.exportAgain)
      }
      // The default of an input.
      if case .input? = names.definitions[tensor.name] {
        names.definitions[tensor.name] = nil
      }
      try define(tensor.name, .initializer)
    }
    for (position, node) in proto.node.enumerated() {
      for output in node.output where !output.isEmpty { try define(output, .node(position)) }
    }
    return names
  }

  private func describe(_ definition: Names.Definition, _ proto: GraphProto) -> String {
    switch definition {
    case .input: "as an input"
    case .initializer: "as an initialiser"
    case .node(let position):
      "by " + (proto.node.indices.contains(position) ? label(proto.node[position]) : "a node")
    }
  }

  /// Whether a graph around this one defines a name.
  private func isDefined(_ name: String) -> Bool {
    around.contains { $0.definitions[name] != nil }
  }

  private func undefined(_ name: String, in names: Names, _ problem: String) -> InputError {
    let known = ([names] + around).flatMap { $0.definitions.keys.sorted() }
    return InputError(
      problem,
      remedy: nearestName(to: name, among: known).map { "did you mean '\(shown($0))'?" }
        ?? "define it as an input or an initialiser, or export the model again")
  }

  // MARK: Nodes

  /// A node, and the names that it or a graph within it uses.
  private func read(
    _ proto: NodeProto, in names: Names
  ) throws -> (node: ONNXNode, used: Set<String>) {
    var node = ONNXNode(
      name: proto.name, operation: proto.opType, domain: canonicalDomain(proto.domain),
      inputs: proto.input, outputs: proto.output)
    guard !node.operation.isEmpty else {
      throw InputError("the node \(node.label) names no operator", remedy: Self.exportAgain)
    }
    var used: Set<String> = []
    for input in node.inputs where !input.isEmpty {
      guard names.definitions[input] != nil || isDefined(input) else {
        throw undefined(
          input, in: names,
          "the node \(node.label) takes '\(shown(input))', which no input, initialiser or node "
            + "defines")
      }
      used.insert(input)
    }
    for attribute in proto.attribute {
      let value = try read(attribute, of: node.label, in: names, &used)
      guard node.attributes.updateValue(value, forKey: attribute.name) == nil else {
        throw InputError(
          "the node \(node.label) has two attributes '\(shown(attribute.name))'",
          remedy: Self.exportAgain)
      }
    }
    return (node, used)
  }

  /// AttributeProto.AttributeType of onnx.proto, by number.
  private static let attributeTypes = [
    "UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS", "STRINGS",
    "TENSORS", "GRAPHS", "SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS",
  ]

  /// - Parameter used: gets the names that a graph as value uses.
  private func read(
    _ proto: AttributeProto, of label: String, in names: Names, _ used: inout Set<String>
  ) throws -> ONNXAttribute {
    let place = "the node \(label), attribute '\(shown(proto.name))'"
    func refusal(_ problem: String) -> InputError {
      InputError("\(place): \(problem)", remedy: Self.exportAgain)
    }
    guard proto.refAttrName.isEmpty else {
      throw refusal("it refers to '\(shown(proto.refAttrName))' of a function, but stands in none")
    }
    switch proto.type {
    case 1: return .float(Double(proto.f))
    case 2: return .int(Int(proto.i))
    case 3, 8:
      let texts = try (proto.type == 3 ? [proto.s] : proto.strings).map { bytes in
        guard let text = String(bytes: bytes, encoding: .utf8) else {
          throw refusal("a string is not UTF-8")
        }
        return text
      }
      return proto.type == 3 ? .string(texts.first ?? "") : .strings(texts)
    case 4:
      guard proto.hasT else { throw refusal("the tensor is missing") }
      do {
        return .tensor(try tensors.read(proto.t))
      } catch var error as InputError {
        error.problem = "\(place): \(error.problem)"
        throw error
      }
    case 5:
      guard proto.hasG else { throw refusal("the graph is missing") }
      guard around.count + 1 < Self.depthLimit else {
        throw refusal("more than \(Self.depthLimit) graphs lie within each other")
      }
      let within = ONNXGraphReader(tensors: tensors, around: [names] + around)
      let (graph, captured) = try within.readGraph(proto.g)
      used.formUnion(captured)
      return .graph(graph)
    case 6: return .floats(proto.floats.map(Double.init))
    case 7: return .ints(proto.ints.map { Int($0) })
    default:
      let type = Int(proto.type)
      let name = Self.attributeTypes.indices.contains(type) ? Self.attributeTypes[type] : "\(type)"
      throw refusal(
        "it is of type \(name), expected an integer, a float, a string, a list of these, a tensor "
          + "or a graph")
    }
  }

  private func label(_ proto: NodeProto) -> String {
    ONNXNode(name: proto.name, operation: proto.opType, inputs: [], outputs: proto.output).label
  }

  private func ordered(_ nodes: [ONNXNode], _ dependencies: [[Int]]) throws -> [ONNXNode] {
    switch ONNXNodeOrder(dependencies: dependencies) {
    case .sorted(let order): return order.map { nodes[$0] }
    case .cycle(let members):
      let labels = members.prefix(4).map { nodes[$0].label }
      throw InputError(
        members.count == 1
          ? "the node \(labels.joined()) takes its own output"
          : "\(members.count) nodes take each other's outputs in a cycle, among them "
            + labels.joined(separator: ", "),
        remedy: "a graph has no cycles: unroll it, or use a Loop or Scan node")
    }
  }
}
