import Foundation

/// NumPy's `.npy` format: one array (NumPy enhancement proposal 1, versions 1.0, 2.0 and 3.0).
package enum NumPyFile {
  /// The bytes every `.npy` file begins with.
  package static let magic = Data([0x93] + Array("NUMPY".utf8))
  /// As many axes as NumPy itself allows.
  static let axesLimit = 64

  /// The array of an `.npy` file, in row-major order whatever the order in the file.
  ///
  /// Throws an `InputError` for anything but a whole, plain array of floating-point numbers,
  /// integers that a double holds exactly, or booleans.
  package static func decode(_ data: Data) throws -> Tensor {
    try NumPyArray(beginning: data, size: data.count).tensor(of: data)
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
    data.append(doubles: tensor.values)
    return data
  }
}

/// What the first bytes of an `.npy` file tell of its array.
struct NumPyArray: Equatable {
  /// As many of the first bytes of a file as are needed to read its header.
  static let prefixLength = 1 << 16

  let type: NumPyType
  let shape: [Int]
  let count: Int
  private let columnMajor: Bool
  /// Where the values begin.
  private let start: Int

  /// Reads the header of a file of `size` bytes; throws unless its array is of a known type and
  /// fills the rest of the file exactly.
  init(beginning data: Data, size: Int) throws {
    guard data.starts(with: NumPyFile.magic) else {
      throw InputError(
        "the first bytes are not those of an .npy file", remedy: "save the array with numpy.save")
    }
    guard let major = data.littleEndian(UInt8.self, at: 6),
      let minor = data.littleEndian(UInt8.self, at: 7)
    else { throw Self.truncated("the version is missing") }
    guard (1...3).contains(major), minor == 0 else {
      throw InputError(
        ".npy format version \(major).\(minor), expected 1.0, 2.0 or 3.0",
        remedy: "write the file again with numpy.save")
    }
    let opening = major == 1 ? 10 : 12
    let announced =
      major == 1
      ? data.littleEndian(UInt16.self, at: 8).map(Int.init)
      : data.littleEndian(UInt32.self, at: 8).map(Int.init)
    guard let announced else { throw Self.truncated("the length of the header is missing") }
    guard announced <= Self.prefixLength - opening else {
      throw InputError(
        "an .npy header of \(announced) bytes, expected at most \(Self.prefixLength - opening)",
        remedy: "write the file again with numpy.save")
    }
    guard let text = data.slice(at: opening, count: announced) else {
      throw Self.truncated(
        "a header of \(announced) bytes is announced, \(data.count - opening) remain")
    }
    start = opening + announced
    let header = try NumPyHeader(parsing: text)
    type = try NumPyType(header.descr)
    shape = header.shape
    columnMajor = header.fortranOrder
    guard shape.count <= NumPyFile.axesLimit else {
      throw InputError(
        "an array of \(shape.count) axes, expected at most \(NumPyFile.axesLimit)",
        remedy: "reshape it before saving")
    }
    guard let count = elementCount(ofShape: shape),
      let expected = count.multiplied(by: type.element.byteCount)
    else {
      throw InputError(
        "the shape \(shape) in the .npy header is larger than any array",
        remedy: "write the file again with numpy.save")
    }
    let found = size - start
    guard found == expected else {
      throw InputError(
        "\(found < expected ? "the file is cut short" : "something follows the array"): found "
          + "\(found) bytes of values, expected \(expected) for shape \(shape) of "
          + type.element.rawValue,
        remedy: "write the file again with one numpy.save")
    }
    self.count = count
  }

  /// The array, from the whole file.
  func tensor(of data: Data) throws -> Tensor {
    let values = try type.element.decode(
      data.dropFirst(start), shape: shape, bigEndian: type.bigEndian, columnMajor: columnMajor)
    return Tensor(shape: shape, values: values, elementType: type.element)
  }

  private static func truncated(_ what: String) -> InputError {
    InputError("the .npy file is cut short: \(what)", remedy: "write it again with numpy.save")
  }
}

/// A plain number type of NumPy, as `descr` names it: byte order, kind and size.
struct NumPyType: Equatable {
  var element: ElementType
  var bigEndian: Bool

  init(_ descr: String) throws {
    let known: [String: ElementType] = [
      "f2": .float16, "f4": .float32, "f8": .float64, "b1": .bool, "i1": .int8, "i2": .int16,
      "i4": .int32, "i8": .int64, "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64,
    ]
    let order = descr.first
    let kind = String(descr.dropFirst())
    guard let element = known[kind],
      order == "<" || order == ">" || (order == "|" && element.byteCount == 1)
    else { throw Self.refusal(of: descr, kind: kind.first) }
    self.element = element
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
}
