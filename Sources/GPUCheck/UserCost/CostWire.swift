import Foundation

/// What gpucheck and a process that runs a user's library say to each other, over two pipes.
///
/// gpucheck writes a record with the number of components, then θ, then one record for every
/// evaluation. The process answers with records: `loaded`, `ready`, then one for every evaluation, as
/// soon as it is done; so gpucheck knows in which evaluation a process ended. A record is two numbers
/// of 8 bytes each, as the machine has them.
enum CostWire {
  /// An evaluation: the component of θ, and the bits of what it moves to.
  typealias Request = (index: UInt64, move: UInt64)

  /// What an answer is, and what its second number holds.
  enum Answer: UInt64 {
    /// The library is open; nothing.
    case loaded = 1
    /// It is set up; nothing.
    case ready
    /// The bits of J.
    case cost
    /// The library changed θ; the first component of which it did.
    case wroteTheta
    /// The library cannot be used; the length of a text that follows.
    case refused
  }

  static let recordSize = 2 * MemoryLayout<UInt64>.size

  /// Writes all bytes; false where nobody reads any more.
  static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Foundation.write(
        descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Writes one record.
  static func write(_ first: UInt64, _ second: UInt64, to descriptor: Int32) -> Bool {
    [first, second].withUnsafeBytes { write($0, to: descriptor) }
  }

  /// Fills a buffer; false at the end of what there is to read.
  static func read(into bytes: UnsafeMutableRawBufferPointer, from descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = Foundation.read(
        descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Reads one record; nil at the end of what there is to read.
  static func record(from descriptor: Int32) -> (first: UInt64, second: UInt64)? {
    var record: [UInt64] = [0, 0]
    guard record.withUnsafeMutableBytes({ read(into: $0, from: descriptor) }) else { return nil }
    return (record[0], record[1])
  }
}
