import Foundation
import Kernels

/// Evaluates lanes on one or several devices, which take batches as they are free. No lane's result
/// depends on the batch it travels in, so devices of one kind give the same whoever does what.
///
/// A device that fails, hangs or gives wrong results is left; its lanes go to the others and, where
/// none is left, to the spare. `notes` says what happened.
///
/// `@unchecked Sendable`: what changes after init is touched under the lock, or by one worker.
package final class LanePool: @unchecked Sendable {
  package let mode: LaneMode
  package let precision: Precision
  private let lock = NSLock()
  private var workers: [LaneWorker]
  private let spare: (@Sendable () throws -> LaneWorker)?
  private let journal: (any LaneJournal)?
  private var failures: [String] = []

  /// - Parameters:
  ///   - workers: at least one, all of one mode and precision.
  ///   - spare: who takes over where all workers have failed; nil where that ends the check.
  ///   - journal: remembers results from one run of the program to the next.
  package init(
    _ workers: [LaneWorker], mode: LaneMode, precision: Precision,
    spare: (@Sendable () throws -> LaneWorker)? = nil, journal: (any LaneJournal)? = nil
  ) {
    self.workers = workers
    self.mode = mode
    self.precision = precision
    self.spare = spare
    self.journal = journal
  }

  /// A pool of one evaluator that is trusted.
  package convenience init(
    _ evaluator: any LaneEvaluator, name: String = "", journal: (any LaneJournal)? = nil
  ) {
    self.init(
      [LaneWorker(evaluator, name: name)], mode: evaluator.mode, precision: evaluator.precision,
      journal: journal)
  }

  /// What happened that a report must say: devices that were left and why, batches that were halved.
  package var notes: [String] {
    lock.withLock { workers.flatMap(\.notes) + failures }
  }

  /// How many lanes each device did, in the order of the devices; the spare last.
  package var shares: [(name: String, lanes: Int, seconds: Double)] {
    lock.withLock { workers.map { ($0.name, $0.lanesDone, $0.seconds) } }
  }

  /// ΔJ or J of every lane of every batch. `advance` is told, on the calling thread, how many lanes
  /// were done each time some come back; what it throws ends the work.
  package func evaluate(
    _ batches: [LaneBatch], advance: (Int) throws -> Void = { _ in }
  ) throws -> [LaneResults] {
    let board = LaneBoard(batches)
    let recall = journal?.recall(batches)
    if let recall {
      for known in recall.known {
        board.enter(known.results, batch: known.batch, range: known.range)
      }
      let count = recall.known.reduce(0) { $0 + $1.range.count }
      if count > 0 { try advance(count) }
    }
    let record = { @Sendable (part: LaneBoard.Part, results: LaneResults) -> Void in
      recall?.record(part.batch, part.range, results)
    }
    while !board.isDone {
      let free = lock.withLock { workers.filter { $0.failure == nil } }
      if free.count > 1 {
        try share(board, among: free, record, advance)
      } else if let worker = free.first {
        try worker.work(board, sharers: 1) { part, results in
          record(part, results)
          try advance(part.range.count)
        }
      } else {
        try callSpare(for: board)
      }
    }
    return board.allResults
  }

  /// Each worker on a thread of its own; this thread reports.
  private func share(
    _ board: LaneBoard, among free: [LaneWorker],
    _ record: @escaping @Sendable (LaneBoard.Part, LaneResults) -> Void,
    _ advance: (Int) throws -> Void
  ) throws {
    let crew = Crew(count: free.count)
    for worker in free {
      let thread = Thread {
        worker.work(board, sharers: free.count, record)
        crew.leave()
        board.wake()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    do {
      while case let count = board.waitForNews(unless: { crew.isGone }), count > 0 {
        try advance(count)
      }
    } catch {
      board.stop()
      crew.waitUntilGone()
      throw error
    }
  }

  /// Lets the spare take over what is left; throws what the last device failed with where there is
  /// none.
  private func callSpare(for board: LaneBoard) throws {
    let failed = lock.withLock { workers }
    guard let spare, let last = failed.last?.failure else {
      throw failed.last?.failure ?? InputError("no device is left to evaluate lanes")
    }
    guard failed.allSatisfy({ !$0.isSpare }) else { throw last }
    let worker = try spare()
    worker.isSpare = true
    let rest = TextFormat.count(board.waiting, "lane")
    lock.withLock {
      workers.append(worker)
      failures.append("\(rest) and what came later were evaluated on \(worker.name)")
    }
  }
}

/// The threads of a shared piece of work.
private final class Crew: @unchecked Sendable {
  private let lock = NSCondition()
  private var count: Int

  init(count: Int) { self.count = count }

  var isGone: Bool { lock.withLock { count == 0 } }

  func leave() {
    lock.withLock {
      count -= 1
      lock.broadcast()
    }
  }

  func waitUntilGone() {
    lock.lock()
    while count > 0 { lock.wait() }
    lock.unlock()
  }
}

/// Remembers the results of lanes from one run of the program to the next.
package protocol LaneJournal: Sendable {
  /// Begins the next piece of work, the same in every run of the same check, and says what is known
  /// of it.
  func recall(_ batches: [LaneBatch]) -> LaneRecall
}

/// A piece of work as a journal knows it.
package struct LaneRecall: Sendable {
  /// Results of some lanes of some batches.
  package var known: [(batch: Int, range: Range<Int>, results: LaneResults)]
  /// Keeps the results of some lanes of a batch; may be called from several threads.
  package var record: @Sendable (_ batch: Int, _ range: Range<Int>, _ results: LaneResults) -> Void

  package init(
    known: [(batch: Int, range: Range<Int>, results: LaneResults)],
    record: @escaping @Sendable (Int, Range<Int>, LaneResults) -> Void
  ) {
    self.known = known
    self.record = record
  }
}
