import Foundation

/// NumPy's `.npz` format: a zip archive with one `.npy` file a tensor.
package enum NPZFile {
  private static let suffix = ".npy"

  /// Whether the bytes begin as a zip archive does, empty ones included.
  package static func recognises(_ data: Data) -> Bool {
    data.starts(with: Array("PK\u{3}\u{4}".utf8)) || data.starts(with: Array("PK\u{5}\u{6}".utf8))
  }

  /// The tensors of an archive by name, without `.npy`; `decodeInOrder` says what it throws.
  package static func decode(_ data: Data, memory: Int = .max) throws -> [String: Tensor] {
    let tensors = try decodeInOrder(data, memory: memory)
    return Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
  }

  /// The tensors of an archive in its order, with their names without `.npy`.
  ///
  /// A few compressed bytes can announce any amount of memory. All headers are read first, and an
  /// archive whose tensors would take more than `memory` bytes is refused before any is expanded.
  ///
  /// Throws an `InputError` naming the tensor for a member that is damaged or is not an array.
  package static func decodeInOrder(
    _ data: Data, memory: Int = .max
  ) throws -> [(name: String, tensor: Tensor)] {
    let archive = try ZipArchive(data)
    if archive.members.contains(where: { $0.name.hasSuffix("/data.pkl") }) {
      throw InputError(
        "this is a PyTorch checkpoint (a pickle), expected an .npz archive",
        remedy: "save it as numpy.savez(path, **{k: v.numpy() for k, v in state.items()})")
    }
    let parts = try archive.members.map { member in
      let name = try tensorName(member)
      return try InputError.about(tensor: name) {
        let prefix = try archive.prefix(of: member, count: NumPyArray.prefixLength)
        return (name, member, array: try NumPyArray(beginning: prefix, size: member.size))
      }
    }
    try checkMemory(parts.map { ($0, $1.size, $2.count) }, limit: memory, file: data.count)
    return try parts.map { name, member, array in
      try InputError.about(tensor: name) {
        (name, try array.tensor(of: archive.contents(of: member)))
      }
    }
  }

  private static func tensorName(_ member: ZipArchive.Member) throws -> String {
    guard member.name.hasSuffix(suffix), member.name.count > suffix.count else {
      throw InputError(
        "the archive holds '\(member.name)', expected .npy files only",
        remedy: "write it with numpy.savez")
    }
    return String(member.name.dropLast(suffix.count))
  }

  /// Throws at the first tensor with which all values as doubles, and the member that is being
  /// expanded, take more bytes than the limit.
  private static func checkMemory(
    _ parts: [(name: String, size: Int, count: Int)], limit: Int, file: Int
  ) throws {
    var taken = 0
    for part in parts {
      guard let values = part.count.multiplied(by: MemoryLayout<Double>.size),
        let sum = taken.adding(values), let peak = sum.adding(part.size), peak <= limit
      else {
        throw InputError(
          "it expands to \(part.size) bytes, which neither the \(file) bytes of the file nor the "
            + "network account for",
          tensor: part.name,
          remedy: "if it belongs there, write the archive with numpy.savez, uncompressed")
      }
      taken = sum
    }
  }

  /// The archive of some tensors, in the order given: deflated, and the same every time.
  package static func encode(_ tensors: [(name: String, tensor: Tensor)]) throws -> Data {
    try encode(tensors, with: ZipWriter())
  }

  /// The same, with zip64 fields above a limit of the caller's choice.
  package static func encode(
    _ tensors: [(name: String, tensor: Tensor)], zip64Above limit: Int
  ) throws -> Data {
    try encode(tensors, with: ZipWriter(zip64Above: limit))
  }

  private static func encode(
    _ tensors: [(name: String, tensor: Tensor)], with writer: ZipWriter
  ) throws -> Data {
    var writer = writer
    for (name, tensor) in tensors {
      try ZipArchive.check(name: name + suffix)
      try writer.add(name: name + suffix, contents: NumPyFile.encode(tensor))
    }
    return writer.finish()
  }
}
