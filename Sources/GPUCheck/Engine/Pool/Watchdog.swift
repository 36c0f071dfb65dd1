import Foundation
import Kernels

/// A device that did not answer.
package struct DeviceHang: Error, Sendable, CustomStringConvertible {
  package var device: String
  /// What it was asked.
  package var call: String
  /// How long it was waited for.
  package var seconds: Double

  package var description: String {
    "\(device) did not answer for \(TextFormat.seconds(seconds)) while \(call)"
  }
}

/// Runs each of one device's calls on a thread that no other call is on, and leaves the device where a
/// call takes longer than a limit. The thread is then lost: nothing can end a call into a driver.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
package final class Watchdog: @unchecked Sendable {
  private let device: String
  private let limit: Double
  private let lock = NSLock()
  /// Of threads without a call; there are as many as calls ever went at the same time.
  private var idle: [Mailbox] = []
  private var isLeft = false

  /// Held by each call where they must not go side by side.
  private let turn: NSLock?

  /// - Parameters:
  ///   - limit: seconds that one call may take.
  ///   - oneAtATime: whether a call waits until no other is on its way.
  package init(device: String, limit: Double, oneAtATime: Bool = false) {
    self.device = device
    self.limit = limit
    turn = oneAtATime ? NSLock() : nil
  }

  // The threads hold the mailboxes, not the watchdog.
  deinit { idle.forEach { $0.close() } }

  /// Whether a call never came back.
  package var hasLeftDevice: Bool { lock.withLock { isLeft } }

  /// Runs a call on a thread of the device. Throws what it throws, or `DeviceHang`.
  package func run<Result: Sendable>(
    _ call: String, _ body: @escaping @Sendable () throws -> Result
  ) throws -> Result {
    turn?.lock()
    defer { turn?.unlock() }
    let hang = DeviceHang(device: device, call: call, seconds: limit)
    let answer = Answer()
    // Written before the answer is given, and read after. No type of its own holds it: Swift makes what it
    // knows of a generic one when it first meets it, which takes a small check longer than the call.
    nonisolated(unsafe) var result: Swift.Result<Result, any Error>?
    let mailbox = try lock.withLock {
      guard !isLeft else { throw hang }
      return idle.popLast() ?? Mailbox()
    }
    mailbox.post {
      result = Swift.Result { try body() }
      answer.give()
    }
    guard answer.wait(limit), let result else {
      lock.withLock { isLeft = true }
      throw hang
    }
    lock.withLock { idle.append(mailbox) }
    return try result.get()
  }
}

/// Where a thread of the device finds its next job.
private final class Mailbox: @unchecked Sendable {
  private let lock = NSCondition()
  private var job: (@Sendable () -> Void)?
  private var isClosed = false
  private var isStarted = false

  func post(_ job: @escaping @Sendable () -> Void) {
    lock.withLock {
      self.job = job
      if !isStarted { start() }
      isStarted = true
      lock.broadcast()
    }
  }

  func close() {
    lock.withLock {
      isClosed = true
      lock.broadcast()
    }
  }

  private func start() {
    let thread = Thread { self.work() }
    thread.name = "gpucheck.device"
    // Drivers compile on it.
    thread.stackSize = 16 << 20
    thread.start()
  }

  private func work() {
    while let job = next() { job() }
  }

  private func next() -> (@Sendable () -> Void)? {
    lock.lock()
    defer { lock.unlock() }
    while job == nil, !isClosed { lock.wait() }
    defer { job = nil }
    return job
  }
}

/// Whether a call came back.
private final class Answer: @unchecked Sendable {
  private let lock = NSCondition()
  private var isGiven = false

  func give() {
    lock.withLock {
      isGiven = true
      lock.broadcast()
    }
  }

  /// false where it does not come within so many seconds. They are counted second by second: a process
  /// that was suspended, or a machine that slept, is not a device that hangs.
  func wait(_ seconds: Double) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    var left = seconds
    while !isGiven, left > 0 {
      let slice = min(left, 1)
      if !lock.wait(until: Date(timeIntervalSinceNow: slice)) { left -= slice }
    }
    return isGiven
  }
}

/// A backend whose every call is watched: one that hangs throws `DeviceHang`.
package struct WatchedBackend: Backend {
  private let backend: any Backend
  private let watchdog: Watchdog

  package init(_ backend: any Backend, _ watchdog: Watchdog) {
    self.backend = backend
    self.watchdog = watchdog
  }

  package var name: String { backend.name }
  package var supportsDouble: Bool { backend.supportsDouble }
  package var takesMoments: Bool { backend.takesMoments }
  // One that hangs holds its locks: it is not asked.
  package var notes: [String] { watchdog.hasLeftDevice ? [] : backend.notes }
  package var tested: TestedDevice? { backend.tested }
  package var profile: LaneProfile? { backend.profile }

  package func build(
    _ graph: Graph, mode: LaneMode, precision: Precision, components: Int
  ) throws {
    try watchdog.run("building its kernels") {
      try backend.build(graph, mode: mode, precision: precision, components: components)
    }
  }

  package func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    let evaluator = try watchdog.run("being given the network") {
      try backend.prepare(baseline, mode: mode, precision: precision, tieRoundoff: tieRoundoff)
    }
    return WatchedEvaluator(evaluator: evaluator, watchdog: watchdog)
  }

  package func prepare(
    _ source: CostSource, at parameters: ParameterVector, precision: Precision
  ) throws -> any LaneEvaluator {
    let evaluator = try watchdog.run("compiling \(source.file)") {
      try backend.prepare(source, at: parameters, precision: precision)
    }
    return WatchedEvaluator(evaluator: evaluator, watchdog: watchdog)
  }
}

private struct WatchedEvaluator: LaneEvaluator {
  let evaluator: any LaneEvaluator
  let watchdog: Watchdog

  var mode: LaneMode { evaluator.mode }
  var precision: Precision { evaluator.precision }
  var laneUnit: Int { evaluator.laneUnit }
  var notes: [String] { watchdog.hasLeftDevice ? [] : evaluator.notes }

  func wantedLanes(segment: Int) -> Int { evaluator.wantedLanes(segment: segment) }
  func isPaced(segment: Int) -> Bool { evaluator.isPaced(segment: segment) }
  func batchesAtOnce(_ batch: LaneBatch) -> Int { evaluator.batchesAtOnce(batch) }
  func lanesTogether(segment: Int) -> Int { evaluator.lanesTogether(segment: segment) }

  func evaluate(_ batch: LaneBatch) throws -> LaneResults { try evaluate([batch])[0] }

  func evaluate(_ batches: [LaneBatch]) throws -> [LaneResults] {
    let lanes = batches.reduce(0) { $0 + $1.count }
    return try watchdog.run("evaluating \(TextFormat.count(lanes, "lane"))") {
      try evaluator.evaluate(batches)
    }
  }

  func evaluateTerms(_ batch: LaneBatch) throws -> TermResults {
    try watchdog.run("evaluating \(TextFormat.count(batch.count, "lane"))") {
      try evaluator.evaluateTerms(batch)
    }
  }
}
