import Foundation

/// Streams over a device, each used by one batch at a time and made when it is first needed.
///
/// `@unchecked Sendable`: what changes is touched under the lock only; a stream belongs to who took it.
final class StreamPool<Stream>: @unchecked Sendable {
  /// How many there may be.
  let most: Int
  private let make: () throws -> Stream
  private let lock = NSCondition()
  private var idle: [Stream] = []
  private var made = 0

  init(most: Int, make: @escaping () throws -> Stream) {
    self.most = most
    self.make = make
  }

  /// Calls `body` with a stream that nobody else uses; waits for one where all are taken.
  func use<Result>(_ body: (Stream) throws -> Result) throws -> Result {
    let stream = try take()
    defer {
      lock.withLock {
        idle.append(stream)
        lock.signal()
      }
    }
    return try body(stream)
  }

  private func take() throws -> Stream {
    lock.lock()
    defer { lock.unlock() }
    while idle.isEmpty, made >= most { lock.wait() }
    if let free = idle.popLast() { return free }
    let stream = try make()
    made += 1
    return stream
  }
}
