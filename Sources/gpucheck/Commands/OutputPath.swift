import Foundation
import GPUCheck

/// A file that an option asks to write, looked at before the work.
struct OutputPath {
  /// The option, such as `--output`.
  var option: String
  var path: String

  /// Throws an `InputError` where the file could not be written later.
  func check() throws {
    func refuse(_ problem: String, _ remedy: String) -> InputError {
      InputError(problem, file: "\(option) \(path)", remedy: remedy)
    }
    guard !path.isEmpty else {
      throw InputError("\(option): the file name is empty", remedy: "name the file to write")
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw refuse(
        isFolder ? "a folder stands there" : "what stands there is not a regular file",
        "choose another name")
    }
    let folder = resolved.deletingLastPathComponent()
    guard stat(folder.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw refuse("the folder to write to does not exist", "make the folder first")
    }
    // Permissions do not tell everything (read-only file systems, root); a file of no bytes does.
    let probe = folder.appendingPathComponent(".gpucheck-\(UUID().uuidString).tmp").path
    guard FileManager.default.createFile(atPath: probe, contents: nil) else {
      throw refuse("the folder cannot be written to", "check its permissions")
    }
    try? FileManager.default.removeItem(atPath: probe)
  }

  /// Throws an `InputError` where the file is one that the check reads.
  func differs(from inputs: [(option: String, path: String)]) throws {
    for input in inputs where Self.resolve(input.path) == resolved {
      throw InputError(
        "this is the file of \(input.option), and would be overwritten", file: "\(option) \(path)",
        remedy: "choose another name")
    }
  }

  private var resolved: URL { Self.resolve(path) }

  private static func resolve(_ path: String) -> URL {
    URL(fileURLWithPath: path).resolvingSymlinksInPath()
  }
}
