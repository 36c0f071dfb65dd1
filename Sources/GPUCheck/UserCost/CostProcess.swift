import Foundation
import Kernels

/// A process that runs the user's library, seen from gpucheck. A library that crashes, hangs or ends
/// its process takes this one and no more.
final class CostProcess {
  /// How a process ended that should not have.
  struct Ending: Error {
    var reason: String
    var isHang = false
  }

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let errors = CollectedOutput(keeping: 2000)
  private let ended = DispatchSemaphore(value: 0)
  private let seconds: Double

  /// Held while a process is started, so that none inherits the ends of another's pipes.
  private static let starting = NSLock()
  /// How long a process may take to end once it has nothing more to do.
  private static let patience = 2.0

  /// Starts a process, hands it θ and has it set the library up.
  ///
  /// Throws an `InputError` where the library cannot be used.
  init(_ library: LibraryCost, theta: [Double]) throws {
    seconds = library.seconds
    process.executableURL = library.program
    process.arguments = ["cost-worker", library.path] + (library.batch.map { [$0] } ?? [])
    process.environment = ProcessInfo.processInfo.environment
      .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errors.pipe
    process.terminationHandler = { [ended] _ in ended.signal() }
    do {
      try Self.starting.withLock { try process.run() }
    } catch {
      throw InputError(
        "\(library.program.path) cannot be started to run the library",
        remedy: "check its permissions and the memory left")
    }
    errors.collect()
    do {
      try begin(theta)
    } catch let error as Ending {
      throw InputError(error.reason, file: library.path, remedy: "run it under a debugger")
    } catch let error as InputError {
      throw error.inFile(library.path)
    }
  }

  /// Closing the pipe ends the process, after its tear-down.
  deinit {
    try? input.fileHandleForWriting.close()
    if ended.wait(timeout: .now() + Self.patience) == .timedOut {
      kill(process.processIdentifier, SIGKILL)
    }
  }

  /// Sends evaluations on their way; few enough for a pipe to hold.
  func ask(_ requests: some Sequence<CostWire.Request>) {
    let numbers = requests.flatMap { [$0.index, $0.move] }
    // Where nobody reads, the answers tell.
    _ = numbers.withUnsafeBytes {
      CostWire.write($0, to: input.fileHandleForWriting.fileDescriptor)
    }
  }

  /// The next answer: J, or nil and the component of θ that the library changed. Throws `Ending` where
  /// none comes.
  func cost() throws -> (value: Double?, changed: Int) {
    let (kind, number) = try answer("in an evaluation")
    switch kind {
    case .cost: return (Double(bitPattern: number), 0)
    case .wroteTheta: return (nil, Int(clamping: number))
    default: throw Ending(reason: "its process wrote what it should not")
    }
  }

  // MARK: Parts

  private func begin(_ theta: [Double]) throws {
    let descriptor = input.fileHandleForWriting.fileDescriptor
    if CostWire.write(UInt64(theta.count), 0, to: descriptor) {
      _ = theta.withUnsafeBytes { CostWire.write($0, to: descriptor) }
    }
    let (kind, number) = try answer("while it was opened")
    if kind == .refused {
      var text = [UInt8](repeating: 0, count: Int(min(number, 4096)))
      _ = text.withUnsafeMutableBytes {
        CostWire.read(into: $0, from: output.fileHandleForReading.fileDescriptor)
      }
      throw InputError(
        "the library cannot be used: \(String(decoding: text, as: UTF8.self))",
        remedy: "docs/user-cost.md says how to make one")
    }
    _ = try answer("in gpucheck_setup")
  }

  private func answer(_ when: String) throws -> (CostWire.Answer, UInt64) {
    let descriptor = output.fileHandleForReading.fileDescriptor
    guard isReadable(descriptor) else {
      kill(process.processIdentifier, SIGKILL)
      _ = ended.wait(timeout: .now() + Self.patience)
      ended.signal()
      throw Ending(
        reason: "it did not answer for \(TextFormat.seconds(seconds)) \(when)", isHang: true)
    }
    guard let record = CostWire.record(from: descriptor) else { throw Ending(reason: ending(when)) }
    guard let kind = CostWire.Answer(rawValue: record.first) else {
      throw Ending(reason: "its process wrote what it should not \(when)")
    }
    return (kind, record.second)
  }

  /// Waits for something to read, or for the end of the pipe. The seconds are counted one by one: a
  /// machine that slept is not a library that hangs.
  private func isReadable(_ descriptor: Int32) -> Bool {
    var left = seconds
    while left > 0 {
      let slice = min(left, 1)
      var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let count = poll(&question, 1, Int32((1000 * slice).rounded(.up)))
      if count > 0 { return true }
      if count == 0 { left -= slice }
    }
    return false
  }

  /// How the process ended, in words.
  private func ending(_ when: String) -> String {
    if ended.wait(timeout: .now() + Self.patience) == .timedOut {
      kill(process.processIdentifier, SIGKILL)
      ended.wait()
    }
    ended.signal()
    let words = errors.lastWords
    let how =
      process.terminationReason == .uncaughtSignal
      ? "was killed by \(signalName(process.terminationStatus))"
      : "called exit(\(process.terminationStatus))"
    return "it \(how) \(when)" + (words.isEmpty ? "" : " (its last words: \(words))")
  }
}
