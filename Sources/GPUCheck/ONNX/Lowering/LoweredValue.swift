/// A value of an ONNX graph on its way to ours: a constant, or a node that depends on θ.
struct LoweredValue {
  enum Content {
    case constant(SharedConstant)
    case node(Graph.NodeID)
  }

  var content: Content
  /// As the model sees it: with the pending transposition done.
  var shape: [Int]
  /// The type that the model gives it; integers and booleans are computed as such.
  var elementType: ElementType
  /// Whether the last two axes of the content are still to be swapped: a matrix product takes them
  /// as they are.
  var isTransposed = false

  var rank: Int { shape.count }
  var count: Int { shape.reduce(1, *) }

  var isConstant: Bool {
    if case .constant = content { true } else { false }
  }

  init(_ tensor: Tensor) {
    content = .constant(SharedConstant(tensor))
    shape = tensor.shape
    elementType = tensor.elementType
  }

  init(node: Graph.NodeID, shape: [Int], elementType: ElementType) {
    content = .node(node)
    self.shape = shape
    self.elementType = elementType
  }

  /// The same value with its type called otherwise.
  func typed(_ type: ElementType) -> LoweredValue {
    var value = self
    value.elementType = type
    return value
  }
}

/// A constant, and the node that stands for it in the graph once one does: many users share it.
final class SharedConstant {
  let tensor: Tensor
  var node: Graph.NodeID?

  init(_ tensor: Tensor) {
    self.tensor = tensor
  }
}

extension ElementType {
  /// Whether the elements are whole numbers, booleans included.
  var isInteger: Bool { !isFloatingPoint }
}
