import Foundation
import Synchronization

/// The first touch of a driver, in a process that can be spared: some abort or hang where they
/// should report an error.
///
/// `gpucheck` names itself as the program to run; it answers `self-test`, a command that is not
/// shown. Without such a program, as in the library, this process takes the risk.
package enum DriverProbe {
  /// The program that answers `self-test`. Set once, before other threads run.
  package nonisolated(unsafe) static var program: URL?

  /// The environment variable for how long a driver may take over the self-test, in seconds.
  package static let secondsVariable = "GPUCHECK_SELF_TEST_SECONDS"

  /// As long as a driver may take; 45 unless the environment says otherwise. PoCL takes one to three
  /// seconds when its own cache is empty, Oclgrind the same.
  static let seconds: Double =
    ProcessInfo.processInfo.environment[secondsVariable].flatMap(Double.init)
    .flatMap { $0 > 0 && $0 <= 86400 ? $0 : nil } ?? 45

  // MARK: Asking

  /// Why OpenCL must be left alone: what became of a process that listed the devices. nil where it
  /// did, now or (by the cache) at an earlier time with the same drivers.
  static let listingProblem: String? = {
    guard let program else { return nil }
    let key = InstalledPlatforms.fingerprint()
    let cache = DiskCache.standard
    if cache?.value(Answer.self, of: "platforms", key: key) != nil { return nil }
    switch ask(program, []) {
    case nil: return nil
    case .success(let answer):
      if !answer.devices.isEmpty { cache?.keep(answer, of: "platforms", key: key) }
      return nil
    case .failure(let failure):
      return failure.line("no OpenCL: a driver", "when asked for its devices")
        + "; OCL_ICD_VENDORS can name the folder of those to use"
    }
  }()

  /// The results of a device's self-test in other processes; nil where there cannot be any.
  static func selfTest(
    _ device: Device, _ text: KernelText, _ precisions: [Precision]
  ) -> [SelfTestResult]? {
    guard let program else { return nil }
    // A CPU's driver compiles on one core: a process for each precision. A device of its own may serve
    // one process at a time.
    let parts = device.description.kind == .cpu ? precisions.map { [$0] } : [precisions]
    let found = Mutex([[SelfTestResult]?](repeating: nil, count: parts.count))
    DispatchQueue.concurrentPerform(iterations: parts.count) { part in
      let results = selfTest(device, text, parts[part], program)
      found.withLock { $0[part] = results }
    }
    let results = found.withLock { $0.compactMap(\.self) }
    return results.count == parts.count ? results.flatMap(\.self) : nil
  }

  /// Those of some precisions in one process.
  private static func selfTest(
    _ device: Device, _ text: KernelText, _ precisions: [Precision], _ program: URL
  ) -> [SelfTestResult]? {
    let arguments =
      [device.description.selector] + precisions.flatMap { ["--precision", $0.rawValue] }
      + (text.folder.map { ["--kernels", $0] } ?? [])
    switch ask(program, arguments) {
    case nil: return nil
    case .success(let answer):
      // A driver may list its devices in another order each time.
      let isOfDevice =
        answer.devices == [device.description.summary]
        && answer.results.map(\.precision) == precisions
      return isOfDevice ? answer.results : nil
    case .failure(let failure):
      let line = failure.line("the driver of \(device.description.name)", "in its self-test")
      return [SelfTestResult(device.description, refusal: line)]
    }
  }

  /// What became of a process.
  private struct Failure: Error {
    var reason: String
    var lastWords: String

    func line(_ who: String, _ when: String) -> String {
      let words = lastWords.isEmpty ? "" : " (its last words: \(lastWords))"
      return "\(who) \(reason) \(when)" + words
    }
  }

  /// The answer, or how the process ended without one; nil where it could not be started.
  private static func ask(_ program: URL, _ arguments: [String]) -> Result<Answer, Failure>? {
    let arguments = ["self-test"] + arguments
    guard let child = try? ChildProcess(program, arguments, seconds: seconds) else { return nil }
    if child.ending == .exited(0), let answer = try? Answer(child.output) {
      return .success(answer)
    }
    let reason =
      switch child.ending {
      case .exited(let status): "ended the process with status \(status)"
      case .killed(let signal): "ended the process with \(signalName(signal))"
      case .timedOut: "did not come to an end within \(seconds.formatted()) s"
      }
    return .failure(Failure(reason: reason, lastWords: child.lastWords))
  }

  // MARK: Answering

  /// What the other process writes on stdout.
  private struct Answer: Codable {
    /// The devices that were listed or tested, as their summaries.
    var devices: [String]
    var results: [SelfTestResult] = []

    init(devices: [String], results: [SelfTestResult] = []) {
      self.devices = devices
      self.results = results
    }

    init(_ data: Data) throws {
      let decoder = JSONDecoder()
      decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      self = try decoder.decode(Self.self, from: data)
    }

    func encoded() throws -> Data {
      let encoder = JSONEncoder()
      encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      return try encoder.encode(self)
    }
  }

  /// The other side: lists the devices, or runs the self-test of the one a selector such as `0:0`
  /// stands for, in this process. What is returned goes to stdout and nothing else.
  ///
  /// - Parameter precisions: what is tested; nil for all that the device has.
  package static func answer(
    _ selector: String?, _ text: KernelText, precisions: [Precision]?
  ) throws -> Data {
    program = nil
    // If the process that asked is no longer there to end this one.
    alarm(UInt32(seconds.rounded(.up)) + 5)
    let devices = Devices.all().devices
    guard let selector else {
      return try Answer(devices: devices.map(\.description.summary)).encoded()
    }
    let chosen = devices.filter { $0.description.selector == selector }
    return try Answer(
      devices: chosen.map(\.description.summary),
      results: chosen.flatMap { SelfTest.run($0, text, precisions: precisions) }
    ).encoded()
  }
}
