import Foundation

// Stored elements of every type, as NumPy and Safetensors hold them, to doubles.

extension ElementType {
  /// Bytes of one stored element.
  var byteCount: Int {
    switch self {
    case .int8, .uint8, .bool: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// The values of stored elements, in row-major order whatever the order they are stored in.
  ///
  /// `bytes` must hold exactly the elements of the shape. Throws an `InputError` with the index for
  /// an integer that no double holds and for a boolean that is neither 0 nor 1.
  func decode(
    _ bytes: Data, shape: [Int], bigEndian: Bool = false, columnMajor: Bool = false
  ) throws -> [Double] {
    let places = StoredPlaces(shape: shape, columnMajor: columnMajor)
    precondition(bytes.count == places.count * byteCount, "\(bytes.count) bytes of \(shape)")
    func load<Bits: FixedWidthInteger>(_ value: (Bits) -> Double?) throws -> [Double] {
      try bytes.withUnsafeBytes { raw in
        var values: [Double] = []
        values.reserveCapacity(places.count)
        for place in places {
          let bits = raw.loadUnaligned(
            fromByteOffset: place * MemoryLayout<Bits>.size, as: Bits.self)
          let ordered = bigEndian ? Bits(bigEndian: bits) : Bits(littleEndian: bits)
          guard let value = value(ordered) else {
            throw refusal(of: ordered, at: unravel(values.count, shape: shape))
          }
          values.append(value)
        }
        return values
      }
    }
    let exact: UInt64 = 1 << 53
    return switch self {
    case .float16: try load { (bits: UInt16) in double(halfBits: bits) }
    case .bfloat16: try load { (bits: UInt16) in Double(Float(bitPattern: UInt32(bits) << 16)) }
    case .float32: try load { (bits: UInt32) in Double(Float(bitPattern: bits)) }
    case .float64: try load { (bits: UInt64) in Double(bitPattern: bits) }
    case .int8: try load { (value: Int8) in Double(value) }
    case .int16: try load { (value: Int16) in Double(value) }
    case .int32: try load { (value: Int32) in Double(value) }
    case .int64: try load { (value: Int64) in value.magnitude <= exact ? Double(value) : nil }
    case .uint8: try load { (value: UInt8) in Double(value) }
    case .uint16: try load { (value: UInt16) in Double(value) }
    case .uint32: try load { (value: UInt32) in Double(value) }
    case .uint64: try load { (value: UInt64) in value <= exact ? Double(value) : nil }
    case .bool: try load { (value: UInt8) in value <= 1 ? Double(value) : nil }
    }
  }

  private func refusal<Bits: FixedWidthInteger>(of value: Bits, at index: [Int]) -> InputError {
    let place = "[" + index.map(String.init).joined(separator: ", ") + "]"
    return self == .bool
      ? InputError(
        "byte \(value) at \(place) of a boolean array, expected 0 or 1",
        remedy: "save the array as uint8")
      : InputError(
        "the integer \(value) at \(place) is beyond 2^53 and no double holds it",
        remedy: "check the array, or save it as float64")
  }
}

/// Where the elements of an array are stored, in row-major order of the elements.
private struct StoredPlaces: Sequence, IteratorProtocol {
  /// Elements in all.
  let count: Int
  private let shape: [Int]
  /// Of a column-major array of several axes; nil where places just count up.
  private let strides: [Int]?
  private var index: [Int]
  private var place = 0
  private var left: Int

  init(shape: [Int], columnMajor: Bool) {
    count = shape.reduce(1, *)
    left = count
    self.shape = shape
    index = [Int](repeating: 0, count: shape.count)
    guard columnMajor, shape.count > 1, count > 0 else {
      strides = nil
      return
    }
    strides = shape.indices.map { shape[..<$0].reduce(1, *) }
  }

  mutating func next() -> Int? {
    guard left > 0 else { return nil }
    left -= 1
    defer { advance() }
    return place
  }

  private mutating func advance() {
    guard let strides else {
      place += 1
      return
    }
    for axis in shape.indices.reversed() {
      index[axis] += 1
      place += strides[axis]
      if index[axis] < shape[axis] { return }
      place -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
}

/// The value of an IEEE 754 binary16 number, told by its bits.
private func double(halfBits bits: UInt16) -> Double {
  let sign: Double = bits & 0x8000 == 0 ? 1 : -1
  let fraction = Double(bits & 0x3FF)
  let exponent = Int(bits >> 10) & 0x1F
  return switch exponent {
  case 0: sign * fraction * 0x1p-24
  case 31: fraction == 0 ? sign * .infinity : .nan
  default: sign * (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
  }
}
