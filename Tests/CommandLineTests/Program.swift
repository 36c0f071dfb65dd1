import Foundation
import Testing

/// The built program, run as a user would.
struct Program {
  /// What a run ended with.
  struct Ending {
    var status: Int32
    var output: String
    var errors: String
    /// Whether a signal ended it.
    var wasKilled = false
    /// From the interruption to the end, where there was one.
    var secondsAfterInterruption: Double?

    var errorLines: [Substring] { errors.split(separator: "\n", omittingEmptySubsequences: true) }

    /// stdout as the one JSON object it must be.
    func object() throws -> [String: Any] {
      let parsed = try JSONSerialization.jsonObject(with: Data(output.utf8))
      return try #require(parsed as? [String: Any])
    }
  }

  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static let executable = Result { try built("gpucheck") }

  /// What the build put beside the bundle of the tests, or in a folder above it.
  static func built(_ name: String) throws -> URL {
    let starts = [Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0])]
    for start in starts {
      var folder = start
      for _ in 0..<5 {
        let candidate = folder.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isFolder),
          !isFolder.boolValue
        {
          return candidate
        }
        folder.deleteLastPathComponent()
      }
    }
    throw NotBuilt(name: name)
  }

  private struct NotBuilt: Error {
    var name: String
  }

  /// What the runs of these tests learn of devices, apart from what the user's own have. It goes
  /// with the process.
  static let cache: String = {
    atexit { try? FileManager.default.removeItem(atPath: Program.cachePath) }
    return cachePath
  }()

  private static var cachePath: String {
    let name = "gpucheck-cache-\(ProcessInfo.processInfo.processIdentifier)"
    return FileManager.default.temporaryDirectory.appendingPathComponent(name).path
  }

  /// Runs the program to its end; `interruptAfter` sends it a SIGINT after so many seconds,
  /// `killAfter` a SIGKILL.
  /// A `launcher` is run with the program and its arguments as its own.
  ///
  /// The environment is the tests' own without gpucheck's variables, with a cache of the tests' own
  /// and with those given.
  static func run(
    _ arguments: [String], launcher: URL? = nil, environment: [String: String] = [:],
    interruptAfter: Double? = nil, killAfter: Double? = nil
  ) throws -> Ending {
    let process = Process()
    let program = try executable.get()
    process.executableURL = launcher ?? program
    process.arguments = (launcher == nil ? [] : [program.path]) + arguments
    process.currentDirectoryURL = repository
    process.environment = ProcessInfo.processInfo.environment
      .filter { !$0.key.hasPrefix("GPUCHECK_") }
      .merging(["GPUCHECK_CACHE_DIR": cache]) { $1 }
      .merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    // Files take any amount without anybody reading at the same time, as pipes would need.
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let (output, errors) = (folder["stdout"], folder["stderr"])
    process.standardOutput = try emptyFile(output)
    process.standardError = try emptyFile(errors)
    try process.run()
    var interrupted: ContinuousClock.Instant?
    if let interruptAfter {
      Thread.sleep(forTimeInterval: interruptAfter)
      interrupted = .now
      process.interrupt()
    }
    if let killAfter {
      Thread.sleep(forTimeInterval: killAfter)
      kill(process.processIdentifier, SIGKILL)
    }
    let deadline = Date(timeIntervalSinceNow: 120)
    while process.isRunning {
      guard Date() < deadline else {
        process.terminate()
        process.waitUntilExit()
        throw Slow(arguments: arguments)
      }
      Thread.sleep(forTimeInterval: 0.005)
    }
    let seconds = interrupted.map { (ContinuousClock.now - $0) / .seconds(1) }
    return Ending(
      status: process.terminationStatus,
      output: try String(contentsOfFile: output, encoding: .utf8),
      errors: try String(contentsOfFile: errors, encoding: .utf8),
      wasKilled: process.terminationReason == .uncaughtSignal, secondsAfterInterruption: seconds)
  }

  /// A run that did not end.
  struct Slow: Error, CustomStringConvertible {
    var arguments: [String]
    var description: String { "gpucheck \(arguments.joined(separator: " ")): not done after 120 s" }
  }

  private static func emptyFile(_ path: String) throws -> FileHandle {
    try Data().write(to: URL(fileURLWithPath: path))
    return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
  }
}

/// A folder that goes when its last user does.
final class TemporaryFolder {
  private let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("gpucheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// The path of a file in it.
  subscript(name: String) -> String { url.appendingPathComponent(name).path }

  /// The names of what is in it.
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: url.path) }
}
