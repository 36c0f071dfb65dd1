import Foundation

/// A program run to its end, or to the end of one's patience.
struct ChildProcess {
  /// How it ended.
  enum Ending: Equatable {
    case exited(Int32)
    case killed(signal: Int32)
    /// Killed by us, since the time was over.
    case timedOut
  }

  let ending: Ending
  let output: Data
  /// The end of what it wrote on stderr, on one line.
  let lastWords: String

  /// Runs a program. Throws where it cannot be started.
  init(_ program: URL, _ arguments: [String], seconds: Double) throws {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    // A crash is expected here; the lines of Swift's own report would cover those of the driver.
    process.environment = ProcessInfo.processInfo.environment
      .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    let output = Collected()
    let errors = Collected()
    process.standardOutput = output.pipe
    process.standardError = errors.pipe
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try process.run()
    output.collect()
    errors.collect()
    var isLate = false
    if ended.wait(timeout: .now() + seconds) == .timedOut {
      isLate = true
      kill(process.processIdentifier, SIGKILL)
      ended.wait()
    }
    if isLate {
      ending = .timedOut
    } else if process.terminationReason == .uncaughtSignal {
      ending = .killed(signal: process.terminationStatus)
    } else {
      ending = .exited(process.terminationStatus)
    }
    self.output = output.data
    let lines = String(decoding: errors.data.suffix(2000), as: UTF8.self)
      .split(whereSeparator: \.isNewline).suffix(3)
    lastWords = String(lines.joined(separator: " / ").suffix(400))
  }

  /// What a child writes, read as it comes so that no pipe fills.
  ///
  /// `@unchecked Sendable`: the bytes are touched under the lock only.
  private final class Collected: @unchecked Sendable {
    let pipe = Pipe()
    private let lock = NSLock()
    private var bytes = Data()
    private let done = DispatchSemaphore(value: 0)

    func collect() {
      let handle = pipe.fileHandleForReading
      Thread.detachNewThread { [self] in
        while let part = try? handle.read(upToCount: 4096), !part.isEmpty {
          lock.withLock { bytes += part }
        }
        done.signal()
      }
    }

    /// All of it; where a grandchild keeps the pipe open, what came within a second.
    var data: Data {
      _ = done.wait(timeout: .now() + 1)
      return lock.withLock { bytes }
    }
  }
}
