import Foundation

/// What a function makes of each of so many elements, on all cores where they are many.
func mapElements<Value>(_ count: Int, _ body: @Sendable (Int) -> Value) -> [Value] {
  let piece = 4096
  guard count > piece else { return (0..<count).map(body) }
  return [Value](unsafeUninitializedCapacity: count) { values, initialized in
    // Each task writes elements of its own.
    nonisolated(unsafe) let values = values
    DispatchQueue.concurrentPerform(iterations: (count + piece - 1) / piece) { task in
      for e in task * piece..<min((task + 1) * piece, count) {
        values.initializeElement(at: e, to: body(e))
      }
    }
    initialized = count
  }
}
