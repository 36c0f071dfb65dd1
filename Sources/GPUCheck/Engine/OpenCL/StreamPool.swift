import Foundation

/// Streams over a device, each used by one batch at a time and made when it is first needed.
///
/// `@unchecked Sendable`: what changes is touched under the lock only; a stream belongs to who took it.
final class StreamPool<Stream>: @unchecked Sendable {
  /// How many there may be.
  let most: Int
  private let make: (_ number: Int) throws -> Stream
  private let lock = NSCondition()
  private var idle: [Stream] = []
  private var made = 0

  /// - Parameter make: makes the stream of a number below `most`.
  init(most: Int, make: @escaping (_ number: Int) throws -> Stream) {
    self.most = most
    self.make = make
  }

  /// Calls `body` with a stream that nobody else uses, and whether no other was in use when it was taken;
  /// waits for one where all are taken.
  func use<Result>(_ body: (Stream, _ isAlone: Bool) throws -> Result) throws -> Result {
    let (stream, isAlone) = try take()
    defer {
      lock.withLock {
        idle.append(stream)
        lock.signal()
      }
    }
    return try body(stream, isAlone)
  }

  private func take() throws -> (Stream, isAlone: Bool) {
    lock.lock()
    defer { lock.unlock() }
    while idle.isEmpty, made >= most { lock.wait() }
    let isAlone = idle.count == made
    if let free = idle.popLast() { return (free, isAlone) }
    let stream = try make(made)
    made += 1
    return (stream, isAlone)
  }
}
