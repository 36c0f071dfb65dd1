import Foundation
import GPUCheck
import Testing

/// NumPy's `.npy` files, byte by byte.
@Suite struct NumPyFileTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var type: String
    var body: [UInt8]
    var values: [Double]
    var element: ElementType
    var testDescription: String { type }
  }

  static let types: [Case] = [
    Case(type: "<f8", body: [0, 0, 0, 0, 0, 0, 0xF8, 0xBF], values: [-1.5], element: .float64),
    Case(type: ">f8", body: [0xBF, 0xF8, 0, 0, 0, 0, 0, 0], values: [-1.5], element: .float64),
    Case(type: "<f4", body: [0, 0, 0xC0, 0x3F], values: [1.5], element: .float32),
    Case(type: ">f4", body: [0x3F, 0xC0, 0, 0], values: [1.5], element: .float32),
    Case(
      type: "<f2", body: [0x00, 0xBE, 0x01, 0x00, 0xFF, 0x7B, 0x00, 0x7C, 0xFF, 0x03],
      values: [-1.5, 0x1p-24, 65504, .infinity, 0x3FFp-24], element: .float16),
    Case(type: ">f2", body: [0x35, 0x55], values: [0x1.554p-2], element: .float16),
    Case(type: "|i1", body: [0xFF, 0x7F], values: [-1, 127], element: .int8),
    Case(type: "<i1", body: [0x80], values: [-128], element: .int8),
    Case(type: "|u1", body: [0xFF], values: [255], element: .uint8),
    Case(type: "|b1", body: [0, 1], values: [0, 1], element: .bool),
    Case(type: "<i2", body: [0xFE, 0xFF], values: [-2], element: .int16),
    Case(type: ">u2", body: [0xFF, 0xFE], values: [65534], element: .uint16),
    Case(type: ">i4", body: [0xFF, 0xFF, 0xFF, 0xFE], values: [-2], element: .int32),
    Case(type: "<u4", body: [0xFE, 0xFF, 0xFF, 0xFF], values: [4_294_967_294], element: .uint32),
    Case(type: "<i8", body: [0, 0, 0, 0, 0, 0, 0xE0, 0xFF], values: [-0x1p53], element: .int64),
    Case(type: ">u8", body: [0, 0x20, 0, 0, 0, 0, 0, 0], values: [0x1p53], element: .uint64),
  ]

  @Test(arguments: types) func readsEveryType(_ row: Case) throws {
    for version in [1, 2, 3] as [UInt8] {
      let header =
        "{'descr': '\(row.type)', 'fortran_order': False, 'shape': (\(row.values.count),), }"
      let tensor = try NumPyFile.decode(npy(header, row.body, version: version))
      #expect(
        tensor
          == Tensor(shape: [row.values.count], values: row.values, elementType: row.element))
    }
  }

  @Test func readsFortranOrder() throws {
    let body = [0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121] as [UInt8]
    let tensor = try NumPyFile.decode(
      npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2)}", body))
    #expect(tensor.shape == [2, 3, 2])
    #expect(tensor.values == [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121])
  }

  @Test(
    arguments: [
      ("{'descr': '|u1', 'fortran_order': False, 'shape': ()}", [7], [Int]()),
      ("{'shape':(2L,),\"descr\":\"|u1\",'fortran_order':False,}  \n", [7, 7], [2]),
      ("{'descr': '|u1', 'fortran_order': True, 'shape': (0, 5)}", [], [0, 5]),
      ("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, )}", [7, 7], [2, 1]),
    ] as [(String, [UInt8], [Int])])
  func readsShapes(_ header: String, _ body: [UInt8], _ shape: [Int]) throws {
    let tensor = try NumPyFile.decode(npy(header, body))
    #expect(tensor.shape == shape)
    #expect(tensor.values == body.map(Double.init))
  }

  @Test(arguments: [
    ("'<f8', 'fortran_order': False, 'shape': (2,)", "found 8 bytes of values, expected 16"),
    ("'<f4', 'fortran_order': False, 'shape': (1,)", "something follows the array"),
    ("'|O', 'fortran_order': False, 'shape': (1,)", "Python objects (a pickle)"),
    ("[('a', '<f8')], 'fortran_order': False, 'shape': (1,)", "structured dtype"),
    ("'<c8', 'fortran_order': False, 'shape': (1,)", "complex numbers"),
    ("'<U2', 'fortran_order': False, 'shape': (1,)", "text"),
    ("'<M8[s]', 'fortran_order': False, 'shape': (1,)", "dates"),
    ("'<f16', 'fortran_order': False, 'shape': (1,)", "dtype '<f16', expected floats"),
    ("'f8', 'fortran_order': False, 'shape': (1,)", "dtype 'f8'"),
    ("'|f8', 'fortran_order': False, 'shape': (1,)", "dtype '|f8'"),
    ("'', 'fortran_order': False, 'shape': (1,)", "dtype ''"),
    ("'<f8', 'fortran_order': False, 'shape': (-1,)", "a negative number in the shape"),
    ("'<f8', 'fortran_order': False, 'shape': (9223372036854775808,)", "larger than any array"),
    ("'<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)", "larger than any array"),
    ("'<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)", "larger than any"),
    ("'<f8', 'fortran_order': False, 'shape': (2305843009213693952,)", "larger than any array"),
    ("'<f8', 'fortran_order': False, 'shape': (1)", "expected ',' in a shape of one axis"),
    ("'<f8', 'fortran_order': False, 'shape': (1.0,)", "found '.'"),
    ("'<f8', 'fortran_order': False, 'shape': (,)", "expected a whole number"),
    ("'<f8', 'fortran_order': 0, 'shape': (1,)", "expected True or False"),
    ("'<f8', 'fortran_order': False", "the key 'shape' is missing"),
    ("'<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)", "stands twice"),
    ("'<f8', 'fortran_order': False, 'shape': (1,), 'x': 1", "unknown key 'x'"),
    ("'<f8", "a string does not end"),
    ("'<f\\x38', 'fortran_order': False, 'shape': (1,)", "within a string"),
    ("'<f8', 'fortran_order': False, 'shape': (1,)}, {", "expected the end"),
  ])
  func refusesHeaders(_ rest: String, _ expected: String) {
    let message = inputErrorMessage {
      try NumPyFile.decode(npy("{'descr': \(rest)}", [0, 0, 0, 0, 0, 0, 0, 0]))
    }
    #expect(message.contains(expected), "\(message)")
  }

  @Test func refusesBrokenFiles() {
    let good = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", [7])
    var lying = good
    lying[9] = 0xFF
    var strange = good
    strange[6] = 4
    let axes = String(repeating: "1,", count: 65)
    let table: [(Data, String)] = [
      (Data(), "the first bytes"), (Data("hello".utf8), "the first bytes"),
      (good.prefix(7), "the version is missing"), (good.prefix(9), "length of the header"),
      (good.prefix(40), "cut short"), (lying, "bytes is announced"),
      (strange, "format version 4.0, expected 1.0"), (good.dropLast(), "the file is cut short"),
      (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (\(axes))}", [7]), "65 axes"),
      (npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", [2]), "expected 0 or 1"),
    ]
    for (data, expected) in table {
      let message = inputErrorMessage { try NumPyFile.decode(data) }
      #expect(message.contains(expected), "\(message)")
    }
  }

  @Test func refusesIntegersThatNoDoubleHolds() {
    let large = [1, 0, 0, 0, 0, 0, 0x20, 0] as [UInt8]
    let zero = [UInt8](repeating: 0, count: 8)
    let body = zero + large + zero + zero + zero + zero
    for type in ["<i8", "<u8"] {
      for (order, place) in [("False", "[0, 1]"), ("True", "[1, 0]")] {
        let message = inputErrorMessage {
          try NumPyFile.decode(
            npy("{'descr': '\(type)', 'fortran_order': \(order), 'shape': (2, 3)}", body))
        }
        #expect(message.contains("the integer 9007199254740993 at \(place)"), "\(message)")
      }
    }
  }

  @Test func writesWhatNumPyWrites() throws {
    for shape in [[], [3], [2, 2], [0, 4]] as [[Int]] {
      let count = shape.reduce(1, *)
      let tensor = Tensor(shape: shape, values: (0..<count).map { 0.1 * Double($0) - 0.1 })
      let data = try NumPyFile.encode(tensor)
      #expect((data.count - 8 * count) % 64 == 0)
      #expect(try NumPyFile.decode(data) == tensor)
    }
    let scalar = try NumPyFile.encode(Tensor(shape: [], values: [0]))
    #expect(
      String(decoding: scalar[10..<66], as: UTF8.self)
        == "{'descr': '<f8', 'fortran_order': False, 'shape': (), } ")
  }
}

/// An `.npy` file of a header and the bytes of its values.
private func npy(_ header: String, _ body: [UInt8], version: UInt8 = 1) -> Data {
  let length = header.utf8.count
  var data = Data([0x93] + Array("NUMPY".utf8) + [version, 0])
  data.append(contentsOf: [UInt8(length & 0xFF), UInt8(length >> 8)])
  if version > 1 { data.append(contentsOf: [0, 0]) }
  return data + Data(header.utf8) + Data(body)
}
