import Foundation

/// A part of a tensor seen as a matrix, its first axis the rows and all others the columns.
package struct TensorBox: Sendable, Equatable {
  package var rows: Range<Int>
  package var columns: Range<Int>

  /// Elements in it.
  package var count: Int { rows.count * columns.count }

  /// All of a tensor.
  package init(whole shape: [Int]) {
    rows = 0..<(shape.first ?? 1)
    columns = 0..<shape.dropFirst().reduce(1, *)
  }

  package init(rows: Range<Int>, columns: Range<Int>) {
    self.rows = rows
    self.columns = columns
  }
}

/// A direction v in a tensor: within a box independent Gaussians of both signs with Σ E[v²] = 1,
/// zeros elsewhere. Each number is a hash of its position, so any part can be made at any time.
package struct GaussianDirection: Sendable {
  package let box: TensorBox
  /// The extent of the tensor's columns.
  let width: Int
  private let key: UInt64

  /// - Parameters:
  ///   - shape: the tensor's.
  ///   - draw: what tells the directions of a check apart.
  package init(_ box: TensorBox, of shape: [Int], seed: UInt64, draw: UInt64) {
    self.box = box
    width = shape.dropFirst().reduce(1, *)
    var mixer = SplitMix64(seed: seed &+ 0x6469_7265_6374_696f &* (draw &+ 1))
    key = mixer.next()
  }

  /// The standard deviation of each number.
  var deviation: Double { 1 / Double(max(box.count, 1)).squareRoot() }

  /// The number at a flat index within the box: Box and Muller 1958, "A note on the generation of
  /// random normal deviates".
  @inline(__always)
  private func gaussian(_ index: Int) -> Double {
    var random = SplitMix64(seed: key &+ UInt64(truncatingIfNeeded: index) &* 0xd134_2543_de82_ef95)
    let radius = Double((random.next() >> 11) + 1) * 0x1p-53
    let turn = Double(random.next() >> 11) * 0x1p-53
    return (-2 * log(radius)).squareRoot() * cos(2 * .pi * turn)
  }

  /// All numbers of the tensor, row-major.
  package func values(count: Int) -> [Double] {
    let (box, width, deviation) = (box, width, deviation)
    return [Double](unsafeUninitializedCapacity: count) { values, size in
      values.initialize(repeating: 0)
      size = count
      guard box.count > 0 else { return }
      // Each task writes rows, or columns of one row, of its own.
      nonisolated(unsafe) let values = values
      let tasks = max(1, min(box.count >> 14, 64))
      DispatchQueue.concurrentPerform(iterations: tasks) { task in
        let share = task * box.count / tasks..<(task + 1) * box.count / tasks
        for place in share {
          let row = box.rows.lowerBound + place / box.columns.count
          let column = box.columns.lowerBound + place % box.columns.count
          let index = row * width + column
          values[index] = deviation * self.gaussian(index)
        }
      }
    }
  }
}
