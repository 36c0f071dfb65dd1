import Kernels
import RealModule

/// Softmax over the last axis. Twin of kernels/softmax.cl.
package struct Softmax: Primitive {
  package var name: String { "softmax" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 1, let shape = inputs.first, let classes = shape.last, classes > 0 else {
      throw InputError("softmax: found inputs \(inputs), expected one with at least one class")
    }
    return shape
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    classRows(inputs[0], shapes).flatMap { Self.probabilities($0) }
  }

  /// e^{z_c} / Σ e^{z_k}, relative to the largest z.
  static func probabilities(_ z: ArraySlice<Double>) -> [Double] {
    let top = z.max() ?? 0
    let e = z.map { Double.exp($0 - top) }
    let total = e.reduce(0, +)
    return e.map { $0 / total }
  }

  /// Tables: p, and the class with the largest p of every row.
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    [.output, .values(classRows(values.output, values.shapes).map { Double(largest($0)) })]
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(hasOutput: true, elements: shapes[0].dropLast().reduce(1, *))
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    inputs[0] == .full ? .full : nil
  }

  /// Softmax does not change when all logits move alike, so steps are taken relative to the class
  /// with the largest p: p_c (e_c − E)/(1 + E), e_c = expm1(d_c − d_top), E = Σ p_c e_c.
  package static func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let input = call.inputs[0] else { return }
    let classes = call.step.outputShape.last ?? 1
    let lanes = call.lanes
    for row in 0..<call.step.outputElements / classes {
      let first = row * classes
      for lane in 0..<lanes {
        let at = { (c: Int) in (first + c) * lanes + lane }
        var total: T = 0
        if call.mode == .difference {
          let p = call.coefficients[0] + first
          let shift = input[at(Int(call.coefficients[1][row]))]
          for c in 0..<classes {
            let e = T.expMinusOne(input[at(c)] - shift)
            total += p[c] * e
            call.output[at(c)] = e
          }
          for c in 0..<classes {
            call.output[at(c)] = p[c] * (call.output[at(c)] - total) / (1 + total)
          }
        } else {
          var top = input[at(0)]
          for c in 1..<max(classes, 1) { top = T.maximum(top, input[at(c)]) }
          for c in 0..<classes { total += T.exp(input[at(c)] - top) }
          for c in 0..<classes { call.output[at(c)] = T.exp(input[at(c)] - top) / total }
        }
      }
    }
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { softmaxUnits }

  package func launches(_ call: KernelCall) -> [Launch] {
    let classes = call.step.outputShape.last ?? 1
    let rows = call.step.outputElements / classes
    return [
      Launch(
        arguments: SoftmaxArguments(call: call, rows: rows, classes: classes),
        global: call.global(over: rows))
    ]
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let classes = values.shapes[0].last ?? 1
    let given = inputs[0] ?? [Double](repeating: 0, count: values.output.count)
    return stride(from: 0, to: values.output.count, by: classes).flatMap { first in
      let range = first..<first + classes
      return probabilityVariance(
        values.inputs[0][range], values.output[range], inputs: given[range])
    }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let classes = values.shapes[0].last ?? 1
    var adjoint = Adjoint(count: values.output.count)
    for first in stride(from: 0, to: values.output.count, by: classes) {
      let range = first..<first + classes
      let p = values.output[range]
      let noise: [Double] =
        if let given = source.variance(0) {
          probabilityVariance(values.inputs[0][range], p, inputs: given[range])
        } else {
          p.map { unitVariance * $0 * $0 }
        }
      var mean = 0.0
      var meanVariance = 0.0
      for (c, noise) in zip(range, noise) {
        let g = output.gradient[c]
        mean += values.output[c] * g
        meanVariance +=
          values.output[c] * values.output[c] * output.variance[c] + g * g * noise
      }
      for (c, noise) in zip(range, noise) {
        let (own, g) = (values.output[c], output.gradient[c])
        adjoint.gradient[c] = own * (g - mean)
        adjoint.variance[c] =
          own * own * (output.variance[c] + meanVariance + unitVariance * (g * g + mean * mean))
          + (g - mean) * (g - mean) * noise
      }
    }
    return [adjoint]
  }
}

/// The classes of each row of an operator's input or output.
func classRows(_ values: [Double], _ shapes: [[Int]]) -> [ArraySlice<Double>] {
  let classes = shapes[0].last ?? 1
  return stride(from: 0, to: values.count, by: classes).map { values[$0..<$0 + classes] }
}

/// The position of the largest value, counted from the slice's start.
func largest(_ row: ArraySlice<Double>) -> Int {
  var best = row.startIndex
  for c in row.indices where row[c] > row[best] { best = c }
  return best - row.startIndex
}

/// The variance of softmax's rounding error: what the logits bring along, the rounding of z − max(z),
/// of the exponentials' sum and of the division.
func probabilityVariance(
  _ z: ArraySlice<Double>, _ p: ArraySlice<Double>, inputs: ArraySlice<Double>
) -> [Double] {
  let top = z.max() ?? 0
  var shared = 0.0
  var sum = RoundedSum()
  for (p, variance) in zip(p, inputs) where p > 0 {
    shared += p * p * variance
    sum.add(p)
  }
  return z.indices.map { i in
    let p = p[i - z.startIndex + p.startIndex]
    let variance = inputs[i - z.startIndex + inputs.startIndex]
    // Masked, perhaps by minus infinity.
    if p == 0 { return 0 }
    let rest = 1 - p
    let inherited = rest * rest * variance + shared - p * p * variance
    return p * p * (inherited + sum.variance + unitVariance * (1 + (z[i] - top) * (z[i] - top)))
  }
}
