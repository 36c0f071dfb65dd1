import Foundation

/// Files handed to gpucheck by name.
package enum InputFile {
  /// The bytes of a file: mapped, not copied, where it is a regular one.
  ///
  /// Throws an `InputError` naming the file where there is none, where a folder or a device stands
  /// in its place, where it cannot be read, and where it is empty. A pipe, such as the shell's
  /// `<(command)`, is read to its end where one is allowed.
  package static func read(_ path: String, allowingPipe: Bool = true) throws -> Data {
    guard !path.isEmpty else {
      throw InputError("the file name is empty", remedy: "name the file to read")
    }
    let url = URL(fileURLWithPath: path)
    let data: Data
    do {
      switch FileKind(path) {
      case .missing:
        throw InputError("no such file", file: path, remedy: "check the name and the folder")
      case .folder:
        throw InputError(
          "this is a folder, not a file", file: path, remedy: "name a file within it")
      case .device:
        throw InputError("this is a device, not a file", file: path, remedy: "name a regular file")
      case .pipe:
        guard allowingPipe else {
          throw InputError("this is a pipe, not a file", file: path, remedy: "name a regular file")
        }
        let handle = try FileHandle(forReadingFrom: url)
        defer { try? handle.close() }
        data = try handle.readToEnd() ?? Data()
      case .file:
        data = try Data(contentsOf: url, options: .alwaysMapped)
      }
    } catch let error as InputError {
      throw error
    } catch {
      throw InputError(
        "the file cannot be read", file: path,
        remedy: "check that you have permission to read it")
    }
    guard !data.isEmpty else {
      throw InputError("the file is empty", file: path, remedy: "write it again")
    }
    return data
  }
}

/// Files that gpucheck writes.
package enum OutputFile {
  /// Writes a file whole or not at all: to a temporary file in the same folder, then by renaming.
  ///
  /// Throws an `InputError` naming the file where it cannot be written; an older file of that name
  /// is then untouched.
  package static func write(_ data: Data, to path: String) throws {
    guard !path.isEmpty else {
      throw InputError("the file name is empty", remedy: "name the file to write")
    }
    let kind = FileKind(path)
    guard kind == .missing || kind == .file else {
      throw InputError(
        "a \(kind) stands in the place of the file to write",
        file: path, remedy: "choose another name")
    }
    // A link is written through, not replaced.
    let target = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    let folder = target.deletingLastPathComponent()
    guard FileKind(folder.path) == .folder else {
      throw InputError(
        "the folder to write to does not exist", file: path, remedy: "make the folder first")
    }
    let temporary = folder.appendingPathComponent(".gpucheck-\(UUID().uuidString).tmp")
    do {
      try data.write(to: temporary, options: .withoutOverwriting)
      let handle = try FileHandle(forWritingTo: temporary)
      try handle.synchronize()
      try handle.close()
      guard rename(temporary.path, target.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw InputError(
        "the file cannot be written", file: path,
        remedy: "check the permissions of the folder and the space left on the disk")
    }
  }
}

/// What stands at a path, links followed.
private enum FileKind {
  case missing, file, folder, pipe, device

  init(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      self = .missing
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .folder
    case S_IFIFO: self = .pipe
    default: self = .device
    }
  }
}
