/// Whether operators keep samples apart: values of shape `[samples, …]` in, one of that shape out, and
/// nothing of a sample in another's elements.
struct SampleAxis {
  let samples: Int

  /// Whether an operator does.
  ///
  /// - Parameters:
  ///   - shapes: its inputs' shapes.
  ///   - moving: which inputs have samples, and depend on the units. The others are the same in every
  ///     lane.
  func survives(_ operation: Operator, _ shapes: [[Int]], moving: [Bool], output: [Int]) -> Bool {
    // Where there is one sample there is no other.
    if samples == 1 { return true }
    let inputs = zip(shapes, moving).filter(\.1).map(\.0)
    guard output.first == samples, inputs.allSatisfy({ $0.first == samples }) else { return false }
    switch operation {
    case .element, .softmaxCrossEntropy, .multiclassHinge, .reshape: return true
    case .softmax, .logSoftmax: return output.count > 1
    case .dense, .convolution: return moving == [true] + moving.dropFirst().map { _ in false }
    case .combine, .select: return inputs.allSatisfy { $0.count == output.count }
    case .matrixProduct(let form): return survives(form, shapes, moving)
    case .gather(let map, _): return survives(map, count: shapes[0].reduce(1, *))
    case .concatenate(let axis): return axis > 0
    }
  }

  /// Stacks of products are apart. A single one keeps the rows of its left side apart.
  private func survives(_ form: MatrixProductForm, _ shapes: [[Int]], _ moving: [Bool]) -> Bool {
    if shapes.allSatisfy({ $0.count <= 2 }) { return moving == [true, false] && !form.transposeA }
    return zip(shapes, moving).allSatisfy { !$1 || $0.count > 2 }
  }

  /// Whether every element of the output is made of its own sample's elements.
  private func survives(_ map: GatherMap, count: Int) -> Bool {
    let outer = count / max(1, map.columns * map.inner)
    if outer % samples == 0 { return true }
    // The axis that is gathered runs over all samples: each source is looked at.
    guard outer == 1, map.columns % samples == 0, map.rows % samples == 0 else { return false }
    let (columns, rows) = (map.columns / samples, map.rows / samples)
    return (0..<map.rows).allSatisfy { row in
      map.sources[Int(map.starts[row])..<Int(map.starts[row + 1])]
        .allSatisfy { Int($0) / columns == row / rows }
    }
  }
}
