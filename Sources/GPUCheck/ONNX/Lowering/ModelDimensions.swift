/// The lengths that a model's symbols stand for, as the tensors handed in show them.
struct ModelDimensions {
  private var lengths: [String: (length: Int, input: String)] = [:]

  /// Holds a tensor's shape against the one that the model declares for an input.
  mutating func bind(_ input: ONNXValue, to shape: [Int]) throws {
    guard let declared = input.shape else { return }
    guard declared.count == shape.count else {
      throw InputError(
        "found shape \(shape), expected \(declared.text)", tensor: input.name,
        remedy: "hand it in with \(declared.count) axes")
    }
    for (axis, (dimension, length)) in zip(declared, shape).enumerated() {
      switch dimension {
      case .unknown: break
      case .size(let expected):
        guard length == expected else {
          throw InputError(
            "axis \(axis) has \(length) elements, expected \(expected): found shape \(shape), the "
              + "model says \(declared.text)", tensor: input.name,
            remedy: "correct the tensor, or export the model for this size")
        }
      case .symbol(let name):
        if let known = lengths[name], known.length != length {
          throw InputError(
            "axis \(axis) (\(name)) has \(length) elements, but \(known.length) in \(known.input)",
            tensor: input.name, remedy: "hand in tensors of one batch")
        }
        lengths[name] = (length, input.name)
      }
    }
  }
}
