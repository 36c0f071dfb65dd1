import Foundation

/// The lanes of some batches that are still to be evaluated, and the results of those that were.
/// Workers take parts, bring back results, or give a part back that they failed at.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
final class LaneBoard: @unchecked Sendable {
  /// Some lanes of one batch.
  struct Part: Sendable {
    /// The batch's place in the list.
    var batch: Int
    var range: Range<Int>
    var lanes: LaneBatch
  }

  private let batches: [LaneBatch]
  private let lock = NSCondition()
  /// What nobody works on, the next at the end.
  private var open: [(batch: Int, range: Range<Int>)]
  private var inFlight = 0
  private var isStopped = false
  /// Of each batch, once there are some.
  private var results: [LaneResults?]
  /// Lanes done since they were last asked for.
  private var news = 0

  init(_ batches: [LaneBatch]) {
    self.batches = batches
    open = batches.indices.reversed().map { ($0, 0..<batches[$0].count) }
      .filter { !$0.range.isEmpty }
    results = batches.map { _ in nil }
  }

  /// Lanes that nobody works on.
  var waiting: Int { lock.withLock { open.reduce(0) { $0 + $1.range.count } } }

  /// Whether all lanes are done.
  var isDone: Bool { lock.withLock { open.isEmpty && inFlight == 0 } }

  /// Enters results that were known before, and takes their lanes off the board.
  func enter(_ known: LaneResults, batch: Int, range: Range<Int>) {
    lock.withLock {
      store(known, batch, range)
      open = open.flatMap { entry -> [(batch: Int, range: Range<Int>)] in
        guard entry.batch == batch, entry.range.overlaps(range) else { return [entry] }
        // The later lanes first, since the next to be taken stands at the end.
        return [
          (batch, max(entry.range.lowerBound, range.upperBound)..<entry.range.upperBound),
          (batch, entry.range.lowerBound..<min(entry.range.upperBound, range.lowerBound)),
        ].filter { !$0.1.isEmpty }
      }
    }
  }

  /// The next lanes: of one batch, at most as many as `limit` says for its segment, and those of further
  /// batches, whole, while they are no more than `together` says for each; none where nothing is left to
  /// do.
  ///
  /// - Parameter waits: for a part that may still be given back where none is open: not who holds one.
  func take(
    waits: Bool, atMost limit: (_ segment: Int) -> Int, together: (_ segment: Int) -> Int
  ) -> [Part] {
    lock.lock()
    defer { lock.unlock() }
    while waits, open.isEmpty, inFlight > 0, !isStopped { lock.wait() }
    guard !isStopped, let next = takeNext(limit) else { return [] }
    var parts = [next]
    var lanes = next.range.count
    while let more = open.last {
      let most = min(together(next.lanes.segment), together(batches[more.batch].segment))
      lanes += more.range.count
      guard lanes <= most, let part = takeNext({ _ in .max }) else { break }
      parts.append(part)
    }
    return parts
  }

  /// Whether lanes are waiting for somebody.
  var hasMore: Bool { lock.withLock { !open.isEmpty } }

  private func takeNext(_ limit: (_ segment: Int) -> Int) -> Part? {
    guard let next = open.popLast() else { return nil }
    let batch = batches[next.batch]
    let end = next.range.lowerBound + max(1, min(next.range.count, limit(batch.segment)))
    if end < next.range.upperBound { open.append((next.batch, end..<next.range.upperBound)) }
    inFlight += 1
    let range = next.range.lowerBound..<end
    return Part(batch: next.batch, range: range, lanes: batch[range])
  }

  /// Brings the results of a part.
  func finish(_ part: Part, _ found: LaneResults) {
    lock.withLock {
      store(found, part.batch, part.range)
      inFlight -= 1
      news += part.range.count
      lock.broadcast()
    }
  }

  /// Gives a part back for others to do.
  func giveBack(_ part: Part) {
    lock.withLock {
      open.append((part.batch, part.range))
      inFlight -= 1
      lock.broadcast()
    }
  }

  /// Nobody is given anything from here on.
  func stop() {
    lock.withLock {
      isStopped = true
      lock.broadcast()
    }
  }

  /// Wakes whoever waits: a worker has left.
  func wake() { lock.withLock { lock.broadcast() } }

  /// Waits until lanes have been done since the last call, and tells how many; 0 where `isOver`.
  func waitForNews(unless isOver: () -> Bool) -> Int {
    lock.lock()
    defer { lock.unlock() }
    while news == 0, !isOver() { lock.wait() }
    defer { news = 0 }
    return news
  }

  /// The results of every batch; NaN for lanes that were not done.
  var allResults: [LaneResults] {
    lock.withLock { batches.indices.map { results[$0] ?? Self.unknown(batches[$0].count) } }
  }

  private static func unknown(_ count: Int) -> LaneResults {
    LaneResults(
      values: [Double](repeating: .nan, count: count),
      flags: [LaneFlags](repeating: [], count: count))
  }

  private func store(_ found: LaneResults, _ batch: Int, _ range: Range<Int>) {
    if range.count == batches[batch].count, found.values.count == range.count,
      found.flags.count == range.count
    {
      results[batch] = found
      return
    }
    // Taken out, so that nothing is copied to be written on.
    var all = results[batch] ?? Self.unknown(batches[batch].count)
    results[batch] = nil
    all.values.replaceSubrange(range, with: found.values)
    all.flags.replaceSubrange(range, with: found.flags)
    results[batch] = all
  }
}
