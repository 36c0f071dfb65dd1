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
func addProduct(
  rows: Int, depth: Int, columns: Int, _ a: [Double], _ aView: MatrixView, _ b: [Double],
  _ bView: MatrixView, to c: inout [Double], _ cOffset: Int = 0
) {
  guard rows > 0, depth > 0, columns > 0 else { return }
  let (aEnd, bEnd) = (
    aView.offset + (rows - 1) * aView.row + (depth - 1) * aView.column,
    bView.offset + (depth - 1) * bView.row + (columns - 1) * bView.column
  )
  precondition(aEnd < a.count && bEnd < b.count && cOffset + rows * columns <= c.count)
  // Rows, or where there are few of them columns, are shared among the cores.
  let byRows = rows >= 4 || rows >= columns
  let work = rows * depth * columns
  let tasks = max(1, min(work >> 18, byRows ? rows : columns, 64))
  c.withUnsafeMutableBufferPointer { c in
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        // Each task writes rows or columns of its own.
        nonisolated(unsafe) let (a, b, c) = (a, b, c)
        DispatchQueue.concurrentPerform(iterations: tasks) { task in
          let extent = byRows ? rows : columns
          let share = task * extent / tasks..<(task + 1) * extent / tasks
          addBlock(
            byRows ? share : 0..<rows, depth, byRows ? 0..<columns : share, a, aView, b, bView, c,
            cOffset, width: columns)
        }
      }
    }
  }
}

private func addBlock(
  _ rows: Range<Int>, _ depth: Int, _ columns: Range<Int>, _ a: UnsafeBufferPointer<Double>,
  _ aView: MatrixView, _ b: UnsafeBufferPointer<Double>, _ bView: MatrixView,
  _ c: UnsafeMutableBufferPointer<Double>, _ cOffset: Int, width: Int
) {
  for i in rows {
    let first = aView.offset + i * aView.row
    let out = cOffset + i * width
    if bView.column == 1 {
      // Four rows of B at a time, in the order of k: C is read and written once for them.
      var k = 0
      while k + 4 <= depth {
        let at = first + k * aView.column
        let (a0, a1) = (a[at], a[at + aView.column])
        let (a2, a3) = (a[at + 2 * aView.column], a[at + 3 * aView.column])
        let row = bView.offset + k * bView.row
        let (r1, r2, r3) = (row + bView.row, row + 2 * bView.row, row + 3 * bView.row)
        for j in columns {
          c[out + j] =
            c[out + j] + a0 * b[row + j] + a1 * b[r1 + j] + a2 * b[r2 + j] + a3 * b[r3 + j]
        }
        k += 4
      }
      while k < depth {
        let factor = a[first + k * aView.column]
        let row = bView.offset + k * bView.row
        for j in columns { c[out + j] += factor * b[row + j] }
        k += 1
      }
    } else {
      for j in columns {
        let column = bView.offset + j * bView.column
        var sum = 0.0
        var k = 0
        if aView.column == 1, bView.row == 1 {
          var sums = SIMD8<Double>()
          while k + 8 <= depth {
            var left = SIMD8<Double>()
            var right = SIMD8<Double>()
            for part in 0..<8 {
              left[part] = a[first + k + part]
              right[part] = b[column + k + part]
            }
            sums += left * right
            k += 8
          }
          sum = sums.sum()
        }
        while k < depth {
          sum += a[first + k * aView.column] * b[column + k * bView.row]
          k += 1
        }
        c[out + j] += sum
      }
    }
  }
}

extension [Double] {
  /// The squares of the elements.
  var squared: [Double] { map { $0 * $0 } }
}
