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
    let output = CollectedOutput()
    let errors = CollectedOutput(keeping: 2000)
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
    lastWords = errors.lastWords
  }
}

/// A signal as the system calls it, such as `signal 11 (Segmentation fault)`.
package func signalName(_ signal: Int32) -> String {
  "signal \(signal) (\(strsignal(signal).map { String(cString: $0) } ?? "unknown"))"
}
