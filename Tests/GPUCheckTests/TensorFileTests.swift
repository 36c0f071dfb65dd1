import Foundation
import GPUCheck
import Testing

/// `.npz` archives, made by NumPy and by ourselves.
@Suite struct TensorFileTests {
  @Test(arguments: ["stored.npz", "deflated.npz", "zip64.npz"])
  func readsNumPyArchives(_ name: String) throws {
    guard case .named(let tensors) = try TensorFile.read(fixture(name)) else {
      Issue.record("\(name) is not read as an archive")
      return
    }
    #expect(tensors.keys.sorted() == ["W1", "layer/b1", "scalar", "zeros"])
    #expect(
      tensors["W1"]
        == Tensor(
          shape: [2, 3], values: [0, 0.25, 0.5, 0.75, 1, 1.25], elementType: .float32))
    #expect(
      tensors["layer/b1"] == Tensor(shape: [3], values: [-1, 0, 0x1p53], elementType: .int64))
    #expect(tensors["zeros"]?.shape == [20, 30])
    #expect(tensors["scalar"] == Tensor(shape: [], values: [-1.5], elementType: .float16))
    let isWide = try bytes(name).range(of: Data("PK\u{6}\u{6}".utf8)) != nil
    #expect(isWide == (name == "zip64.npz"))
  }

  @Test(arguments: ["version1.npy", "version2.npy", "version3.npy"])
  func readsSingleArrays(_ name: String) throws {
    let tensor = Tensor(
      shape: [2, 3], values: [0, 0.25, 0.5, 0.75, 1, 1.25], elementType: .float32)
    #expect(try TensorFile.read(fixture(name)) == .flat(tensor))
  }

  @Test func readsAnEmptyArchive() throws {
    #expect(try TensorFile.read(fixture("empty.npz")) == .named([:]))
  }

  @Test(arguments: [
    ("pickle.npy", "Python objects (a pickle)"), ("structured.npy", "structured dtype"),
    ("lzma.npz", "compressed by LZMA, expected stored or deflated"),
    ("not-an-array.npz", "the archive holds 'notes.txt', expected .npy files only"),
    ("checkpoint.pt", "a PyTorch checkpoint"), ("implausible.npz", "announces 2147483648 bytes"),
    ("overlap.npz", "two members share the same bytes"),
    ("short.npz", "W1: damaged member: it expands to 152 bytes where 160 are announced"),
    ("long.npz", "W1: damaged member: it expands to more than the 144 bytes announced"),
    (
      "make_formats.py", "the format of the file is unknown, expected an .npz, .npy or .safetensors"
    ),
    ("absent.npz", "no such file"), ("", "this is a folder, not a file"),
  ])
  func refusesFiles(_ name: String, _ expected: String) {
    let path = fixture(name)
    let message = inputErrorMessage { try TensorFile.read(path) }
    #expect(message.contains(expected), "\(message)")
    #expect(message.hasPrefix(path + ": "), "\(message)")
    #expect(message.contains("; "), "no next step: \(message)")
  }

  @Test func refusesFilesWithoutContent() throws {
    try inFolder { folder in
      try Data().write(to: folder.appendingPathComponent("empty"))
      for (path, expected) in [
        (folder.appendingPathComponent("empty").path, "the file is empty"),
        ("/dev/zero", "a device"), ("", "the file name is empty"),
      ] {
        let message = inputErrorMessage { try TensorFile.read(path) }
        #expect(message.contains(expected), "\(message)")
      }
    }
  }

  /// One change of bytes in an archive and what is said of it. Offsets: from the start of the
  /// last directory record where `inDirectory`, else from the start of the file.
  static let damages: [(file: String, at: Int, inDirectory: Bool, bytes: [UInt8], says: String)] = [
    ("one-stored.npz", 150, false, [9], "CRC-32 differs"),
    ("one-deflated.npz", 50, false, [0xFF, 0xFF, 0xFF], "damaged member"),
    ("one-stored.npz", 8, true, [1], "is encrypted"),
    ("one-stored.npz", 8, true, [0x40], "is encrypted"),
    ("one-stored.npz", 10, true, [12, 0], "compressed by bzip2"),
    ("one-stored.npz", 10, true, [77, 0], "compressed by method 77"),
    ("one-stored.npz", 24, true, [0xFF], "more than its"),
    ("one-deflated.npz", 24, true, [0x99], "found 25 bytes of values, expected 24"),
    ("one-deflated.npz", 24, true, [0x97], "found 23 bytes of values, expected 24"),
    ("one-deflated.npz", 20, true, [0x30], "the compressed data does not end"),
    ("one-stored.npz", 20, true, [0, 0, 1, 0, 0, 0, 1], "is cut short"),
    ("one-stored.npz", 42, true, [1], "is not where the directory says"),
    ("one-stored.npz", 42, true, [0, 0, 0, 0xF0], "is not where the directory says"),
    ("one-stored.npz", 46, true, Array("W2".utf8), "contradicts the directory"),
    ("one-stored.npz", 46, true, [0xFF], "not UTF-8"),
    ("one-stored.npz", 46, true, Array("/1.npy".utf8), "absolute or climbing path"),
    ("one-stored.npz", 46, true, Array("../npy".utf8), "absolute or climbing path"),
    ("one-stored.npz", 46, true, Array("a/../y".utf8), "absolute or climbing path"),
    ("one-stored.npz", 46, true, Array("C:.npy".utf8), "absolute or climbing path"),
    ("one-stored.npz", 46, true, Array("..\\npy".utf8), "absolute or climbing path"),
    ("one-stored.npz", 46, true, [0x57, 0], "characters that no tensor name needs"),
    ("one-stored.npz", 28, true, [0xFF, 0xFF], "its directory is broken"),
    ("one-stored.npz", 34, true, [1], "lies on another disk"),
    ("one-stored.npz", 0, true, [0], "its directory is broken"),
    // The end record follows the directory record of 52 bytes.
    ("one-stored.npz", 56, true, [1], "split over several disks"),
    ("one-stored.npz", 60, true, [2, 0, 2], "2 members do not fit"),
    ("one-stored.npz", 60, true, [0, 0, 0], "longer than its members"),
    ("one-stored.npz", 64, true, [0xFF], "its directory lies outside the file"),
    ("one-stored.npz", 72, true, [1], "no directory at its end"),
    ("two.npz", 46, true, Array("A".utf8), "two members of the archive are named 'A.npy'"),
  ]

  @Test(arguments: damages.indices) func refusesDamagedArchives(_ row: Int) throws {
    let damage = Self.damages[row]
    var data = try bytes(damage.file)
    let directory = try #require(data.range(of: Data("PK\u{1}\u{2}".utf8), options: .backwards))
    let start = (damage.inDirectory ? directory.lowerBound : 0) + damage.at
    data.replaceSubrange(start..<start + damage.bytes.count, with: damage.bytes)
    let message = inputErrorMessage { try NPZFile.decode(data) }
    #expect(message.contains(damage.says), "\(message)")
  }

  @Test(arguments: ["one-deflated.npz", "zip64.npz", "version1.npy"])
  func neverTrapsOnDamage(_ name: String) throws {
    try expectNoTrap(on: bytes(name)) { data in
      _ = NPZFile.recognises(data) ? try NPZFile.decode(data) : [:]
      _ = try NumPyFile.decode(data)
    }
  }

  static let tensors: [(name: String, tensor: Tensor)] = [
    (
      "W1", Tensor(shape: [2, 3], values: [1, -0.0, .nan, .infinity, 0.1, .leastNonzeroMagnitude])
    ),
    ("Größe/β", Tensor(shape: [], values: [3])), ("none", Tensor(shape: [0, 2], values: [])),
    ("large", Tensor(shape: [300, 300], values: (0..<90000).map { Double($0 * $0 % 977) })),
  ]

  @Test func writesArchives() throws {
    try inFolder { folder in
      let path = folder.appendingPathComponent("out.npz").path
      try Data("old".utf8).write(to: URL(fileURLWithPath: path))
      try TensorFile.write(Self.tensors, to: path)
      // The largest one takes little room in the file.
      guard case .named(let read) = try TensorFile.read(path, expecting: 100_000) else {
        Issue.record("not read as an archive")
        return
      }
      expectTensors(read)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(names == ["out.npz"], "a temporary file is left")
      #expect(
        try NPZFile.encode(Self.tensors) == Data(contentsOf: URL(fileURLWithPath: path)),
        "the same tensors give other bytes")
    }
  }

  /// Zeros take a thousandth of their size: what may expand is a matter of what is expected.
  @Test func refusesBombsBeforeTheyExpand() throws {
    try inFolder { folder in
      let path = folder.appendingPathComponent("zeros.npz").path
      let (count, other) = (200_000, 1000)
      let zeros = { Tensor(shape: [$0], values: [Double](repeating: 0, count: $0)) }
      try TensorFile.write([("a", zeros(other)), ("b", zeros(count))], to: path)
      for (expected, says) in [(0, "b: it expands to 1600128 bytes"), (count + other - 16, nil)] {
        guard let says else {
          #expect(throws: Never.self) { try TensorFile.read(path, expecting: expected) }
          continue
        }
        let message = inputErrorMessage { try TensorFile.read(path, expecting: expected) }
        #expect(message.hasPrefix("\(path): \(says)"), "\(message)")
        #expect(message.hasSuffix("write the archive with numpy.savez, uncompressed"))
      }
    }
  }

  @Test(arguments: [0, 300]) func writesZip64(_ limit: Int) throws {
    expectTensors(try NPZFile.decode(NPZFile.encode(Self.tensors, zip64Above: limit)))
  }

  private func expectTensors(_ read: [String: Tensor]) {
    #expect(read.count == Self.tensors.count)
    for (name, tensor) in Self.tensors {
      #expect(read[name]?.shape == tensor.shape)
      #expect(read[name]?.values.map(\.bitPattern) == tensor.values.map(\.bitPattern))
    }
  }

  @Test func writesOneArray() throws {
    try inFolder { folder in
      let path = folder.appendingPathComponent("out.NPY").path
      try TensorFile.write([Self.tensors[3]], to: path)
      #expect(try TensorFile.read(path) == .flat(Self.tensors[3].tensor))
      let link = folder.appendingPathComponent("link.npy").path
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
      try TensorFile.write([Self.tensors[1]], to: link)
      #expect(try TensorFile.read(path) == .flat(Self.tensors[1].tensor))
    }
  }

  @Test func refusesToWrite() throws {
    try inFolder { folder in
      let one = Self.tensors[1].tensor
      let place = folder.appendingPathComponent("folder.npz")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
      let deep = Tensor(shape: [Int](repeating: 1, count: 65), values: [0])
      let table: [([(name: String, tensor: Tensor)], String, String)] = [
        ([("a", one)], "out.txt", "unknown suffix '.txt'"), ([("a", one)], "out", "no suffix"),
        ([("a", one), ("b", one)], "out.npy", "exactly one tensor, there are 2"),
        ([], "out.npy", "exactly one tensor, there are 0"),
        ([("a", one), ("a", one)], "out.npz", "two tensors are named 'a'"),
        ([("", one)], "out.npz", "a tensor has no name"),
        ([("../a", one)], "out.npz", "absolute or climbing path"),
        ([("a", deep)], "out.npz", "65 axes"),
        ([("a", one)], "absent/out.npz", "the folder to write to does not exist"),
        ([("a", one)], "folder.npz", "a folder stands in the place"),
      ]
      for (tensors, name, expected) in table {
        let path = folder.appendingPathComponent(name).path
        let message = inputErrorMessage { try TensorFile.write(tensors, to: path) }
        #expect(message.contains(expected), "\(message)")
        #expect(message.hasPrefix(path), "\(message)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["folder.npz"])
    }
  }
}

// MARK: Helpers

private func fixture(_ name: String) -> String {
  let folder = Bundle.module.resourceURL?.appendingPathComponent("Fixtures/formats")
  return (name.isEmpty ? folder : folder?.appendingPathComponent(name))?.path ?? name
}

private func bytes(_ name: String) throws -> Data {
  try Data(contentsOf: URL(fileURLWithPath: fixture(name)))
}

/// Runs with an empty folder that goes away afterwards.
private func inFolder(_ body: (URL) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("gpucheck-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder)
}
