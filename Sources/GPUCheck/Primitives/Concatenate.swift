import Kernels

/// Inputs one behind the other along an axis. Twin of kernels/gather.cl.
package struct Concatenate: Primitive {
  package let axis: Int

  package var name: String { "concatenate" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard let first = inputs.first, first.indices.contains(axis),
      inputs.allSatisfy({ shape in
        shape.count == first.count
          && shape.indices.allSatisfy { $0 == axis || shape[$0] == first[$0] }
      })
    else {
      throw InputError("concatenate: found \(inputs), expected shapes that differ in axis \(axis) only")
    }
    var shape = first
    shape[axis] = inputs.reduce(0) { $0 + $1[axis] }
    return shape
  }

  /// Blocks in front of the axis, and for each input what one of them holds.
  func blocks(_ shapes: [[Int]]) -> (outer: Int, widths: [Int]) {
    (shapes[0][..<axis].reduce(1, *), shapes.map { $0[axis...].reduce(1, *) })
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    let (outer, widths) = blocks(shapes)
    var joined: [Double] = []
    joined.reserveCapacity(outer * widths.reduce(0, +))
    for o in 0..<outer {
      for (values, width) in zip(inputs, widths) {
        joined += values[o * width..<(o + 1) * width]
      }
    }
    return joined
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    forward(
      zip(inputs, values.inputs).map { $0 ?? [Double](repeating: 0, count: $1.count) },
      shapes: values.shapes)
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let (outer, widths) = blocks(values.shapes)
    let total = widths.reduce(0, +)
    var begin = 0
    return widths.enumerated().map { input, width in
      defer { begin += width }
      guard values.moving[input] else { return nil }
      var adjoint = Adjoint(count: 0)
      for o in 0..<outer {
        let range = o * total + begin..<o * total + begin + width
        adjoint.gradient += output.gradient[range]
        adjoint.variance += output.variance[range]
      }
      return adjoint
    }
  }
}
