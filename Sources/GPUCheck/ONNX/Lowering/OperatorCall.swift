/// A node that is being lowered: its inputs as lowered values, and its attributes by type.
struct OperatorCall {
  let node: ONNXNode
  /// The version of the node's domain.
  let opset: Int
  /// Nil where an optional input is omitted.
  let inputs: [LoweredValue?]

  var label: String { node.label }

  /// Something about the node that cannot be used.
  func error(_ problem: String, remedy: String? = nil) -> InputError {
    InputError("\(node.operation): \(problem)", tensor: label, remedy: remedy)
  }

  // MARK: Inputs and outputs

  /// An input that must be there.
  func input(_ index: Int) throws -> LoweredValue {
    guard let value = optional(index) else {
      throw error(
        "found \(inputs.count { $0 != nil }) inputs, expected at least \(index + 1)",
        remedy: "export the model again")
    }
    return value
  }

  /// An input that may be omitted.
  func optional(_ index: Int) -> LoweredValue? {
    inputs.indices.contains(index) ? inputs[index] : nil
  }

  /// All inputs, none of which may be omitted.
  func allInputs() throws -> [LoweredValue] { try inputs.indices.map(input) }

  /// Whether somebody wants an output.
  func wants(_ output: Int) -> Bool {
    node.outputs.indices.contains(output) && !node.outputs[output].isEmpty
  }

  /// An input that must be whole numbers known beforehand, such as a shape or indices.
  func integers(_ index: Int, _ meaning: String, _ builder: GraphBuilder) throws -> [Int] {
    try builder.atTheta(input(index), meaning).values.map(Int.init(clamping:))
  }

  // MARK: Attributes

  func int(_ name: String) throws -> Int? {
    guard let attribute = node.attributes[name] else { return nil }
    if case .int(let value) = attribute { return value }
    throw wrong(name, "an integer")
  }

  func int(_ name: String, _ fallback: Int) throws -> Int { try int(name) ?? fallback }

  func flag(_ name: String, _ fallback: Bool = false) throws -> Bool {
    try int(name, fallback ? 1 : 0) != 0
  }

  /// A number, as it was before it was rounded to float32.
  func float(_ name: String) throws -> Double? {
    guard let attribute = node.attributes[name] else { return nil }
    if case .float(let value) = attribute { return value.intended }
    throw wrong(name, "a number")
  }

  func float(_ name: String, _ fallback: Double) throws -> Double { try float(name) ?? fallback }

  func string(_ name: String, _ fallback: String = "") throws -> String {
    guard let attribute = node.attributes[name] else { return fallback }
    if case .string(let value) = attribute { return value }
    throw wrong(name, "a string")
  }

  func ints(_ name: String) throws -> [Int]? {
    guard let attribute = node.attributes[name] else { return nil }
    if case .ints(let values) = attribute { return values }
    throw wrong(name, "integers")
  }

  func floats(_ name: String) throws -> [Double]? {
    guard let attribute = node.attributes[name] else { return nil }
    if case .floats(let values) = attribute { return values.map(\.intended) }
    if case .ints(let values) = attribute, values.isEmpty { return [] }
    throw wrong(name, "numbers")
  }

  func strings(_ name: String) throws -> [String]? {
    guard let attribute = node.attributes[name] else { return nil }
    if case .strings(let values) = attribute { return values }
    throw wrong(name, "strings")
  }

  func tensor(_ name: String) throws -> Tensor? {
    guard let attribute = node.attributes[name] else { return nil }
    if case .tensor(let value) = attribute { return try value.tensor().intended }
    throw wrong(name, "a tensor")
  }

  func graph(_ name: String) throws -> ONNXGraph {
    if case .graph(let body)? = node.attributes[name] { return body }
    throw wrong(name, "a graph")
  }

  private func wrong(_ name: String, _ expected: String) -> InputError {
    error("its attribute \(name) is missing or of another type, expected \(expected)")
  }

  // MARK: Axes

  /// An axis counted from 0.
  func axis(_ axis: Int, rank: Int) throws -> Int {
    guard (-rank..<max(rank, 1)).contains(axis) else {
      throw error("axis \(axis) of a value of \(rank) axes")
    }
    return axis < 0 ? axis + rank : axis
  }

  /// The axis that an attribute names.
  func axis(_ name: String = "axis", _ fallback: Int, rank: Int) throws -> Int {
    try axis(int(name, fallback), rank: rank)
  }

  /// The axes of an input (in newer opsets) or an attribute, counted from 0; nil where neither is
  /// given.
  func axes(input index: Int, rank: Int, _ builder: GraphBuilder) throws -> [Int]? {
    if optional(index) != nil {
      return try integers(index, "the axes", builder).map { try axis($0, rank: rank) }
    }
    return try ints("axes")?.map { try axis($0, rank: rank) }
  }
}

extension Int {
  /// The whole part of a number, and the ends of what is counted with for numbers beyond them.
  init(clamping value: Double) {
    let limit = 0x1p62
    self = value.isNaN ? 0 : Int(Swift.min(Swift.max(value, -limit), limit))
  }
}
