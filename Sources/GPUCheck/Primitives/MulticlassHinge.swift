import Kernels
import RealModule

/// Σ over c ≠ y of max(0, z_c − z_y + margin), scores `[batch, classes]`, constant one-hot labels of
/// the same shape. Twin of kernels/softmax.cl.
package struct MulticlassHinge: Primitive {
  package let margin: Double

  package var name: String { "multiclass-hinge" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 2, inputs[0].count == 2, inputs[0] == inputs[1], inputs[0][1] > 0 else {
      throw InputError(
        "multiclass hinge: found \(inputs), expected scores and labels [batch, classes]")
    }
    return [inputs[0][0]]
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    margins(inputs, classes: shapes[0][1]).map { row in
      row.margins.indices.reduce(0) { $0 + ($1 == row.label ? 0 : max(0, row.margins[$1])) }
    }
  }

  /// Every row's margins z_c − z_y + margin, and y.
  private func margins(_ inputs: [[Double]], classes: Int) -> [(margins: [Double], label: Int)] {
    stride(from: 0, to: inputs[0].count, by: classes).map { first in
      let label = largest(inputs[1][first..<first + classes])
      let own = inputs[0][first + label]
      return (inputs[0][first..<first + classes].map { $0 - own + margin }, label)
    }
  }

  /// Tables: the margins, how near to 0 is a tie, and the label of every row.
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    let classes = values.shapes[0][1]
    let rows = margins(values.inputs, classes: classes)
    let tolerances = rows.enumerated().flatMap { number, row in
      (0..<classes).map {
        ties[0, number * classes + $0] + ties[0, number * classes + row.label]
      }
    }
    return [
      .values(rows.flatMap(\.margins)), .values(tolerances),
      .values(rows.map { Double($0.label) }),
    ]
  }

  package func work(_ step: LaneStep) -> Double { Double(step.inputShapes[0].reduce(1, *)) }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(elements: 2 * shapes[0].reduce(1, *) + shapes[0][0])
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    guard inputs[1] == nil else {
      throw InputError("multiclass hinge: the labels depend on θ, which has no rule")
    }
    return inputs[0] == .full ? .full : nil
  }

  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let input = call.inputs[0] else { return }
    let classes = call.step.inputShapes[0][1]
    let lanes = call.lanes
    let a = SIMD4<T>(0, 1, T(margin), 0)
    for row in 0..<call.step.outputElements {
      let first = row * classes
      let y = Int(call.coefficients[2][row])
      for lane in 0..<lanes {
        var kinks = KinkMeter(tiePolicy: call.tiePolicy)
        let own = input[(first + y) * lanes + lane]
        var total: T = 0
        for c in 0..<classes where c != y {
          let coefficients = SIMD4<T>(
            call.coefficients[0][first + c], 1, call.coefficients[1][first + c], 0)
          let relative = input[(first + c) * lanes + lane] - own
          total +=
            call.mode == .difference
            ? StraightRule.difference(relative, coefficients, a, &kinks)
            : StraightRule.value(relative, coefficients, a, &kinks)
        }
        call.output[row * lanes + lane] = total
        call.flags[lane] |= kinks.flags
      }
    }
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { softmaxUnits }

  package func launches(_ call: KernelCall) -> [Launch] {
    let shape = call.step.inputShapes[0]
    return [
      Launch(
        arguments: MulticlassHingeArguments(
          call: call, rows: shape[0], classes: shape[1], margin: margin),
        global: call.global(over: shape[0]))
    ]
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let classes = values.shapes[0][1]
    return margins(values.inputs, classes: classes).enumerated().map { number, row in
      var sum = RoundedSum()
      var inherited = 0.0
      for c in 0..<classes where c != row.label && row.margins[c] > 0 {
        sum.add(row.margins[c])
        if let given = inputs[0] {
          inherited += given[number * classes + c] + given[number * classes + row.label]
        }
      }
      return inherited + sum.variance
    }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let classes = values.shapes[0][1]
    var adjoint = Adjoint(count: values.inputs[0].count)
    for (number, row) in margins(values.inputs, classes: classes).enumerated() {
      let own = number * classes + row.label
      for c in 0..<classes where c != row.label && row.margins[c] > 0 {
        let (g, v) = (output.gradient[number], output.variance[number])
        adjoint.gradient[number * classes + c] += g
        adjoint.gradient[own] -= g
        adjoint.variance[number * classes + c] += v + unitVariance * g * g
        adjoint.variance[own] += v + unitVariance * g * g
      }
    }
    return [adjoint, nil]
  }
}
