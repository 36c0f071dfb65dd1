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
  // Runs of columns, and of rows: where B is larger than a cache not so few that it is read for each.
  let wanted = max(1, min(rows * depth * columns >> 18, 64))
  let least = depth * columns > cached ? 16 : 1
  let across = max(1, min(wanted, columns / 128))
  let down = max(1, min(wanted / across, rows / least))
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
            width: columns)
        }
      }
    }
  }
}

private func share(_ number: Int, of count: Int, among parts: Int) -> Range<Int> {
  number * count / parts..<(number + 1) * count / parts
}

/// Elements of B that a core reads again and again without loss.
private let cached = 1 << 17
/// A tile of B: so many terms of so many columns serve all rows while a core's cache holds them. Where
/// B's columns are what stands in order, a tile is a few long ones.
private let tile = (depth: 64, columns: 256)
private let stack = (depth: 2048, columns: 8)

private func addBlock(
  _ rows: Range<Int>, _ depth: Int, _ columns: Range<Int>, _ a: UnsafePointer<Double>,
  _ aView: MatrixView, _ b: UnsafePointer<Double>, _ bView: MatrixView,
  _ c: UnsafeMutablePointer<Double>, width: Int
) {
  if bView.column == 1 {
    for k in stride(from: 0, to: depth, by: tile.depth) {
      let terms = min(tile.depth, depth - k)
      for j in stride(from: columns.lowerBound, to: columns.upperBound, by: tile.columns) {
        let count = min(tile.columns, columns.upperBound - j)
        for i in rows {
          addRows(
            terms, count, a + i * aView.row + k * aView.column, aView.column,
            b + k * bView.row + j, bView.row, c + i * width + j)
        }
      }
    }
  } else {
    for k in stride(from: 0, to: depth, by: stack.depth) {
      let terms = min(stack.depth, depth - k)
      for j in stride(from: columns.lowerBound, to: columns.upperBound, by: stack.columns) {
        for i in rows {
          let row = a + i * aView.row + k * aView.column
          for j in j..<min(j + stack.columns, columns.upperBound) {
            c[i * width + j] += dot(
              terms, row, aView.column, b + j * bView.column + k * bView.row, bView.row)
          }
        }
      }
    }
  }
}

/// Adds some terms to some of a row of C, from rows of B: four at a time, in the order of k, so that C is
/// read and written once for them.
@inline(__always)
private func addRows(
  _ terms: Int, _ columns: Int, _ a: UnsafePointer<Double>, _ aStride: Int,
  _ b: UnsafePointer<Double>, _ bStride: Int, _ c: UnsafeMutablePointer<Double>
) {
  let whole = columns / 8 * 8
  var k = 0
  while k + 4 <= terms {
    let (a0, a1) = (a[k * aStride], a[(k + 1) * aStride])
    let (a2, a3) = (a[(k + 2) * aStride], a[(k + 3) * aStride])
    let b0 = b + k * bStride
    let (b1, b2, b3) = (b0 + bStride, b0 + 2 * bStride, b0 + 3 * bStride)
    for j in stride(from: 0, to: whole, by: 8) {
      let first = UnsafePointer(c).vector(j) + a0 * b0.vector(j) + a1 * b1.vector(j)
      c.store(first + a2 * b2.vector(j) + a3 * b3.vector(j), j)
    }
    for j in whole..<columns {
      let first = c[j] + a0 * b0[j] + a1 * b1[j]
      c[j] = first + a2 * b2[j] + a3 * b3[j]
    }
    k += 4
  }
  while k < terms {
    let (factor, row) = (a[k * aStride], b + k * bStride)
    for j in 0..<columns { c[j] += factor * row[j] }
    k += 1
  }
}

/// Σ_k a(k)·b(k) of so many terms.
@inline(__always)
private func dot(
  _ terms: Int, _ a: UnsafePointer<Double>, _ aStride: Int, _ b: UnsafePointer<Double>,
  _ bStride: Int
) -> Double {
  var sum = 0.0
  var k = 0
  if aStride == 1, bStride == 1 {
    var sums = LaneVector<Double>()
    while k + 8 <= terms {
      sums += a.vector(k) * b.vector(k)
      k += 8
    }
    sum = sums.sum()
  }
  while k < terms {
    sum += a[k * aStride] * b[k * bStride]
    k += 1
  }
  return sum
}

extension [Double] {
  /// The squares of the elements.
  var squared: [Double] { map { $0 * $0 } }
}
