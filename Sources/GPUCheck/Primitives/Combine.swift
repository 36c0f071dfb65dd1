import Kernels
import RealModule

/// A function of two tensors, broadcast as NumPy does; either or both move. The rules stand in
/// Elements/CombineRules.swift. Twin of kernels/combine.cl.
package struct Combine: Primitive {
  package let function: CombineFunction

  package var name: String { function.rawValue }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 2 else {
      throw InputError("\(name): found \(inputs.count) inputs, expected two")
    }
    return try Broadcast.shape(inputs)
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    let (a, b) = (indices(shapes, 0), indices(shapes, 1))
    let (x, y) = (inputs[0], inputs[1])
    return mapElements(Broadcast.common(shapes).reduce(1, *)) { e in
      function.value(x[a?[e] ?? e], y[b?[e] ?? e])
    }
  }

  func indices(_ shapes: [[Int]], _ operand: Int) -> BroadcastIndices? {
    BroadcastIndices(shapes[operand], in: Broadcast.common(shapes))
  }

  // MARK: Rounding errors

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let (a, b) = (indices(values.shapes, 0), indices(values.shapes, 1))
    let (left, right) = (values.inputs[0], values.inputs[1])
    let (leftVariance, rightVariance) = (inputs[0], inputs[1])
    return mapElements(values.output.count) { e in
      let (i, j) = (a?[e] ?? e, b?[e] ?? e)
      let slopes = function.slopes(left[i], right[j])
      let y = values.output[e]
      // What is infinite (a mask) or no number is not rounded.
      guard y.isFinite else { return 0 }
      return slopes.a * slopes.a * (leftVariance?[i] ?? 0)
        + slopes.b * slopes.b * (rightVariance?[j] ?? 0)
        + (function.rounds ? unitVariance * y * y : 0)
    }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    [0, 1].map { values.moving[$0] ? adjoint(of: $0, values, output, source) : nil }
  }

  private func adjoint(
    of operand: Int, _ values: NodeValues, _ output: Adjoint, _ source: ErrorSource
  ) -> Adjoint {
    let isFirst = operand == 0
    let (own, other) = (indices(values.shapes, operand), indices(values.shapes, 1 - operand))
    let (x, y) = (values.inputs[operand], values.inputs[1 - operand])
    let (mine, others) = (source.variance(operand), source.variance(1 - operand))
    let isBackPropagation = if case .backPropagation = source { true } else { false }
    var adjoint = Adjoint(count: x.count)
    adjoint.withMutableBuffers { gradient, variance in
      for e in values.output.indices {
        let (i, j) = (own?[e] ?? e, other?[e] ?? e)
        let (a, b) = isFirst ? (x[i], y[j]) : (y[j], x[i])
        let slopes = function.slopes(a, b)
        let slope = isFirst ? slopes.a : slopes.b
        let g = output.gradient[e]
        var local = function.rounds ? unitVariance * slope * slope : 0
        if isBackPropagation, let bends = function.bends(a, b) {
          let bend = isFirst ? bends.aa : bends.bb
          local += bend * bend * (mine?[i] ?? 0) + bends.ab * bends.ab * (others?[j] ?? 0)
        }
        gradient[i] += slope * g
        variance[i] += slope * slope * output.variance[e] + g * g * local
      }
    }
    return adjoint
  }
}

extension Broadcast {
  /// The common shape of shapes that have one.
  static func common(_ shapes: [[Int]]) -> [Int] { (try? shape(shapes)) ?? [] }
}

/// For every element of an output the element of a broadcast operand.
struct BroadcastIndices {
  private let table: [Int32]

  /// Nil where they are the same.
  init?(_ shape: [Int], in output: [Int]) {
    guard let table = Broadcast.indices(of: shape, in: output) else { return nil }
    self.table = table
  }

  @inline(__always)
  subscript(element: Int) -> Int { Int(table[element]) }
}

extension CombineFunction {
  package func value(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: a > b || a.isNaN ? a : b
    case .minimum: a < b || a.isNaN ? a : b
    case .power: Double.pow(a, b)
    case .greater: a > b ? 1 : 0
    case .greaterOrEqual: a >= b ? 1 : 0
    case .equal: a == b ? 1 : 0
    case .modulo: a - b * (a / b).rounded(.down)
    }
  }

  /// Whether the value is rounded.
  var rounds: Bool {
    switch self {
    case .maximum, .minimum, .greater, .greaterOrEqual, .equal: false
    default: true
    }
  }

  /// ∂f/∂a and ∂f/∂b.
  package func slopes(_ a: Double, _ b: Double) -> (a: Double, b: Double) {
    switch self {
    case .add: (1, 1)
    case .subtract: (1, -1)
    case .multiply: (b, a)
    case .divide: (1 / b, -a / (b * b))
    case .maximum: a > b ? (1, 0) : (0, 1)
    case .minimum: a < b ? (1, 0) : (0, 1)
    case .power: (b * Double.pow(a, b - 1), a > 0 ? Double.pow(a, b) * Double.log(a) : 0)
    case .greater, .greaterOrEqual, .equal: (0, 0)
    case .modulo: (1, -(a / b).rounded(.down))
    }
  }

  /// The second derivatives, for how errors of the operands reach the slopes; nil where they are 0.
  func bends(_ a: Double, _ b: Double) -> (aa: Double, ab: Double, bb: Double)? {
    switch self {
    case .multiply: (0, 1, 0)
    case .divide: (0, -1 / (b * b), 2 * a / (b * b * b))
    case .power:
      (
        b * (b - 1) * Double.pow(a, b - 2),
        Double.pow(a, b - 1) * (1 + (a > 0 ? b * Double.log(a) : 0)),
        a > 0 ? Double.pow(a, b) * Double.log(a) * Double.log(a) : 0
      )
    default: nil
    }
  }
}
