/// NumPy's broadcasting: shapes are aligned at their last axis, and an axis of one element is
/// repeated.
package enum Broadcast {
  /// The common shape; throws an `InputError` where there is none.
  package static func shape(_ shapes: [[Int]]) throws -> [Int] {
    let rank = shapes.map(\.count).max() ?? 0
    var result = [Int](repeating: 1, count: rank)
    for shape in shapes {
      for (axis, extent) in aligned(shape, rank: rank).enumerated() where extent != 1 {
        guard result[axis] == 1 || result[axis] == extent else {
          throw InputError("found shapes \(shapes), which do not broadcast")
        }
        result[axis] = extent
      }
    }
    return result
  }

  /// A shape with axes of one element in front.
  package static func aligned(_ shape: [Int], rank: Int) -> [Int] {
    [Int](repeating: 1, count: max(0, rank - shape.count)) + shape
  }

  /// For every element of the output the operand's element; nil where that is the same one.
  package static func indices(of shape: [Int], in output: [Int]) -> [Int32]? {
    let own = aligned(shape, rank: output.count)
    if own == output { return nil }
    var indices: [Int32] = [0]
    // From the last axis on: what stands for one block of the axes behind is repeated along this.
    var stride: Int32 = 1
    for axis in output.indices.reversed() {
      let block = indices
      indices.reserveCapacity(block.count * output[axis])
      indices = []
      for position in 0..<output[axis] {
        let offset = own[axis] == 1 ? 0 : Int32(position) * stride
        indices += offset == 0 ? block : block.map { $0 + offset }
      }
      stride *= Int32(own[axis])
    }
    return indices
  }

  /// An operand's values in the output's shape.
  package static func values(_ values: [Double], of shape: [Int], in output: [Int]) -> [Double] {
    guard let indices = indices(of: shape, in: output) else { return values }
    return indices.map { values[Int($0)] }
  }

  /// The sum of the output's values over what an operand's element is repeated for.
  package static func sum(_ values: [Double], to shape: [Int], from output: [Int]) -> [Double] {
    guard let indices = indices(of: shape, in: output) else { return values }
    var sums = [Double](repeating: 0, count: shape.reduce(1, *))
    for (value, at) in zip(values, indices) { sums[Int(at)] += value }
    return sums
  }
}
