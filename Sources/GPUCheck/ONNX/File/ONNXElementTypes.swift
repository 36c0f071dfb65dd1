/// The numbers by which ONNX files call element types (TensorProto.DataType of onnx.proto).
enum ONNXElementTypes {
  /// What the type of a value is called, by its number.
  private static let names = [
    "UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL",
    "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16", "FLOAT8E4M3FN",
    "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4", "INT4", "FLOAT4E2M1", "FLOAT8E8M0",
    "UINT2", "INT2", "FLOAT6E2M3", "FLOAT6E3M2",
  ]

  private static let types: [Int32: ElementType] = [
    1: .float32, 2: .uint8, 3: .int8, 4: .uint16, 5: .int16, 6: .int32, 7: .int64, 9: .bool,
    10: .float16, 11: .float64, 12: .uint32, 13: .uint64, 16: .bfloat16,
  ]

  /// The type of a number; throws an `InputError` with its name for one that cannot be read.
  static func type(_ number: Int32) throws -> ElementType {
    if let type = types[number] { return type }
    let name = Int(exactly: number).flatMap { names.indices.contains($0) ? names[$0] : nil }
    throw InputError(
      "its elements are of type \(name ?? "\(number)"), expected a float of 16 to 64 bits, an "
        + "integer of 8 to 64 bits or a boolean",
      remedy: "export the model with one of these types")
  }
}
