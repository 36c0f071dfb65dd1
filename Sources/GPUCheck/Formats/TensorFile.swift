import Foundation

/// What a tensor file holds.
public enum TensorFileContents: Sendable, Equatable {
  /// The tensors of an `.npz` archive by name; perhaps none.
  case named([String: Tensor])
  /// The one tensor of an `.npy` file, which has no name.
  case flat(Tensor)
}

/// Files of tensors: NumPy's `.npz` and `.npy`.
public enum TensorFile {
  /// Named tensors of an `.npz`, or the one unnamed tensor of an `.npy`, chosen by the content of
  /// the file and not by its suffix. Values come in row-major order; NaN and infinities pass.
  ///
  /// Throws an `InputError` naming the file, and the tensor where one is to blame.
  public static func read(_ path: String) throws -> TensorFileContents {
    let data = try InputFile.read(path)
    do {
      if NPZFile.recognises(data) { return .named(try NPZFile.decode(data)) }
      if data.starts(with: NumPyFile.magic) { return .flat(try NumPyFile.decode(data)) }
    } catch let error as InputError {
      throw error.inFile(path)
    }
    throw InputError(
      "\(guess(data)), expected an .npz or .npy file", file: path,
      remedy: "write it with numpy.savez or numpy.save")
  }

  /// Writes tensors as doubles: an `.npz`, or an `.npy` of exactly one tensor, as the suffix of the
  /// path says. The file is written whole or not at all.
  ///
  /// Throws an `InputError` naming the file for another suffix, for a name that cannot be written
  /// or stands twice, and where the file cannot be written.
  public static func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws {
    let suffix = URL(fileURLWithPath: path).pathExtension.lowercased()
    let data: Data
    do {
      switch suffix {
      case "npz": data = try NPZFile.encode(tensors)
      case "npy":
        guard let only = tensors.first, tensors.count == 1 else {
          throw InputError(
            "an .npy file holds exactly one tensor, there are \(tensors.count)",
            remedy: "write an .npz file")
        }
        data = try NumPyFile.encode(only.tensor)
      default:
        throw InputError(
          suffix.isEmpty ? "the file name has no suffix" : "unknown suffix '.\(suffix)'",
          remedy: "end the name in .npz or .npy")
      }
    } catch let error as InputError {
      throw error.inFile(path)
    }
    try OutputFile.write(data, to: path)
  }

  /// What the bytes of an unknown file look like.
  private static func guess(_ data: Data) -> String {
    let starts: [([UInt8], String)] = [
      ([0x89] + Array("HDF".utf8), "this is an HDF5 file"),
      ([0x80, 0x02], "this is a Python pickle"), ([0x80, 0x03], "this is a Python pickle"),
      ([0x80, 0x04], "this is a Python pickle"), ([0x80, 0x05], "this is a Python pickle"),
      ([0x1F, 0x8B], "this is a gzip file"), (Array("{".utf8), "this looks like JSON"),
      (Array("MATLAB".utf8), "this is a MATLAB file"),
    ]
    if let known = starts.first(where: { data.starts(with: $0.0) }) { return known.1 }
    return "the format of the file is unknown"
  }
}
