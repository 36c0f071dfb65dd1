/// An ONNX model as the reader leaves it: checked, functions inlined, nodes in topological order
/// (https://onnx.ai/onnx/repo-docs/IR.html).
package struct ONNXModel: Sendable {
  /// The version of the file format.
  package var irVersion: Int
  /// The version of the standard operators, the domain `ai.onnx`.
  package var opset: Int
  /// The version of every domain's operators; the standard domain is `""`.
  package var opsets: [String: Int]
  /// The tool that wrote the file, and its version where it says it; may be empty.
  package var producer: String
  package var graph: ONNXGraph

  package init(
    irVersion: Int, opset: Int, opsets: [String: Int], producer: String, graph: ONNXGraph
  ) {
    self.irVersion = irVersion
    self.opset = opset
    self.opsets = opsets
    self.producer = producer
    self.graph = graph
  }
}

/// A graph of operators: the model's, or the body of an `If`, `Loop` or `Scan`.
///
/// Every name is defined once: as an input, as an initialiser or as a node's output. A body may use
/// names of the graphs around it; a name of its own hides theirs.
package struct ONNXGraph: Sendable {
  package var name: String
  /// Every node after those whose outputs it, or a graph within it, uses.
  package var nodes: [ONNXNode]
  /// In the file's order. An input that is an initialiser too has that one as its default.
  package var inputs: [ONNXValue]
  package var outputs: [ONNXValue]
  package var initializers: [String: ONNXTensor]
  /// The names of `initializers` in the file's order.
  package var initializerOrder: [String]

  package init(
    name: String, nodes: [ONNXNode], inputs: [ONNXValue], outputs: [ONNXValue],
    initializers: [String: ONNXTensor], initializerOrder: [String]
  ) {
    self.name = name
    self.nodes = nodes
    self.inputs = inputs
    self.outputs = outputs
    self.initializers = initializers
    self.initializerOrder = initializerOrder
  }
}

/// An operator applied to values by name.
package struct ONNXNode: Sendable {
  /// May be empty, and need not be unique.
  package var name: String
  /// The operator, such as `MatMul`; the file's `op_type`.
  package var operation: String
  /// Whose operator it is; `""` is the standard's, `ai.onnx`.
  package var domain: String
  /// Names of values; `""` where an optional input is omitted.
  package var inputs: [String]
  /// Names of values; `""` where an optional output is not wanted.
  package var outputs: [String]
  package var attributes: [String: ONNXAttribute]

  package init(
    name: String, operation: String, domain: String = "", inputs: [String], outputs: [String],
    attributes: [String: ONNXAttribute] = [:]
  ) {
    self.name = name
    self.operation = operation
    self.domain = domain
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
  }

  /// What error lines call the node: its name, or its operator and first output.
  package var label: String {
    if !name.isEmpty { return shown(name) }
    guard let output = outputs.first(where: { !$0.isEmpty }) else { return shown(operation) }
    return "\(shown(operation)) of '\(shown(output))'"
  }
}

/// What a node is told besides its inputs.
package enum ONNXAttribute: Sendable {
  case int(Int)
  /// Stored as a float32.
  case float(Double)
  case string(String)
  case ints([Int])
  case floats([Double])
  case strings([String])
  case tensor(ONNXTensor)
  case graph(ONNXGraph)
}

/// An input or output of a graph.
package struct ONNXValue: Sendable {
  package var name: String
  /// Nil where the file does not say.
  package var elementType: ElementType?
  /// Nil where the file does not even say how many axes there are.
  package var shape: [ONNXDimension]?

  package init(name: String, elementType: ElementType? = nil, shape: [ONNXDimension]? = nil) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
  }
}

/// The length of an axis.
package enum ONNXDimension: Sendable, Equatable {
  case size(Int)
  /// The same length wherever the same symbol stands, such as `batch`.
  case symbol(String)
  case unknown
}
