import Foundation

/// NumPy's `.npz` format: a zip archive with one `.npy` file a tensor.
package enum NPZFile {
  private static let suffix = ".npy"

  /// Whether the bytes begin as a zip archive does, empty ones included.
  package static func recognises(_ data: Data) -> Bool {
    data.starts(with: Array("PK\u{3}\u{4}".utf8)) || data.starts(with: Array("PK\u{5}\u{6}".utf8))
  }

  /// The tensors of an archive by name, without `.npy`.
  ///
  /// Throws an `InputError` naming the tensor for a member that is damaged or is not an array.
  package static func decode(_ data: Data) throws -> [String: Tensor] {
    let archive = try ZipArchive(data)
    if archive.members.contains(where: { $0.name.hasSuffix("/data.pkl") }) {
      throw InputError(
        "this is a PyTorch checkpoint (a pickle), expected an .npz archive",
        remedy: "save it as numpy.savez(path, **{k: v.numpy() for k, v in state.items()})")
    }
    var tensors: [String: Tensor] = [:]
    for member in archive.members {
      guard member.name.hasSuffix(suffix), member.name.count > suffix.count else {
        throw InputError(
          "the archive holds '\(member.name)', expected .npy files only",
          remedy: "write it with numpy.savez")
      }
      let name = String(member.name.dropLast(suffix.count))
      do {
        tensors[name] = try NumPyFile.decode(archive.contents(of: member))
      } catch var error as InputError {
        error.tensor = name
        throw error
      }
    }
    return tensors
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
    var names: Set<String> = []
    for (name, tensor) in tensors {
      guard !name.isEmpty, names.insert(name).inserted else {
        throw InputError(
          name.isEmpty ? "a tensor has no name" : "two tensors are named '\(name)'",
          remedy: "give each tensor a name of its own")
      }
      try ZipArchive.check(name: name + suffix)
      try writer.add(name: name + suffix, contents: NumPyFile.encode(tensor))
    }
    return writer.finish()
  }
}
