import Foundation

/// The Safetensors format: a JSON header that says where each tensor's bytes lie, then the bytes,
/// little-endian and row-major (https://github.com/huggingface/safetensors, "Format").
package enum SafetensorsFile {
  /// The first eight bytes: the length of the header.
  private static let headerStart = 8
  /// The limit of the format's own library.
  private static let headerLimit = 100_000_000
  /// The key of the header that is no tensor but strings by name.
  fileprivate static let metadata = "__metadata__"

  private static let types: [String: ElementType] = [
    "F64": .float64, "F32": .float32, "F16": .float16, "BF16": .bfloat16, "I8": .int8,
    "I16": .int16, "I32": .int32, "I64": .int64, "U8": .uint8, "U16": .uint16, "U32": .uint32,
    "U64": .uint64, "BOOL": .bool,
  ]

  /// Whether the bytes begin as the format does: a length, then the `{` of the header. Eight letters
  /// are not a length: JSON can have a `{` in the ninth place too.
  package static func recognises(_ data: Data) -> Bool {
    data.littleEndian(UInt8.self, at: headerStart) == UInt8(ascii: "{")
      && !data.prefix(headerStart).allSatisfy { (0x09...0x7E).contains($0) }
  }

  // MARK: Reading

  /// The tensors of a file by name; `decodeInOrder` says what it throws.
  package static func decode(_ data: Data) throws -> [String: Tensor] {
    let tensors = try decodeInOrder(data)
    return Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
  }

  /// The tensors of a file in the order of their bytes, with their names.
  ///
  /// Throws an `InputError`, naming the tensor where one is to blame, unless the tensors fill the
  /// bytes after the header without gaps or overlaps.
  package static func decodeInOrder(_ data: Data) throws -> [(name: String, tensor: Tensor)] {
    let (header, body) = try split(data)
    let parts = try parse(header).map { name, entry in
      try Part(name: name, entry: entry, limit: body.count)
    }
    try checkCoverage(parts, of: body.count)
    return try parts.sorted {
      ($0.range.lowerBound, $0.range.upperBound, $0.name)
        < ($1.range.lowerBound, $1.range.upperBound, $1.name)
    }.map { part in
      let bytes = body.slice(at: part.range.lowerBound, count: part.range.count) ?? Data()
      let values = try InputError.about(tensor: part.name) {
        try part.type.decode(bytes, shape: part.shape)
      }
      return (part.name, Tensor(shape: part.shape, values: values, elementType: part.type))
    }
  }

  /// The header's text and the bytes of the tensors.
  private static func split(_ data: Data) throws -> (header: Data, body: Data) {
    guard let announced = data.littleEndian(UInt64.self, at: 0) else {
      throw damage("the file is cut short: the length of the header is missing")
    }
    guard announced <= headerLimit, let length = Int(exactly: announced) else {
      throw damage("a header of \(announced) bytes is announced, expected at most \(headerLimit)")
    }
    guard let header = data.slice(at: headerStart, count: length) else {
      throw damage(
        "the file is cut short: a header of \(length) bytes is announced, "
          + "\(data.count - headerStart) remain")
    }
    guard header.first == UInt8(ascii: "{") else {
      throw damage("the header does not begin with '{'")
    }
    return (header, data.dropFirst(headerStart + length))
  }

  private static func parse(_ header: Data) throws -> [String: HeaderEntry] {
    let parsed: Header
    do {
      parsed = try JSONDecoder().decode(Header.self, from: header)
    } catch let error as DecodingError {
      throw HeaderError.describe(error)
    }
    try requireUniqueKeys(header)
    return parsed.tensors
  }

  /// Throws unless the parts lie end to end from 0 to `size`.
  private static func checkCoverage(_ parts: [Part], of size: Int) throws {
    var end = 0
    let ordered = parts.sorted {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    for part in ordered {
      let start = part.range.lowerBound
      guard start == end else {
        throw damage(
          start < end
            ? "its bytes from \(start) on belong to another tensor too"
            : "the \(start - end) bytes before it belong to no tensor", tensor: part.name)
      }
      end = part.range.upperBound
    }
    guard end == size else {
      throw damage("the last \(size - end) bytes of the file belong to no tensor")
    }
  }

  private static func damage(_ problem: String, tensor: String? = nil) -> InputError {
    InputError(problem, tensor: tensor, remedy: "write or copy the file again")
  }

  /// A tensor of the header, its numbers checked.
  private struct Part {
    var name: String
    var type: ElementType
    var shape: [Int]
    /// Where its bytes lie after the header.
    var range: Range<Int>

    /// - Parameter limit: the bytes that follow the header.
    init(name: String, entry: HeaderEntry, limit: Int) throws {
      guard let type = types[entry.dtype] else {
        throw InputError(
          "dtype '\(entry.dtype)', expected F64, F32, F16, BF16, an integer (I8 to I64, U8 to U64) "
            + "or BOOL",
          tensor: name, remedy: "convert the tensor before saving")
      }
      guard let count = elementCount(ofShape: entry.shape),
        let size = count.multiplied(by: type.byteCount)
      else {
        throw damage("the shape \(entry.shape) is negative or larger than any tensor", tensor: name)
      }
      guard entry.offsets.count == 2, let start = entry.offsets.first, let end = entry.offsets.last,
        0 <= start, start <= end
      else {
        throw damage("data_offsets are \(entry.offsets), expected [begin, end]", tensor: name)
      }
      guard end <= limit else {
        throw damage(
          "the file is cut short: data_offsets end at \(end), \(limit) bytes follow the header",
          tensor: name)
      }
      guard end - start == size else {
        throw damage(
          "data_offsets hold \(end - start) bytes, expected \(size) for shape \(entry.shape) of "
            + entry.dtype, tensor: name)
      }
      self.name = name
      self.type = type
      shape = entry.shape
      range = start..<end
    }
  }

  // MARK: Writing

  /// The file of some tensors, in the order given: doubles, and the same bytes every time.
  package static func encode(_ tensors: [(name: String, tensor: Tensor)]) throws -> Data {
    var header: [String: JSONValue] = [:]
    var end = 0
    for (name, tensor) in tensors {
      guard name != metadata else {
        throw InputError(
          "a tensor is named '\(name)', which the format keeps for itself",
          remedy: "give it another name, or write an .npz file")
      }
      let start = end
      end += tensor.count * MemoryLayout<Double>.size
      header[name] = [
        "dtype": .string("F64"), "shape": .array(tensor.shape.map(JSONValue.count)),
        "data_offsets": .array([start, end].map(JSONValue.count)),
      ]
    }
    var text = try JSONValue.object(header).encoded(pretty: false)
    // The bytes of the tensors begin at a multiple of eight.
    text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    var data = Data()
    data.appendLittleEndian(UInt64(text.utf8.count))
    data.append(contentsOf: text.utf8)
    for (_, tensor) in tensors { data.append(doubles: tensor.values) }
    return data
  }
}

/// The header as Foundation decodes it: integers are read exactly.
private struct Header: Decodable {
  var tensors: [String: HeaderEntry] = [:]

  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for key in container.allKeys {
      if key.stringValue == SafetensorsFile.metadata {
        _ = try container.decode([String: String].self, forKey: key)
      } else {
        tensors[key.stringValue] = try container.decode(HeaderEntry.self, forKey: key)
      }
    }
  }
}

private struct HeaderEntry: Decodable {
  var dtype: String
  var shape: [Int]
  var offsets: [Int]

  enum CodingKeys: String, CodingKey {
    case dtype, shape
    case offsets = "data_offsets"
  }
}

/// What Foundation says of a header, in one line.
private enum HeaderError {
  static func describe(_ error: DecodingError) -> InputError {
    let remedy = "write the file again with safetensors"
    func at(_ path: [any CodingKey], _ problem: String) -> InputError {
      InputError(problem, tensor: path.first?.stringValue, remedy: remedy)
    }
    switch error {
    case .keyNotFound(let key, let context):
      return at(context.codingPath, "the header lacks its \(key.stringValue)")
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      let place = context.codingPath.dropFirst().first.map { " \($0.stringValue)" } ?? ""
      return at(context.codingPath, "the header's\(place) is not what the format says")
    case .dataCorrupted:
      return at(
        [], "the header is not valid JSON, or holds a number that is not whole or too large")
    @unknown default:
      return at([], "the header is not what the format says")
    }
  }
}
