import Foundation

/// A constant of an ONNX file. Its elements stay as they are stored until they are asked for.
package struct ONNXTensor: Sendable {
  /// May be empty for the value of an attribute.
  package var name: String
  package let shape: [Int]
  package let elementType: ElementType
  /// As many elements as the shape says.
  private let storage: Storage

  /// Where the elements are: little-endian bytes in row-major order, in the model's file or in
  /// another one; or one of the lists in which a protobuf message may hold them.
  enum Storage: Sendable {
    case bytes(Data)
    case floats([Float])
    case doubles([Double])
    /// Also the bits of types of 16 bits and less.
    case int32s([Int32])
    case int64s([Int64])
    case uint64s([UInt64])
  }

  /// The storage must hold exactly the elements of the shape, whose product must not overflow.
  init(name: String, shape: [Int], elementType: ElementType, storage: Storage) {
    self.name = name
    self.shape = shape
    self.elementType = elementType
    self.storage = storage
  }

  /// A tensor of given values, held as float64 and called float64 or another floating-point type.
  package init(name: String, _ tensor: Tensor, type: ElementType = .float64) {
    self.init(name: name, shape: tensor.shape, elementType: type, storage: .doubles(tensor.values))
  }

  /// Elements in all.
  package var count: Int { shape.reduce(1, *) }

  /// The values as doubles. They are decoded anew at every call: keep what it returns.
  ///
  /// The ends of int64, which exporters write for "to the end" of an axis, become ±2⁶³.
  ///
  /// Throws an `InputError` naming the tensor and the index for another integer that no double holds
  /// and for one that its type does not hold.
  package func tensor() throws -> Tensor {
    let values = try InputError.about(tensor: name.isEmpty ? nil : name) {
      switch storage {
      case .bytes(let bytes) where elementType == .int64 && holdsEnd(bytes):
        try bytes.withUnsafeBytes { raw in
          try (0..<count).map {
            try double(
              Int64(
                littleEndian: raw.loadUnaligned(
                  fromByteOffset: $0 * MemoryLayout<Int64>.size, as: Int64.self)), at: $0)
          }
        }
      case .int64s(let elements) where elementType == .int64:
        try elements.enumerated().map { try double($1, at: $0) }
      case .bytes(let bytes): try elementType.decode(bytes, shape: shape)
      case .floats(let elements): elements.map(Double.init)
      case .doubles(let elements): elements
      case .int32s(let elements): try decode(elements)
      case .int64s(let elements): try decode(elements)
      case .uint64s(let elements): try decode(elements)
      }
    }
    return Tensor(shape: shape, values: values, elementType: elementType)
  }

  /// Whether one of the 64-bit integers is an end of what they count.
  private func holdsEnd(_ bytes: Data) -> Bool {
    bytes.withUnsafeBytes { raw in
      (0..<count).contains {
        Self.isEnd(
          Int64(
            littleEndian: raw.loadUnaligned(
              fromByteOffset: $0 * MemoryLayout<Int64>.size, as: Int64.self)))
      }
    }
  }

  private static func isEnd(_ value: Int64) -> Bool { value <= .min + 1 || value >= .max - 1 }

  private func double(_ value: Int64, at flat: Int) throws -> Double {
    if Self.isEnd(value) || value.magnitude <= 1 << 53 { return Double(value) }
    throw InputError(
      "the integer \(value) is beyond 2^53 and no double holds it",
      index: unravel(flat, shape: shape), remedy: "export the model again")
  }

  /// The values of a list of integers, each of which is an element, or its bits.
  private func decode<Stored: FixedWidthInteger>(_ elements: [Stored]) throws -> [Double] {
    switch elementType {
    case .float16, .bfloat16, .uint16: try decode(elements, as: UInt16.self)
    case .uint8, .bool: try decode(elements, as: UInt8.self)
    case .int8: try decode(elements, as: Int8.self)
    case .int16: try decode(elements, as: Int16.self)
    case .uint32: try decode(elements, as: UInt32.self)
    case .int32: try decode(elements, as: Int32.self)
    default: try decode(elements, as: Stored.self)
    }
  }

  private func decode<Stored: FixedWidthInteger, Element: FixedWidthInteger>(
    _ elements: [Stored], as _: Element.Type
  ) throws -> [Double] {
    var bytes = Data(capacity: elements.count * MemoryLayout<Element>.size)
    for (flat, element) in elements.enumerated() {
      guard let narrow = Element(exactly: element) else {
        throw InputError(
          "\(element) is stored, which no \(elementType.rawValue) holds",
          index: unravel(flat, shape: shape), remedy: "export the model again")
      }
      bytes.appendLittleEndian(narrow)
    }
    return try elementType.decode(bytes, shape: shape)
  }
}
