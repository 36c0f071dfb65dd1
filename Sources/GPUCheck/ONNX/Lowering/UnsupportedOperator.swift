/// A node whose operator is not lowered.
package struct UnsupportedOperator: Sendable, Equatable {
  /// The operator, with its domain where that is not the standard's.
  package let operation: String
  /// The first node of it.
  package let node: String
  /// Why it never will be; nil where it only is not.
  package let reason: String?

  init(_ node: ONNXNode) {
    operation = node.domain.isEmpty ? node.operation : "\(node.domain).\(node.operation)"
    self.node = node.label
    reason = node.domain.isEmpty ? OperatorRegistry.refusal(of: node.operation) : nil
  }

  var error: InputError {
    InputError(
      "the operator \(operation) is not supported" + (reason.map { ": \($0)" } ?? ""), tensor: node,
      remedy: "export the model without it, or make the nodes behind it a model of their own")
  }

  /// The unsupported operators that some names of a graph are made of, each once.
  static func all(for names: [String], in graph: ONNXGraph) -> [UnsupportedOperator] {
    var found: [UnsupportedOperator] = []
    let needed = ModelWalk.needed(for: names, in: graph)
    for (number, node) in graph.nodes.enumerated() where needed.contains(number) {
      var nodes = [node]
      while let next = nodes.popLast() {
        for case .graph(let body) in next.attributes.values { nodes += body.nodes }
        guard !isControlFlow(next), OperatorRegistry.lowering(of: next) == nil else { continue }
        let unsupported = UnsupportedOperator(next)
        if !found.contains(where: { $0.operation == unsupported.operation }) {
          found.append(unsupported)
        }
      }
    }
    return found
  }

  static func isControlFlow(_ node: ONNXNode) -> Bool {
    node.domain.isEmpty && ["If", "Loop", "Scan"].contains(node.operation)
  }

  /// One error for all of them.
  static func error(_ all: [UnsupportedOperator]) -> InputError? {
    guard let first = all.first else { return nil }
    if all.count == 1 { return first.error }
    let list = all.map { $0.operation + ($0.reason.map { " (\($0))" } ?? "") }
    return InputError(
      "these operators are not supported: \(listed(list))",
      remedy: "export the model without them (gpucheck inspect lists them)")
  }
}
