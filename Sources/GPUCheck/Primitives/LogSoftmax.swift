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
    rows(inputs[0], shapes).flatMap { z in
      let top = largest(z)
      let first = z.startIndex
      // The largest class's own share is 1: log1p keeps the digits of a probability near 1.
      var others = 0.0
      for c in z.indices where c != first + top { others += Double.exp(z[c] - z[first + top]) }
      let logarithm = Double.log(onePlus: others)
      return z.map { ($0 - z[first + top]) - logarithm }
    }
  }

  private func rows(_ values: [Double], _ shapes: [[Int]]) -> [ArraySlice<Double>] {
    let classes = shapes[0].last ?? 1
    return stride(from: 0, to: values.count, by: classes).map { values[$0..<$0 + classes] }
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
      for c in range {
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
}
