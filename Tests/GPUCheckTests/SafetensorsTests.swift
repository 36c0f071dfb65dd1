import Foundation
import GPUCheck
import Testing

/// Safetensors files, made by the format's own package, by ourselves, and byte by byte.
@Suite struct SafetensorsTests {
  @Test func readsEveryTypeOfThePackage() throws {
    let tensors = try named(fixture("types.safetensors"))
    let types: [ElementType] = [
      .float64, .float32, .float16, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32,
      .uint64, .bool,
    ]
    #expect(tensors.count == types.count + 3)
    for type in types {
      #expect(
        tensors[type.rawValue]
          == Tensor(shape: [2, 3], values: [0, 1, 0, 1, 1, 0], elementType: type))
    }
    #expect(tensors["scalar"] == Tensor(shape: [], values: [-1.5]))
    #expect(tensors["none"] == Tensor(shape: [0, 4], values: [], elementType: .float32))
    let odd = try #require(tensors["layer/ß"]?.values)
    #expect(odd[0] == 0.1 && odd[1] == -.infinity && odd[2].isNaN)
  }

  @Test func readsBrainFloats() throws {
    #expect(
      try named(fixture("bfloat16.safetensors"))
        == [
          "W1": Tensor(
            shape: [4], values: [1, -2.5, 3.140625, .infinity], elementType: .bfloat16)
        ])
    // Eight bits of significand: 1 + 2⁻⁷ is the next number after 1.
    #expect(ElementType.bfloat16.unitRoundoff == 0x1p-8)
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#, 16, nil),
    (#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}    "#, 16, nil),
    (#"{"__metadata__":{"a":"b"},"a":{"data_offsets":[0,0],"dtype":"U8","shape":[0]}}"#, 0, nil),
    ("{}", 0, nil),
    (
      #"{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}"#, 2,
      "a: dtype 'F8_E4M3', expected F64, F32"
    ),
    (#"{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}"#, 8, "a: dtype 'C64'"),
    (
      #"{"a":{"dtype":"F64","shape":[3],"data_offsets":[0,16]}}"#, 16,
      "a: data_offsets hold 16 bytes, expected 24 for shape [3] of F64"
    ),
    (
      #"{"a":{"dtype":"F64","shape":[-2,-1],"data_offsets":[0,16]}}"#, 16,
      "a: the shape [-2, -1] is negative"
    ),
    (
      #"{"a":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#, 16,
      "a: the shape [4611686018427387904, 4] is negative or larger than any tensor"
    ),
    (
      #"{"a":{"dtype":"F64","shape":[18446744073709551616],"data_offsets":[0,16]}}"#, 16,
      "the header is not valid JSON, or holds a number that is not whole or too large"
    ),
    (
      #"{"a":{"dtype":"F64","shape":[1.5],"data_offsets":[0,16]}}"#, 16,
      "a number that is not whole"
    ),
    (
      #"{"a":{"dtype":"F64","shape":[2],"data_offsets":[16,0]}}"#, 16,
      "a: data_offsets are [16, 0], expected [begin, end]"
    ),
    (#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[-16,0]}}"#, 16, "are [-16, 0]"),
    (#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0]}}"#, 16, "are [0], expected"),
    (
      #"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#, 15,
      "a: the file is cut short: data_offsets end at 16, 15 bytes follow the header"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[9223372036854775805,9223372036854775807]}}"#,
      2, "data_offsets end at 9223372036854775807, 2 bytes follow"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#
        + #""b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3,
      "b: its bytes from 1 on belong to another tensor too"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#
        + #""b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}"#, 5,
      "b: the 1 bytes before it belong to no tensor"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, 3,
      "the last 1 bytes of the file belong to no tensor"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
        + #""\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2,
      "a: the key stands twice in its object"
    ),
    (#"{"a":{"shape":[2],"data_offsets":[0,2]}}"#, 2, "a: the header lacks its dtype"),
    (#"{"a":{"dtype":8,"shape":[2],"data_offsets":[0,2]}}"#, 2, "a: the header's dtype is not"),
    (#"{"a":null}"#, 0, "a: the header"),
    (#"{"__metadata__":{"a":1}}"#, 0, "__metadata__: the header's a is not"),
    (#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}"#, 2, "not valid JSON"),
    (#"{"a":"# + String(repeating: "[", count: 100_000), 2, "not valid JSON"),
    (
      #"{"a":{"dtype":"BOOL","shape":[1,2],"data_offsets":[0,2]}}"#, 2,
      "a: byte 7 at [0, 0] of a boolean array, expected 0 or 1"
    ),
  ])
  func judgesHeaders(_ header: String, _ bytes: Int, _ expected: String?) throws {
    let data = file(header, Data(repeating: 7, count: bytes))
    guard let expected else {
      #expect(throws: Never.self) { try TensorFile.decode(data) }
      return
    }
    let message = inputErrorMessage { try TensorFile.decode(data) }
    #expect(message.contains(expected), "\(message)")
    #expect(message.contains("; "), "no next step: \(message)")
    #expect(!message.contains("\n"))
  }

  @Test(
    arguments: [
      (
        UInt64.max,
        "a header of 18446744073709551615 bytes is announced, expected at most 100000000"
      ),
      (100_000_001, "a header of 100000001 bytes is announced, expected at most"),
      (100_000_000, "the file is cut short: a header of 100000000 bytes is announced, 3 remain"),
      (4, "the file is cut short: a header of 4 bytes is announced, 3 remain"),
      (0, "the header does not begin with '{'"),
    ] as [(UInt64, String)])
  func refusesLengthsThatLie(_ length: UInt64, _ expected: String) {
    var data = file("{} ", Data())
    data.replaceSubrange(0..<8, with: withUnsafeBytes(of: length.littleEndian) { Data($0) })
    let message = inputErrorMessage { try TensorFile.decode(data) }
    #expect(message.contains(expected), "\(message)")
  }

  @Test func doesNotTakeJSONForIt() {
    let message = inputErrorMessage { try TensorFile.decode(Data(#"{"name":{"a": 1}}"#.utf8)) }
    #expect(message.contains("this looks like JSON"), "\(message)")
  }

  @Test(arguments: ["types.safetensors", "bfloat16.safetensors"])
  func neverTrapsOnDamage(_ name: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture(name)))
    expectNoTrap(on: data) { _ = try SafetensorsFile.decode($0) }
  }

  // MARK: Writing

  /// Byte for byte what the package reads: length, header padded with spaces to a multiple of eight,
  /// doubles without gaps.
  @Test func writesTheFormat() throws {
    let data = try SafetensorsFile.encode([
      ("b/1", Tensor(shape: [], values: [1])), ("a", Tensor(shape: [1, 2], values: [-0.0, .nan])),
    ])
    let header =
      #"{"a":{"data_offsets":[8,24],"dtype":"F64","shape":[1,2]},"#
      + #""b/1":{"data_offsets":[0,8],"dtype":"F64","shape":[]}}"#
    let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    var expected = Data([UInt8(padded.utf8.count), 0, 0, 0, 0, 0, 0, 0]) + Data(padded.utf8)
    for value in [1, -0.0, Double.nan] {
      expected += withUnsafeBytes(of: value.bitPattern.littleEndian) { Data($0) }
    }
    #expect(data == expected)
  }

  @Test func readsWhatItWrites() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("out.safetensors").path
      try TensorFile.write(TensorFileTests.tensors, to: path)
      let read = try named(path)
      #expect(read.count == TensorFileTests.tensors.count)
      for (name, tensor) in TensorFileTests.tensors {
        #expect(read[name]?.shape == tensor.shape)
        #expect(read[name]?.values.map(\.bitPattern) == tensor.values.map(\.bitPattern))
      }
      let reserved = inputErrorMessage {
        try TensorFile.write([("__metadata__", Tensor(shape: [], values: [1]))], to: path)
      }
      #expect(reserved.contains("which the format keeps for itself"), "\(reserved)")
    }
  }
}

/// A file of a header and the bytes of its tensors.
private func file(_ header: String, _ body: Data) -> Data {
  let length = UInt64(header.utf8.count)
  return withUnsafeBytes(of: length.littleEndian) { Data($0) } + Data(header.utf8) + body
}

private func fixture(_ name: String) -> String {
  (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
    .appendingPathComponent("Fixtures/formats/\(name)").path
}

private func named(_ path: String) throws -> [String: Tensor] {
  guard case .named(let tensors) = try TensorFile.read(path) else { return [:] }
  return tensors
}
