import Kernels
import RealModule

/// Softmax cross-entropy of logits `[batch, classes]` against constant target probabilities q of
/// the same shape (one-hot for class indices): Σ_c −q_c·log softmax(z)_c. Everything is formed
/// relative to the row's largest target y, so that a well-trained network keeps its digits.
/// Twin of kernels/softmax.cl.
package struct SoftmaxCrossEntropy: Primitive {
  package var name: String { "softmax-cross-entropy" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 2, inputs[0].count == 2, inputs[0] == inputs[1], inputs[0][1] > 0 else {
      throw InputError(
        "softmax cross-entropy: found \(inputs), expected logits and targets [batch, classes]")
    }
    return [inputs[0][0]]
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    (0..<shapes[0][0]).map { row in
      let range = row * shapes[0][1]..<(row + 1) * shapes[0][1]
      let (z, q) = (inputs[0][range], inputs[1][range])
      let y = range.lowerBound + largest(q)
      var total = 0.0
      var linear = 0.0
      for c in range where c != y {
        total += Double.exp(z[c] - z[y])
        linear += q[c] * (z[c] - z[y])
      }
      let top = z.max() ?? 0
      let logarithm =
        total.isFinite
        ? Double.log(onePlus: total)
        : top - z[y] + Double.log(z.reduce(0) { $0 + Double.exp($1 - top) })
      return q.reduce(0, +) * logarithm - linear
    }
  }

  /// Tables: p, q, the class y and the sum of the targets of every row.
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    let classes = values.shapes[0][1]
    let rows = (0..<values.shapes[0][0]).map { $0 * classes..<($0 + 1) * classes }
    let (z, q) = (values.inputs[0], values.inputs[1])
    return [
      .values(rows.flatMap { Softmax.probabilities(z[$0]) }), .input(1),
      .values(rows.map { Double(largest(q[$0])) }), .values(rows.map { q[$0].reduce(0, +) }),
    ]
  }

  package func work(_ step: LaneStep) -> Double { Double(step.inputShapes[0].reduce(1, *)) }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(inputs: [1], elements: shapes[0].reduce(1, *) + 2 * shapes[0][0])
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    guard inputs[1] == nil else {
      throw InputError("softmax cross-entropy: the targets depend on θ, which has no rule")
    }
    return inputs[0] == .full ? .full : nil
  }

  /// S·log1p(Σ_{c≠y} p_c·expm1(d_c)) − Σ_{c≠y} q_c·d_c, with d_c the step of z_c less that of z_y
  /// and S the sum of the targets; where that cancels or overflows, the logarithm of a sum of
  /// positive terms relative to the largest.
  package static func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let input = call.inputs[0] else { return }
    let classes = call.step.inputShapes[0][1]
    let lanes = call.lanes
    for row in 0..<call.step.outputElements {
      let first = row * classes
      let (p, q) = (call.coefficients[0] + first, call.coefficients[1] + first)
      let y = Int(call.coefficients[2][row])
      let mass = call.coefficients[3][row]
      let rowCall = Row(
        z: input + first * lanes, p: p, q: q, lanes: lanes, classes: classes, y: y, mass: mass)
      let out = call.output + row * lanes
      if call.mode == .value {
        for lane in 0..<lanes { out[lane] = rowCall.value(lane) }
        continue
      }
      rowCall.storeDifferences(out)
    }
  }

  /// A row of logits as the lanes have it.
  struct Row<T: LaneReal> {
    /// `[classes, lanes]`.
    let z: UnsafePointer<T>
    let p: UnsafePointer<T>
    let q: UnsafePointer<T>
    let lanes: Int
    let classes: Int
    let y: Int
    let mass: T

    /// The cost's difference in every lane.
    @inline(__always)
    func storeDifferences(_ out: UnsafeMutablePointer<T>) {
      var lane = 0
      while lane + 8 <= lanes {
        if !storeSmallSteps(lane, out) {
          for other in lane..<lane + 8 { out[other] = difference(other) }
        }
        lane += 8
      }
      for other in lane..<lanes { out[other] = difference(other) }
    }

    /// Eight lanes by series; false, and nothing done, where a step is too large for them.
    @inline(__always)
    func storeSmallSteps(_ lane: Int, _ out: UnsafeMutablePointer<T>) -> Bool {
      let shift = z.vector(y * lanes + lane)
      var total = LaneVector<T>()
      var linear = LaneVector<T>()
      var least = LaneVector<T>()
      var most = LaneVector<T>()
      for c in 0..<classes {
        let d = z.vector(c * lanes + lane) - shift
        total += SmallStep.expMinusOne(d) * p[c]
        linear += d * q[c]
        least = pointwiseMin(least, d)
        most = pointwiseMax(most, d)
      }
      let limit = T.smallStep
      let small = (most .<= limit) .& (least .>= -limit) .& (total .<= limit) .& (total .>= -limit)
      guard all(small) else { return false }
      for at in 0..<8 {
        out[lane + at] = mass * SmallStep.logOnePlus(total[at]) - linear[at]
      }
      return true
    }

    func difference(_ lane: Int) -> T {
      let shift = z[y * lanes + lane]
      var (total, linear, top, size): (T, T, T, T) = (0, 0, 0, 0)
      for c in 0..<classes {
        let d = z[c * lanes + lane] - shift
        total += SmallStep.expMinusOne(d) * p[c]
        linear += d * q[c]
        top = T.maximum(top, d)
        size = T.maximum(size, d.magnitude)
      }
      let limit = T.smallStep
      if size <= limit, total.magnitude <= limit {
        return mass * SmallStep.logOnePlus(total) - linear
      }
      total = 0
      for c in 0..<classes { total += p[c] * T.expMinusOne(z[c * lanes + lane] - shift) }
      var change = T.log(onePlus: T.maximum(total, -0.5))
      if total < -0.5 || !total.isFinite {
        var sum = p[y] * T.exp(-top)
        for c in 0..<classes where c != y {
          sum += p[c] * T.exp(z[c * lanes + lane] - shift - top)
        }
        change = top + T.log(sum)
      }
      return mass * change - linear
    }

    func value(_ lane: Int) -> T {
      let own = z[y * lanes + lane]
      var (total, linear): (T, T) = (0, 0)
      for c in 0..<classes where c != y {
        total += T.exp(z[c * lanes + lane] - own)
        linear += q[c] * (z[c * lanes + lane] - own)
      }
      var logarithm = T.log(onePlus: total)
      if !total.isFinite {
        var top = own
        for c in 0..<classes { top = T.maximum(top, z[c * lanes + lane]) }
        total = 0
        for c in 0..<classes { total += T.exp(z[c * lanes + lane] - top) }
        logarithm = top - own + T.log(total)
      }
      return mass * logarithm - linear
    }
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { softmaxUnits }

  package func launches(_ call: KernelCall) -> [Launch] {
    let shape = call.step.inputShapes[0]
    return [
      Launch(
        arguments: CrossEntropyArguments(call: call, rows: shape[0], classes: shape[1]),
        global: call.global(over: shape[0]))
    ]
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let classes = values.shapes[0][1]
    return (0..<values.shapes[0][0]).map { row in
      let range = row * classes..<(row + 1) * classes
      let (z, q) = (values.inputs[0][range], values.inputs[1][range])
      let p = Softmax.probabilities(z)
      let top = z.max() ?? 0
      let mass = q.reduce(0, +)
      var variance = 0.0
      var linear = 0.0
      for (c, p) in zip(range, p) {
        let slope = mass * p - q[c]
        variance += slope * slope * (inputs[0]?[c] ?? 0)
        linear += q[c] * (z[c] - top)
      }
      let logarithm = values.output[row] + linear
      return variance + unitVariance * (2 * logarithm * logarithm + linear * linear)
    }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let classes = values.shapes[0][1]
    var adjoint = Adjoint(count: values.inputs[0].count)
    for row in 0..<values.shapes[0][0] {
      let range = row * classes..<(row + 1) * classes
      let (z, q) = (values.inputs[0][range], values.inputs[1][range])
      let p = Softmax.probabilities(z)
      let mass = q.reduce(0, +)
      let y = range.lowerBound + largest(q)
      let (g, v) = (output.gradient[row], output.variance[row])
      var noise = p.map { unitVariance * $0 * $0 }
      if let given = source.variance(0) {
        noise = probabilityVariance(z, p[...], inputs: given[range])
      }
      // 1 − p_y from the other classes, which keeps the digits that p_y has lost.
      var others = 0.0
      for (c, p) in zip(range, p) where c != y { others += p }
      for ((c, p), noise) in zip(zip(range, p), noise) {
        let slope = c == y && mass == 1 && q[c] == 1 ? -others : mass * p - q[c]
        adjoint.gradient[c] = g * slope
        // Lanes are relative to y: their error is that of the slope, unless targets are shared out.
        let exact = q[c] == 0 || q[c] == mass
        let own: Double =
          switch source {
          case .backPropagation: mass * mass * noise
          case .lanes: exact ? unitVariance * slope * slope : mass * mass * noise
          }
        adjoint.variance[c] = slope * slope * (v + unitVariance * g * g) + g * g * own
      }
    }
    return [adjoint, nil]
  }
}
