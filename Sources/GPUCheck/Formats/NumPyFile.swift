import Foundation

/// NumPy's `.npy` format: one array (NumPy enhancement proposal 1, versions 1.0, 2.0 and 3.0).
package enum NumPyFile {
  /// The bytes every `.npy` file begins with.
  package static let magic = Data([0x93] + Array("NUMPY".utf8))
  /// As many axes as NumPy itself allows.
  private static let axesLimit = 64

  /// The array of an `.npy` file, in row-major order whatever the order in the file.
  ///
  /// Throws an `InputError` for anything but a whole, plain array of floating-point numbers,
  /// integers that a double holds exactly, or booleans.
  package static func decode(_ data: Data) throws -> Tensor {
    let (header, body) = try split(data)
    let type = try NumPyType(header.descr)
    let shape = header.shape
    guard shape.count <= axesLimit else {
      throw InputError(
        "an array of \(shape.count) axes, expected at most \(axesLimit)",
        remedy: "reshape it before saving")
    }
    guard let count = elementCount(ofShape: shape), let size = count.multiplied(by: type.size)
    else {
      throw InputError(
        "the shape \(shape) in the .npy header is larger than any array",
        remedy: "write the file again with numpy.save")
    }
    guard body.count == size else {
      let how = body.count < size ? "the file is cut short" : "something follows the array"
      throw InputError(
        "\(how): found \(body.count) bytes of values, expected \(size) for shape \(shape) of "
          + "\(type.element.rawValue)",
        remedy: "write the file again with one numpy.save")
    }
    let stored = try type.values(body, count: count, shape: shape, fortran: header.fortranOrder)
    let values = header.fortranOrder ? rowMajor(fromColumnMajor: stored, shape: shape) : stored
    return Tensor(shape: shape, values: values, elementType: type.element)
  }

  /// The `.npy` file of a tensor: version 1.0, little-endian doubles in row-major order.
  package static func encode(_ tensor: Tensor) throws -> Data {
    guard tensor.shape.count <= axesLimit else {
      throw InputError(
        "a tensor of \(tensor.shape.count) axes, but .npy files hold at most \(axesLimit)")
    }
    let axes = tensor.shape.map(String.init).joined(separator: ", ")
    let shape = tensor.shape.count == 1 ? "(\(axes),)" : "(\(axes))"
    var header = "{'descr': '<f8', 'fortran_order': False, 'shape': \(shape), }"
    // Magic, version and length are ten bytes; the values begin at a multiple of 64.
    let used = 10 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - used % 64) % 64) + "\n"

    var data = magic
    data.append(contentsOf: [1, 0])
    data.appendLittleEndian(UInt16(header.utf8.count))
    data.append(contentsOf: header.utf8)
    let bits = tensor.values.map(\.bitPattern.littleEndian)
    bits.withUnsafeBytes { data.append(contentsOf: $0) }
    return data
  }

  /// The header and the bytes of the values.
  private static func split(_ data: Data) throws -> (NumPyHeader, Data) {
    guard data.starts(with: magic) else {
      throw InputError(
        "the first bytes are not those of an .npy file", remedy: "save the array with numpy.save")
    }
    guard let major = data.littleEndian(UInt8.self, at: 6),
      let minor = data.littleEndian(UInt8.self, at: 7)
    else { throw truncated("the version is missing") }
    guard (1...3).contains(major), minor == 0 else {
      throw InputError(
        ".npy format version \(major).\(minor), expected 1.0, 2.0 or 3.0",
        remedy: "write the file again with numpy.save")
    }
    let start = major == 1 ? 10 : 12
    let announced =
      major == 1
      ? data.littleEndian(UInt16.self, at: 8).map(Int.init)
      : data.littleEndian(UInt32.self, at: 8).map(Int.init)
    guard let announced else { throw truncated("the length of the header is missing") }
    guard let text = data.slice(at: start, count: announced) else {
      throw truncated("a header of \(announced) bytes is announced, \(data.count - start) remain")
    }
    return (try NumPyHeader(parsing: text), data.dropFirst(start + announced))
  }

  private static func truncated(_ what: String) -> InputError {
    InputError("the .npy file is cut short: \(what)", remedy: "write it again with numpy.save")
  }

  private static func rowMajor(fromColumnMajor stored: [Double], shape: [Int]) -> [Double] {
    guard shape.count > 1, !stored.isEmpty else { return stored }
    var strides = [1]
    for axis in shape.dropLast() { strides.append((strides.last ?? 1) * axis) }
    var index = [Int](repeating: 0, count: shape.count)
    var source = 0
    var values: [Double] = []
    values.reserveCapacity(stored.count)
    for _ in stored.indices {
      values.append(stored[source])
      for axis in shape.indices.reversed() {
        index[axis] += 1
        source += strides[axis]
        if index[axis] < shape[axis] { break }
        source -= strides[axis] * shape[axis]
        index[axis] = 0
      }
    }
    return values
  }
}

/// A plain number type of NumPy, as `descr` names it: byte order, kind and size.
struct NumPyType: Equatable {
  var element: ElementType
  var bigEndian: Bool
  /// Bytes of one element.
  var size: Int

  init(_ descr: String) throws {
    let known: [String: (ElementType, Int)] = [
      "f2": (.float16, 2), "f4": (.float32, 4), "f8": (.float64, 8), "b1": (.bool, 1),
      "i1": (.int8, 1), "i2": (.int16, 2), "i4": (.int32, 4), "i8": (.int64, 8),
      "u1": (.uint8, 1), "u2": (.uint16, 2), "u4": (.uint32, 4), "u8": (.uint64, 8),
    ]
    let order = descr.first
    let kind = String(descr.dropFirst())
    guard let (element, size) = known[kind],
      order == "<" || order == ">" || (order == "|" && size == 1)
    else { throw Self.refusal(of: descr, kind: kind.first) }
    self.element = element
    self.size = size
    bigEndian = order == ">"
  }

  private static func refusal(of descr: String, kind: Character?) -> InputError {
    let expected = "expected floats (f2, f4, f8), integers (i1 to i8, u1 to u8) or booleans (b1)"
    let convert = "convert the array with .astype('float64') before saving"
    return switch kind {
    case "O":
      InputError(
        "dtype '\(descr)': an array of Python objects (a pickle), \(expected)", remedy: convert)
    case "c":
      InputError(
        "dtype '\(descr)': complex numbers, \(expected)",
        remedy: "save the real and the imaginary parts apart")
    case "S", "U", "a":
      InputError("dtype '\(descr)': text, \(expected)", remedy: "save numbers instead")
    case "M", "m":
      InputError("dtype '\(descr)': dates or times, \(expected)", remedy: convert)
    default: InputError("dtype '\(descr)', \(expected)", remedy: convert)
    }
  }

  /// The values of `count` elements in the order in which they are stored.
  ///
  /// `bytes` holds `count · size` bytes; the shape and the order serve to tell an index.
  func values(_ bytes: Data, count: Int, shape: [Int], fortran: Bool) throws -> [Double] {
    func load<Bits: FixedWidthInteger>(_ value: (Bits) -> Double?) throws -> [Double] {
      try bytes.withUnsafeBytes { raw in
        var values: [Double] = []
        values.reserveCapacity(count)
        for position in 0..<count {
          let bits = raw.loadUnaligned(fromByteOffset: position * size, as: Bits.self)
          let ordered = bigEndian ? Bits(bigEndian: bits) : Bits(littleEndian: bits)
          guard let value = value(ordered) else {
            let index =
              fortran
              ? Array(unravel(position, shape: shape.reversed()).reversed())
              : unravel(position, shape: shape)
            throw refusal(of: ordered, at: index)
          }
          values.append(value)
        }
        return values
      }
    }
    let exact: UInt64 = 1 << 53
    return switch element {
    case .float16: try load { (bits: UInt16) in double(halfBits: bits) }
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
    return element == .bool
      ? InputError(
        "byte \(value) at \(place) of a boolean array, expected 0 or 1",
        remedy: "save the array as uint8")
      : InputError(
        "the integer \(value) at \(place) is beyond 2^53 and no double holds it",
        remedy: "check the array, or save it as float64")
  }
}

/// The value of an IEEE 754 binary16 number, told by its bits.
package func double(halfBits bits: UInt16) -> Double {
  let sign: Double = bits & 0x8000 == 0 ? 1 : -1
  let fraction = Double(bits & 0x3FF)
  let exponent = Int(bits >> 10) & 0x1F
  return switch exponent {
  case 0: sign * fraction * 0x1p-24
  case 31: fraction == 0 ? sign * .infinity : .nan
  default: sign * (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
  }
}
