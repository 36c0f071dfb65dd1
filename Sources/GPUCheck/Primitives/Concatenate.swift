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
      throw InputError(
        "concatenate: found \(inputs), expected shapes that differ in axis \(axis) only")
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

  // MARK: Lanes

  /// In values, what does not move comes from the baseline.
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    mode == .value ? values.inputs.indices.map { .input($0) } : []
  }

  /// All, or in differences one position of an axis in front of or behind the one that is joined.
  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    let moving = inputs.enumerated().compactMap { at, layout in layout.map { (at, $0) } }
    if moving.allSatisfy({ $0.1 == .full }) { return .full }
    let (_, widths) = blocks(shapes)
    let behind = shapes[0][(axis + 1)...].reduce(1, *)
    let total = widths.reduce(0, +)
    var common: LaneLayout?
    for (input, layout) in moving {
      guard mode == .difference, case .slice(let slice) = layout, widths[input] > 0 else {
        return nil
      }
      let inner: Int
      if behind % (slice.axisLength * slice.inner) == 0 {
        inner = slice.inner
      } else if slice.inner % widths[input] == 0 {
        inner = slice.inner / widths[input] * total
      } else {
        return nil
      }
      let own = LaneLayout(axisLength: slice.axisLength, inner: inner, index: slice.index)
      guard common == nil || common == own else { return nil }
      common = own
    }
    return common
  }

  package func laneIndices(_ step: LaneStep) -> [LaneIndex] { [] }

  /// Blocks in front of the axis, and for each input what is stored of one of them.
  func storedBlocks(_ step: LaneStep) -> (outer: Int, widths: [Int]) {
    var (outer, widths) = blocks(step.inputShapes)
    if let slice = step.output.slice {
      let behind = step.inputShapes[0][(axis + 1)...].reduce(1, *)
      if behind % (slice.axisLength * slice.inner) == 0 {
        widths = widths.map { $0 / slice.axisLength }
      } else {
        outer /= slice.axisLength
      }
    }
    return (outer, widths)
  }

  /// Takes a chunk of CPU lanes through the operator.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    let (outer, widths) = storedBlocks(call.step)
    let total = widths.reduce(0, +)
    let lanes = call.lanes
    var offset = 0
    for (input, width) in widths.enumerated() {
      for o in 0..<outer {
        for i in 0..<width {
          let out = call.output + (o * total + offset + i) * lanes
          let at = o * width + i
          for lane in 0..<lanes {
            out[lane] =
              call.inputs[input]?[at * lanes + lane]
              ?? (call.mode == .value ? call.coefficients[input][at] : 0)
          }
        }
      }
      offset += width
    }
  }
}
