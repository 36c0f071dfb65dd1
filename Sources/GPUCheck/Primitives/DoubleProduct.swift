import Foundation

/// A matrix within an array of doubles: element (i, j) stands at offset + i·row + j·column.
struct MatrixView {
  var offset = 0
  var row: Int
  var column: Int

  var transposed: MatrixView { MatrixView(offset: offset, row: column, column: row) }
}

/// C += A·B in double, `[rows, depth]` by `[depth, columns]`, on all cores: the baselines and the
/// rounding errors of matrix products and convolutions.
///
/// - Parameter adds: false for C = A·B, whatever was there (`unwritten`).
func addProduct(
  rows: Int, depth: Int, columns: Int, _ a: [Double], _ aView: MatrixView, _ b: [Double],
  _ bView: MatrixView, to c: inout [Double], _ cOffset: Int = 0, adds: Bool
) {
  guard rows > 0, columns > 0 else { return }
  guard depth > 0 else {
    if !adds { for i in cOffset..<cOffset + rows * columns { c[i] = 0 } }
    return
  }
  let (aEnd, bEnd) = (
    aView.offset + (rows - 1) * aView.row + (depth - 1) * aView.column,
    bView.offset + (depth - 1) * bView.row + (columns - 1) * bView.column
  )
  precondition(aEnd < a.count && bEnd < b.count && cOffset + rows * columns <= c.count)
  // Tasks by columns, which share no tile of B, and by rows where these are too few.
  let wanted = max(1, min(rows * depth * columns / leastShared, 64))
  let across = max(1, min(wanted, columns / 32))
  let down = max(1, min(wanted / across, rows / 64))
  c.withUnsafeMutableBufferPointer { c in
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
        // Each task writes a block of its own.
        nonisolated(unsafe) let (left, right) = (a + aView.offset, b + bView.offset)
        nonisolated(unsafe) let out = c + cOffset
        DispatchQueue.concurrentPerform(iterations: across * down) { task in
          addBlock(
            share(task / across, of: rows, among: down), depth,
            share(task % across, of: columns, among: across), left, aView, right, bView, out,
            width: columns, adds: adds)
        }
      }
    }
  }
}

/// Multiply-adds of a task at least.
private let leastShared = 1 << 18

/// Whether a product is more than one task.
func isShared(rows: Int, depth: Int, columns: Int) -> Bool {
  rows * depth * columns >= 2 * leastShared
}

private func share(_ number: Int, of count: Int, among parts: Int) -> Range<Int> {
  number * count / parts..<(number + 1) * count / parts
}

/// A tile of B: so many terms of so many columns serve all rows while a core's cache holds them.
private let tile = (depth: 64, columns: 256)

private func addBlock(
  _ rows: Range<Int>, _ depth: Int, _ columns: Range<Int>, _ a: UnsafePointer<Double>,
  _ aView: MatrixView, _ b: UnsafePointer<Double>, _ bView: MatrixView,
  _ c: UnsafeMutablePointer<Double>, width: Int, adds: Bool
) {
  let isInOrder = bView.column == 1
  // Columns that do not stand side by side are put there.
  withUnsafeTemporaryAllocation(
    of: Double.self, capacity: isInOrder ? 1 : tile.depth * tile.columns
  ) { packed in
    guard let packed = packed.baseAddress else { return }
    for k in stride(from: 0, to: depth, by: tile.depth) {
      let terms = min(tile.depth, depth - k)
      for j in stride(from: columns.lowerBound, to: columns.upperBound, by: tile.columns) {
        let count = min(tile.columns, columns.upperBound - j)
        let own = b + k * bView.row + j * bView.column
        if !isInOrder {
          for column in 0..<count {
            for term in 0..<terms {
              packed[term * count + column] = own[term * bView.row + column * bView.column]
            }
          }
        }
        let sums = LaneSums(
          lanes: count, outs: rows.count, depth: terms, outStride: aView.row,
          depthStride: aView.column, rowStride: isInOrder ? bView.row : count,
          outputStride: width, adds: adds || k > 0)
        sums(
          a + rows.lowerBound * aView.row + k * aView.column,
          isInOrder ? own : UnsafePointer(packed), to: c + rows.lowerBound * width + j)
      }
    }
  }
}

extension [Double] {
  /// So many numbers that are written before they are read: what zeros cost is the time of a product whose
  /// sums are short.
  static func unwritten(_ count: Int) -> [Double] {
    [Double](unsafeUninitializedCapacity: count) { $1 = count }
  }

  /// The squares of the elements.
  var squared: [Double] { map { $0 * $0 } }
}
