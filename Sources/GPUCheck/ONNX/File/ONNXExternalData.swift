import Foundation
import ONNXFormat

/// The files beside a model in which large constants lie. A file is mapped once, and its parts are
/// not copied (https://onnx.ai/onnx/repo-docs/ExternalData.html).
final class ONNXExternalData {
  /// The model's folder; nil where the model is not a file, and can have none beside it.
  private let folder: String?
  private var files: [String: Data] = [:]

  init(folder: String?) {
    self.folder = folder
  }

  /// The bytes of a tensor, of which there must be `count`.
  ///
  /// Throws an `InputError` for a file outside the model's folder, even by a link, and for a place
  /// that is not within the file.
  func bytes(_ entries: [StringStringEntryProto], count: Int) throws -> Data {
    var places: [String: String] = [:]
    for entry in entries {
      guard places.updateValue(entry.value, forKey: entry.key) == nil else {
        throw InputError(
          "its external data has two entries '\(shown(entry.key))'", remedy: Self.saveAgain)
      }
    }
    guard let location = places["location"], !location.isEmpty else {
      throw InputError("its external data names no file", remedy: Self.saveAgain)
    }
    let offset = try number("offset", places) ?? 0
    let length = try number("length", places) ?? count
    guard length == count else {
      throw InputError(
        "its external data is \(length) bytes long, expected \(count) for its shape and type",
        remedy: Self.saveAgain)
    }
    let path = try path(location)
    if count == 0 { return Data() }
    let file = try files[path] ?? InputFile.read(path, allowingPipe: false)
    files[path] = file
    guard let bytes = file.slice(at: offset, count: count) else {
      throw InputError(
        "its \(count) bytes at \(offset) are not all within '\(shown(location))', which has "
          + "\(file.count)", remedy: "copy the file of external data again")
    }
    return bytes
  }

  private func number(_ key: String, _ places: [String: String]) throws -> Int? {
    guard let text = places[key] else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw InputError(
        "the \(key) of its external data is '\(shown(text))', expected a number of bytes",
        remedy: Self.saveAgain)
    }
    return number
  }

  /// Where a file of external data is, every link followed.
  private func path(_ location: String) throws -> String {
    let file = "its external data is in '\(shown(location))'"
    guard let folder else {
      throw InputError(
        "\(file), and the model has no folder", remedy: "read the model from a file by its name")
    }
    let inside = "keep the data in the model's folder and name it relative to that"
    let components = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.hasPrefix("/"), !components.contains(".."), !location.utf8.contains(0) else {
      throw InputError("\(file), expected a path within the model's folder", remedy: inside)
    }
    guard let root = resolved(folder.isEmpty ? "." : folder),
      let path = resolved(root + "/" + location)
    else {
      throw InputError(
        "\(file), which is not there", remedy: "copy that file too, to the model's folder")
    }
    guard path.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
      throw InputError("\(file), a link that leads out of the model's folder", remedy: inside)
    }
    return path
  }

  private func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static let saveAgain = "save the model again"
}
