import Foundation
import GPUCheck
import Testing

/// A folder with the files of a check that passes: 2 inputs, 4 units, 3 classes, 27 parameters.
final class Inputs {
  private let folder: TemporaryFolder

  /// The tensors of each file. All inputs and all of W2 are 0, so the gradient is told by hand: of
  /// the mean of softmax − one-hot nothing but b2's part is left.
  let originals: [String: [String: Tensor]] = {
    let theta = [
      "W1": Tensor(shape: [4, 2], values: (1...8).map { Double($0) / 10 }), "b1": zeros([4]),
      "W2": zeros([3, 4]), "b2": zeros([3]),
    ]
    var gradient = theta.mapValues { zeros($0.shape) }
    gradient["b2"] = Tensor(shape: [3], values: [1.0 / 3 - 2.0 / 3, 0, 1.0 / 3])
    let labels = Tensor(shape: [3], values: [0, 0, 1], elementType: .int64)
    return [
      "theta.npz": theta, "gradient.npz": gradient,
      "batch.npz": ["x": zeros([3, 2]), "y": labels],
    ]
  }()

  init() throws {
    folder = try TemporaryFolder()
    let model = """
      {"schema": "gpucheck.network/1", "inputs": 2,
       "layers": [{"units": 4, "activation": "tanh"}, {"units": 3}],
       "loss": "softmax-cross-entropy"}
      """
    try write("model.json", Data(model.utf8))
    for (name, tensors) in originals { try save(name, tensors) }
  }

  /// The path of a file.
  subscript(name: String) -> String { folder[name] }

  func names() throws -> Set<String> { try Set(folder.names()) }

  func data(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: self[name]))
  }

  func write(_ name: String, _ data: Data) throws {
    try data.write(to: URL(fileURLWithPath: self[name]))
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: self[name]) }

  func save(_ name: String, _ tensors: [String: Tensor]) throws {
    try TensorFile.write(
      tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: self[name])
  }

  /// Saves a file with its tensors changed.
  func save(_ name: String, change: (inout [String: Tensor]) -> Void) throws {
    var tensors = originals[name] ?? [:]
    change(&tensors)
    try save(name, tensors)
  }

  /// Replaces some text of a file.
  func edit(_ name: String, _ old: String, _ new: String) throws {
    let text = String(decoding: try data(name), as: UTF8.self)
    try #require(text.contains(old))
    try write(name, Data(text.replacingOccurrences(of: old, with: new).utf8))
  }

  /// A script that runs some commands of the shell, then the program that is its argument.
  func script(_ commands: String) throws -> URL {
    try write("script", Data("#!/bin/sh\n\(commands)\nexec \"$@\"\n".utf8))
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: self["script"])
    return URL(fileURLWithPath: self["script"])
  }

  /// `gpucheck check` of the files; FOLDER in an option stands for theirs.
  func check(_ options: [String], launcher: URL? = nil) throws -> Program.Ending {
    let files = [
      "check", self["model.json"], "--batch", self["batch.npz"], "--parameters", self["theta.npz"],
      "--gradient", self["gradient.npz"], "--device", "cpu",
    ]
    let options = options.map { $0.replacingOccurrences(of: "FOLDER", with: self["."]) }
    return try Program.run(files + options, launcher: launcher)
  }
}

func zeros(_ shape: [Int]) -> Tensor {
  Tensor(shape: shape, values: [Double](repeating: 0, count: shape.reduce(1, *)))
}

// MARK: Files that no tool would write

func header(_ shape: String, descr: String = "<f8") -> String {
  "{'descr': '\(descr)', 'fortran_order': False, 'shape': \(shape), }"
}

/// An `.npy` file of a header and the bytes of its values, the length of the header as announced.
func npy(_ header: String, _ body: [UInt8], announced: Int? = nil) -> Data {
  let length = announced ?? header.utf8.count
  return Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)])
    + Data(header.utf8) + Data(body)
}

/// A zip archive of members as they are stored, whatever their names; sizes are those before
/// compression. No check sums.
func zip(_ members: [(name: String, stored: Data)], method: UInt16 = 0, size: Int? = nil) -> Data {
  var data = Data()
  var directory = Data()
  func number(_ value: Int, _ bytes: Int) -> Data {
    Data((0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
  }
  for (name, stored) in members {
    let common =
      number(20, 2) + number(0x0800, 2) + number(Int(method), 2) + number(0, 8)
      + number(stored.count, 4) + number(size ?? stored.count, 4) + number(name.utf8.count, 2)
      + number(0, 2)
    directory +=
      number(0x0201_4B50, 4) + number(20, 2) + common + number(0, 10) + number(data.count, 4)
      + Data(name.utf8)
    data += number(0x0403_4B50, 4) + common + Data(name.utf8) + stored
  }
  return data + directory + number(0x0605_4B50, 4) + number(0, 4) + number(members.count, 2)
    + number(members.count, 2) + number(directory.count, 4) + number(data.count, 4) + number(0, 2)
}

/// A Safetensors file of a header and so many bytes.
func safetensors(header: String, bytes: Int) -> Data {
  let length = UInt64(header.utf8.count)
  return withUnsafeBytes(of: length.littleEndian) { Data($0) } + Data(header.utf8)
    + Data(repeating: 0, count: bytes)
}

/// The same of byte tensors that lie at some offsets.
func safetensors(_ offsets: [String: [Int]], bytes: Int) -> Data {
  let entries = offsets.sorted { $0.key < $1.key }.map { name, offsets in
    #""\#(name)":{"dtype":"U8","shape":[\#(offsets[1] - offsets[0])],"data_offsets":\#(offsets)}"#
  }
  return safetensors(header: "{" + entries.joined(separator: ",") + "}", bytes: bytes)
}

/// An `.npz` whose W1 is about so many bytes of zeros, in 158 times less. The stream of RFC 1951: a
/// stored block with the header of the array, then fixed Huffman codes: a zero, and over and over
/// "258 bytes as the one before" (the code 11000101 and the distance 00000: 13 bits, so 8 of them
/// are 13 bytes).
func bombOfZeros(bytes: Int) -> (file: Data, size: Int) {
  func stream(repeats: Int) -> [UInt8] {
    let codes =
      [false, false, true, true, false, false, false, false]
      + (0..<repeats).flatMap { _ in
        [true, true, false, false, false, true, false, true] + [Bool](repeating: false, count: 5)
      } + [Bool](repeating: false, count: 7)
    let bits = [true, true, false] + codes
    return stride(from: 0, to: bits.count, by: 8).map { start in
      bits[start..<min(start + 8, bits.count)].enumerated()
        .reduce(0) { $0 | ($1.element ? 1 << UInt8($1.offset) : 0) }
    }
  }
  let turns = bytes / (8 * 258)
  let count = 1 + 8 * 258 * (turns + 1)
  let array = npy(header("(\(count),)", descr: "|u1"), [])
  let length = UInt16(array.count)
  var packed = Data([0, UInt8(length & 0xFF), UInt8(length >> 8)])
  packed += Data([UInt8(~length & 0xFF), UInt8(~length >> 8)]) + array
  let long = stream(repeats: 16)
  packed += Data(long[..<2])
  for _ in 0..<turns { packed.append(contentsOf: long[2..<15]) }
  packed += Data(stream(repeats: 8)[2...])
  let size = array.count + count
  return (zip([("W1.npy", packed)], method: 8, size: size), size)
}
