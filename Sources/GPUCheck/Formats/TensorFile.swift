import Foundation

/// What a tensor file holds.
public enum TensorFileContents: Sendable, Equatable {
  /// The tensors of an `.npz` archive or a Safetensors file by name; perhaps none.
  case named([String: Tensor])
  /// The one tensor of an `.npy` file, which has no name.
  case flat(Tensor)
}

/// The formats of tensor files; the raw value is the suffix of a file's name.
public enum TensorFormat: String, Sendable, CaseIterable {
  /// NumPy's archive of named arrays.
  case npz
  /// One array of NumPy, without a name.
  case npy
  /// Safetensors: named tensors.
  case safetensors

  /// The format that the suffix of a path names; nil for other suffixes.
  public init?(path: String) {
    self.init(rawValue: URL(fileURLWithPath: path).pathExtension.lowercased())
  }

  /// The format of a file's content, told by its first bytes; nil for other content.
  init?(of data: Data) {
    if NPZFile.recognises(data) {
      self = .npz
    } else if data.starts(with: NumPyFile.magic) {
      self = .npy
    } else if SafetensorsFile.recognises(data) {
      self = .safetensors
    } else {
      return nil
    }
  }

  /// The suffixes for a message: `.npz, .npy or .safetensors`.
  static let suffixes: String = {
    let all = allCases.map { ".\($0.rawValue)" }
    return all.dropLast().joined(separator: ", ") + " or " + (all.last ?? "")
  }()
}

/// Files of tensors: NumPy's `.npz` and `.npy`, and Safetensors.
public enum TensorFile {
  /// The tensors of a file, whose format is chosen by its content and not by its suffix. Values come
  /// in row-major order; NaN and infinities pass.
  ///
  /// Reading takes at most 16 times the file's size of memory (a small file: 1 MiB), so that a
  /// compressed bomb does no harm. An archive that may rightly expand to more is read where the
  /// number of elements that it should hold is given.
  ///
  /// Throws an `InputError` naming the file, and the tensor where one is to blame.
  public static func read(_ path: String, expecting elements: Int = 0) throws -> TensorFileContents
  {
    let data = try InputFile.read(path)
    return try InputError.about(file: path) { try decode(data, expecting: elements) }
  }

  /// The tensors of a file's bytes.
  package static func decode(
    _ data: Data, expecting elements: Int = 0
  ) throws -> TensorFileContents {
    switch TensorFormat(of: data) {
    case .npz: return .named(try NPZFile.decode(data, memory: memory(data.count, elements)))
    case .npy: return .flat(try NumPyFile.decode(data))
    case .safetensors: return .named(try SafetensorsFile.decode(data))
    case nil:
      throw InputError(
        "\(knownKind(data) ?? "the format of the file is unknown"), expected an \(TensorFormat.suffixes) file",
        remedy: "write it with numpy.savez, numpy.save or safetensors")
    }
  }

  /// The bytes of memory that reading a file may take: 16 of every byte, or of every element that
  /// it should hold (a double, and its stored form).
  private static func memory(_ size: Int, _ elements: Int) -> Int {
    max(1 << 20, max(size, elements).multiplied(by: 16) ?? .max)
  }

  /// Writes tensors as doubles, in the format that the suffix of the path names; an `.npy` holds
  /// exactly one. The file is written whole or not at all.
  ///
  /// Throws an `InputError` naming the file for another suffix, for a name that cannot be written
  /// or stands twice, and where the file cannot be written.
  public static func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws {
    let data = try InputError.about(file: path) { try encode(tensors, for: path) }
    try OutputFile.write(data, to: path)
  }

  /// The bytes that `write` writes.
  package static func encode(
    _ tensors: [(name: String, tensor: Tensor)], for path: String
  ) throws -> Data {
    let format = TensorFormat(path: path)
    if format != .npy { try checkNames(tensors.map(\.name)) }
    switch format {
    case .npz: return try NPZFile.encode(tensors)
    case .safetensors: return try SafetensorsFile.encode(tensors)
    case .npy:
      guard let only = tensors.first, tensors.count == 1 else {
        throw InputError(
          "an .npy file holds exactly one tensor, there are \(tensors.count)",
          remedy: "write an .npz or .safetensors file")
      }
      return try NumPyFile.encode(only.tensor)
    case nil:
      let suffix = URL(fileURLWithPath: path).pathExtension
      throw InputError(
        suffix.isEmpty ? "the file name has no suffix" : "unknown suffix '.\(suffix)'",
        remedy: "end the name in \(TensorFormat.suffixes)")
    }
  }

  /// Throws where a tensor has no name, or two have the same.
  private static func checkNames(_ names: [String]) throws {
    var seen: Set<String> = []
    for name in names {
      guard !name.isEmpty, seen.insert(name).inserted else {
        throw InputError(
          name.isEmpty ? "a tensor has no name" : "two tensors are named '\(name)'",
          remedy: "give each tensor a name of its own")
      }
    }
  }

  /// What the bytes of a file that is not read look like; nil for all but a few kinds.
  static func knownKind(_ data: Data) -> String? {
    let starts: [([UInt8], String)] = [
      ([0x89] + Array("HDF".utf8), "this is an HDF5 file"),
      ([0x80, 0x02], "this is a Python pickle"), ([0x80, 0x03], "this is a Python pickle"),
      ([0x80, 0x04], "this is a Python pickle"), ([0x80, 0x05], "this is a Python pickle"),
      ([0x1F, 0x8B], "this is a gzip file"), (Array("{".utf8), "this looks like JSON"),
      (Array("MATLAB".utf8), "this is a MATLAB file"),
    ]
    return starts.first { data.starts(with: $0.0) }?.1
  }
}
