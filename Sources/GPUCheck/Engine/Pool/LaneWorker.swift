import Foundation
import Kernels
import Synchronization

/// One device of a pool: how fast it is, what it has done, and why it was left.
///
/// `@unchecked Sendable`: what changes is touched under the lock only.
package final class LaneWorker: @unchecked Sendable {
  package let name: String
  private let evaluator: any LaneEvaluator
  private let audit: LaneAudit?
  private let lock = NSLock()
  private var state = State()

  private struct State {
    var pace = LanePace()
    var lanesDone = 0
    var seconds = 0.0
    var failure: (any Error)?
    var notes: [String] = []
    var isSpare = false
  }

  /// - Parameter audit: looks some lanes of every batch over on another path; nil for the path that
  ///   is trusted.
  package init(_ evaluator: any LaneEvaluator, name: String, audit: LaneAudit? = nil) {
    self.evaluator = evaluator
    self.name = name
    self.audit = audit
  }

  var lanesDone: Int { lock.withLock { state.lanesDone } }
  var seconds: Double { lock.withLock { state.seconds } }
  /// Why the device was left; nil while it works.
  var failure: (any Error)? { lock.withLock { state.failure } }
  var notes: [String] { evaluator.notes + lock.withLock { state.notes } }
  /// Whether it stepped in for others.
  var isSpare: Bool {
    get { lock.withLock { state.isSpare } }
    set { lock.withLock { state.isSpare = newValue } }
  }

  /// Takes parts, as many on their way at a time as the evaluator takes, until none is left or the device
  /// fails; then its parts go back to the board, and `failure` says why.
  func work(
    _ board: LaneBoard, sharers: Int,
    _ finished: (LaneBoard.Part, LaneResults) throws -> Void
  ) rethrows {
    let flight = LaneFlight()
    // Who leaves early leaves nothing on its way.
    defer { while let (parts, _) = flight.land() { parts.forEach(board.giveBack) } }
    var next: [LaneBoard.Part] = []
    while true {
      if failure == nil, next.isEmpty { next = take(from: board, flight, sharers) }
      if let first = next.first {
        let most = sharers > 1 ? 1 : evaluator.batchesAtOnce(first.lanes)
        if failure != nil {
          next.forEach(board.giveBack)
          next = []
        } else if flight.count < most {
          let lanes = next.map(\.lanes)
          // The last goes on this thread: nothing is to be started beside it.
          flight.start(next, beside: most > 1 && board.hasMore) { [self] in
            evaluate(lanes, share: 1 / Double(most))
          }
          next = []
          continue
        }
      }
      guard let (parts, outcome) = flight.land() else { return }
      switch outcome {
      case .success(let results):
        for (part, found) in zip(parts, results) { board.finish(part, found) }
        for (part, found) in zip(parts, results) { try finished(part, found) }
      case .failure(let error):
        lock.withLock {
          guard state.failure == nil else { return }
          state.failure = error
          state.notes.append("\(name) failed (\(errorLine(error))) and was left")
        }
        parts.forEach(board.giveBack)
      }
    }
  }

  private func take(from board: LaneBoard, _ flight: LaneFlight, _ sharers: Int)
    -> [LaneBoard.Part]
  {
    // The last lanes are shared too: nobody takes more than its part of what is left.
    let fair = sharers > 1 ? max(1, board.waiting / (2 * sharers)) : .max
    return board.take(waits: flight.count == 0) { segment in
      let most = evaluator.wantedLanes(segment: segment)
      let paced =
        evaluator.isPaced(segment: segment)
        ? most : lock.withLock { state.pace.lanes(segment: segment, atMost: most) }
      // Less than a unit takes as long as a whole one.
      return max(min(fair, paced), evaluator.laneUnit)
    } together: { segment in
      sharers > 1 ? 0 : evaluator.lanesTogether(segment: segment)
    }
  }

  /// - Parameter share: what of the device's time these batches' is.
  private func evaluate(_ batches: [LaneBatch], share: Double) -> Result<
    [LaneResults], any Error
  > {
    Result {
      var results = try timed(batches, share)
      for (number, lanes) in batches.enumerated() {
        guard let first = try audit?.complaint(about: results[number], of: lanes, after: seconds)
        else { continue }
        results[number] = try again(lanes, share, first)
      }
      return results
    }
  }

  /// Evaluates a batch that there was a complaint about again: once may be the machine's fault, which
  /// happens; twice is the device's.
  private func again(_ lanes: LaneBatch, _ share: Double, _ first: String) throws -> LaneResults {
    let results = try timed([lanes], share)[0]
    if let second = try audit?.complaint(about: results, of: lanes, after: 0) {
      throw InputError(
        "it computes wrongly: \(second)", remedy: "choose another device, or cpu")
    }
    lock.withLock {
      state.notes.append("\(name) gave a wrong result once, and the right one again (\(first))")
    }
    return results
  }

  private func timed(_ batches: [LaneBatch], _ share: Double) throws -> [LaneResults] {
    let start = ContinuousClock.now
    let results = try evaluator.evaluate(batches)
    let seconds = (ContinuousClock.now - start).seconds
    lock.withLock {
      if batches.count == 1 {
        state.pace.note(segment: batches[0].segment, lanes: batches[0].count, seconds: seconds)
      }
      state.lanesDone += batches.reduce(0) { $0 + $1.count }
      state.seconds += share * seconds
    }
    return results
  }
}

/// The parts that one worker has on their way: one on the thread that starts it, or some side by side.
private final class LaneFlight: Sendable {
  typealias Outcome = Result<[LaneResults], any Error>

  private let landed = Mutex<[(parts: [LaneBoard.Part], outcome: Outcome)]>([])
  private let news = DispatchSemaphore(value: 0)
  private let started = Mutex(0)

  /// How many times something was started that `land` has not taken yet.
  var count: Int { started.withLock(\.self) }

  /// - Parameter beside: whether others may be started before this one is there.
  func start(
    _ parts: [LaneBoard.Part], beside: Bool, _ evaluate: @escaping @Sendable () -> Outcome
  ) {
    started.withLock { $0 += 1 }
    let fly = { @Sendable [self] in
      let outcome = evaluate()
      landed.withLock { $0.append((parts, outcome)) }
      news.signal()
    }
    if beside { DispatchQueue.global().async(execute: fly) } else { fly() }
  }

  /// The next parts that are there, waited for; nil where none are on their way.
  func land() -> (parts: [LaneBoard.Part], outcome: Outcome)? {
    guard count > 0 else { return nil }
    news.wait()
    started.withLock { $0 -= 1 }
    return landed.withLock { $0.removeFirst() }
  }
}

/// How many lanes a device does in a tenth of a second, as measured: desktop drivers end kernels that
/// run for seconds, and whoever waits wants to be heard.
private struct LanePace {
  private static let seconds = 0.1
  /// Lanes of a segment's first batch, of which nothing is known yet.
  private static let first = 256
  private var rates: [Int: Double] = [:]

  func lanes(segment: Int, atMost limit: Int) -> Int {
    guard let rate = rates[segment] else { return min(limit, Self.first) }
    return max(1, Int(min(Double(limit), rate * Self.seconds)))
  }

  mutating func note(segment: Int, lanes: Int, seconds: Double) {
    rates[segment] = Double(lanes) / max(seconds, 1e-6)
  }
}

/// An error of a device in one line.
package func errorLine(_ error: any Error) -> String {
  switch error {
  case let error as OpenCLError: return error.line
  case let error as InputError: return error.problem
  default: return "\(error)".replacingOccurrences(of: "\n", with: " ")
  }
}
