// Numbers that a model's author wrote as decimals. ONNX stores attributes, and exporters most
// constants, as float32: 1e-5 becomes 9.99999975e-6, which moves a float64 gradient by 1e-9. The
// user's own code has the decimal, so that is what is read.

extension Float {
  /// The decimal of at most six digits that this is the nearest float32 of; else the number itself.
  var decimal: Double {
    let text = description
    let digits = text.prefix { $0 != "e" }.filter(\.isNumber).drop { $0 == "0" }
    guard isFinite, digits.count <= 6, let value = Double(text) else { return Double(self) }
    return value
  }
}

extension Tensor {
  /// A constant of one float32 as its author wrote it; other tensors are data and stay as they are.
  var writtenConstant: Tensor {
    guard count == 1, elementType == .float32, let value = values.first else { return self }
    return Tensor(shape: shape, values: [Float(value).decimal], elementType: elementType)
  }
}
