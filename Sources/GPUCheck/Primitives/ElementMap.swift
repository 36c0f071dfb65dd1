import Foundation

/// Elements that one task takes.
private let elementPiece = 4096

/// What a function makes of each of so many elements, on all cores where these are more than a piece.
func mapElements<Value>(_ count: Int, piece: Int = elementPiece, _ body: @Sendable (Int) -> Value)
  -> [Value]
{
  [Value](unsafeUninitializedCapacity: count) { values, initialized in
    // Each task writes elements of its own.
    nonisolated(unsafe) let values = values
    forEachElement(count, piece) { values.initializeElement(at: $0, to: body($0)) }
    initialized = count
  }
}

/// The same of a function that gives some numbers, of which so many are wanted: `[rows][count]`.
func mapElements<Numbers: SIMD<Double> & Sendable>(
  _ count: Int, rows: Int, _ body: @Sendable (Int) -> Numbers
) -> [[Double]] {
  let all = [Double](unsafeUninitializedCapacity: rows * count) { all, initialized in
    nonisolated(unsafe) let all = all
    forEachElement(count, elementPiece) { e in
      let numbers = body(e)
      for row in 0..<rows { all.initializeElement(at: row * count + e, to: numbers[row]) }
    }
    initialized = rows * count
  }
  return (0..<rows).map { Array(all[$0 * count..<($0 + 1) * count]) }
}

@inline(__always)
private func forEachElement(_ count: Int, _ piece: Int, _ body: @Sendable (Int) -> Void) {
  guard count > piece else { return (0..<count).forEach(body) }
  DispatchQueue.concurrentPerform(iterations: (count + piece - 1) / piece) { task in
    for e in task * piece..<min((task + 1) * piece, count) { body(e) }
  }
}
