import ONNXFormat

/// Reads what a file says of a graph's inputs and outputs.
enum ONNXValueReader {
  /// - Parameter role: what error lines call the value, `input` or `output`.
  static func read(_ proto: ValueInfoProto, _ role: String) throws -> ONNXValue {
    try InputError.about(tensor: proto.name.isEmpty ? nil : shown(proto.name)) {
      var value = ONNXValue(name: proto.name)
      switch proto.type.value {
      case nil: return value
      case .tensorType(let type):
        if type.elemType != 0 { value.elementType = try ONNXElementTypes.type(type.elemType) }
        if type.hasShape { value.shape = try shape(type.shape) }
        return value
      case .sequenceType: throw refusal(role, "a sequence")
      case .mapType: throw refusal(role, "a map")
      case .opaqueType: throw refusal(role, "opaque")
      case .sparseTensorType: throw refusal(role, "a sparse tensor")
      case .optionalType: throw refusal(role, "optional")
      }
    }
  }

  private static func refusal(_ role: String, _ found: String) -> InputError {
    InputError(
      "this \(role) is \(found), expected a tensor", remedy: "export the model with tensors only")
  }

  private static func shape(_ proto: TensorShapeProto) throws -> [ONNXDimension] {
    let shape = try proto.dim.map { dimension -> ONNXDimension in
      switch dimension.value {
      // Some exporters write -1 where they do not know.
      case nil, .dimValue(-1): return .unknown
      case .dimParam(let symbol): return symbol.isEmpty ? .unknown : .symbol(symbol)
      case .dimValue(let size):
        guard size >= 0, let size = Int(exactly: size) else {
          throw InputError("an axis is \(size) long", remedy: "export the model again")
        }
        return .size(size)
      }
    }
    let sizes = shape.compactMap { if case .size(let size) = $0 { size } else { nil } }
    guard elementCount(ofShape: sizes) != nil else {
      throw InputError(
        "the shape \(sizes) is larger than any tensor", remedy: "export the model again")
    }
    return shape
  }
}
