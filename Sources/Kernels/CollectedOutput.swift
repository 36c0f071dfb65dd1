import Foundation

/// What a child process writes, read as it comes so that no pipe fills.
///
/// `@unchecked Sendable`: the bytes are touched under the lock only.
package final class CollectedOutput: @unchecked Sendable {
  /// What the child is to write into.
  package let pipe = Pipe()
  private let limit: Int
  private let lock = NSLock()
  private var bytes = Data()
  private let done = DispatchSemaphore(value: 0)

  /// - Parameter limit: bytes of the end that are kept.
  package init(keeping limit: Int = .max) { self.limit = limit }

  /// Begins to read, once the child runs.
  package func collect() {
    let handle = pipe.fileHandleForReading
    Thread.detachNewThread { [self] in
      while let part = try? handle.read(upToCount: 4096), !part.isEmpty {
        lock.withLock {
          bytes += part
          if bytes.count > limit { bytes = Data(bytes.suffix(limit)) }
        }
      }
      done.signal()
    }
  }

  /// All of it; where a grandchild keeps the pipe open, what came within a second.
  package var data: Data {
    _ = done.wait(timeout: .now() + 1)
    done.signal()
    return lock.withLock { bytes }
  }

  /// The last lines on one line.
  package var lastWords: String {
    let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(3)
    return String(lines.joined(separator: " / ").suffix(400))
  }
}
