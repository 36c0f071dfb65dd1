import Kernels
import RealModule

/// log softmax over the last axis. Twin of kernels/softmax.cl.
package struct LogSoftmax: Primitive {
  package init() {}

  package var name: String { "log-softmax" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 1, let shape = inputs.first, let classes = shape.last, classes > 0 else {
      throw InputError("log-softmax: found inputs \(inputs), expected one with at least one class")
    }
    return shape
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    classRows(inputs[0], shapes).flatMap { z in
      let top = largest(z)
      let first = z.startIndex
      // The largest class's own share is 1: log1p keeps the digits of a probability near 1.
      var others = 0.0
      for c in z.indices where c != first + top { others += Double.exp(z[c] - z[first + top]) }
      let logarithm = Double.log(onePlus: others)
      return z.map { ($0 - z[first + top]) - logarithm }
    }
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let classes = values.shapes[0].last ?? 1
    var variance = [Double](repeating: 0, count: values.output.count)
    for first in stride(from: 0, to: variance.count, by: classes) {
      let range = first..<first + classes
      var shared = 0.0
      if let given = inputs[0] {
        for c in range { shared += Double.exp(2 * values.output[c]) * given[c] }
      }
      for c in range where values.output[c].isFinite {
        let y = values.output[c]
        let rest = 1 - Double.exp(y)
        variance[c] = rest * rest * (inputs[0]?[c] ?? 0) + shared + 2 * unitVariance * y * y
      }
    }
    return variance
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let classes = values.shapes[0].last ?? 1
    var adjoint = Adjoint(count: values.output.count)
    for first in stride(from: 0, to: values.output.count, by: classes) {
      let range = first..<first + classes
      var sum = RoundedSum()
      var inherited = 0.0
      for c in range {
        sum.add(output.gradient[c])
        inherited += output.variance[c]
      }
      for c in range {
        let p = Double.exp(values.output[c])
        adjoint.gradient[c] = output.gradient[c] - p * sum.total
        let noise = source.variance(0)?[c] ?? 0
        adjoint.variance[c] =
          output.variance[c] + p * p * (inherited + sum.variance)
          + p * p * sum.total * sum.total * (noise + 2 * unitVariance)
      }
    }
    return [adjoint]
  }

  // MARK: Lanes

  /// Tables: p, and the class with the largest p of every row.
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    [
      .values(values.output.map { Double.exp($0) }),
      .values(classRows(values.output, values.shapes).map { Double(largest($0)) }),
    ]
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(elements: shapes[0].reduce(1, *) + shapes[0].dropLast().reduce(1, *))
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    inputs[0] == .full ? .full : nil
  }

  /// d_c − d_top − log1p(Σ_{k≠top} p_k·expm1(d_k − d_top)), top the class with the largest p; where
  /// that cancels or overflows, the logarithm of a sum of positive terms relative to the largest.
  package static func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let input = call.inputs[0] else { return }
    let classes = call.step.outputShape.last ?? 1
    let lanes = call.lanes
    for row in 0..<call.step.outputElements / classes {
      let first = row * classes
      let p = call.coefficients[0] + first
      for lane in 0..<lanes {
        let at = { (c: Int) in (first + c) * lanes + lane }
        var most = input[at(0)]
        for c in 0..<classes { most = T.maximum(most, input[at(c)]) }
        let shift =
          call.mode == .difference ? input[at(Int(call.coefficients[1][row]))] : most
        var total: T = 0
        for c in 0..<classes {
          let d = input[at(c)] - shift
          total += call.mode == .difference ? p[c] * T.expMinusOne(d) : T.exp(d)
        }
        var logarithm: T
        if call.mode == .value {
          logarithm = T.log(total)
        } else {
          logarithm = T.log(onePlus: T.maximum(total, -0.5))
          if total < -0.5 || !total.isFinite {
            var sum: T = 0
            for c in 0..<classes { sum += p[c] * T.exp(input[at(c)] - most) }
            logarithm = most - shift + T.log(sum)
          }
        }
        for c in 0..<classes { call.output[at(c)] = input[at(c)] - shift - logarithm }
      }
    }
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { softmaxUnits }

  package func launches(_ call: KernelCall) -> [Launch] {
    let classes = call.step.outputShape.last ?? 1
    let rows = call.step.outputElements / classes
    return [
      Launch(
        arguments: SoftmaxArguments(
          call: call, rows: rows, classes: classes, function: "log_softmax"),
        global: call.global(over: rows))
    ]
  }
}
