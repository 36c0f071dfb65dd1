import Foundation

/// The judge: J by the textbook. Plain loops in double over a graph, sharing no code with the
/// primitives, held to fixed costs that NumPy computed and short enough to trust by reading.
public enum Textbook {
  /// J(θ) by a whole forward pass.
  public static func cost(_ graph: Graph, _ theta: [Double]) -> Double {
    cost(graph, theta, moved: nil)
  }

  /// J(θ) with one component of θ moved.
  public static func cost(_ graph: Graph, _ theta: [Double], component: Int, movedTo value: Double)
    -> Double
  {
    cost(graph, theta, moved: (component, value))
  }

  private static func cost(
    _ graph: Graph, _ theta: [Double], moved: (component: Int, value: Double)?
  ) -> Double {
    var values: [[Double]] = []
    // Parameters are copied where they are used: there may be more of them than of all else.
    func value(_ node: Graph.NodeID) -> [Double] {
      guard case .parameter(let segment) = graph.nodes[node].definition else { return values[node] }
      let range = graph.layout.segments[segment].range
      var own = Array(theta[range])
      if let moved, range.contains(moved.component) {
        own[moved.component - range.lowerBound] = moved.value
      }
      return own
    }
    for node in graph.nodes {
      switch node.definition {
      case .constant(let tensor): values.append(tensor.values)
      case .parameter: values.append([])
      case .apply(let operation, let inputs):
        values.append(apply(operation, inputs.map(value), inputs.map { graph.nodes[$0].shape }))
      }
    }
    var cost = 0.0
    for term in graph.terms {
      var sum = 0.0
      for value in value(term.node) { sum += value }
      cost += term.factor * sum
    }
    return cost
  }

  private static func apply(_ operation: Operator, _ inputs: [[Double]], _ shapes: [[Int]])
    -> [Double]
  {
    switch operation {
    case .dense(let layout): return dense(inputs, shapes, layout)
    case .element(let function):
      var y = inputs[0]
      for i in y.indices {
        y[i] = element(function, inputs[0][i], inputs.count > 1 ? inputs[1][i] : 0)
      }
      return y
    case .softmax:
      var p: [Double] = []
      for z in rows(inputs[0], shapes[0]) {
        var total = 0.0
        for other in z { total += exp(other - largest(z)) }
        for own in z { p.append(exp(own - largest(z)) / total) }
      }
      return p
    case .softmaxCrossEntropy:
      return zip(rows(inputs[0], shapes[0]), rows(inputs[1], shapes[1])).map(crossEntropy)
    case .multiclassHinge(let margin):
      return zip(rows(inputs[0], shapes[0]), rows(inputs[1], shapes[1])).map { z, label in
        let y = position(of: label)
        var sum = 0.0
        for c in z.indices where c != y { sum += max(0, z[c] - z[y] + margin) }
        return sum
      }
    case .logSoftmax:
      return rows(inputs[0], shapes[0]).flatMap { z in
        let logarithm = logSumExp(z)
        return z.map { ($0 - largest(z)) - (logarithm - largest(z)) }
      }
    case .reshape: return inputs[0]
    case .combine, .select: return broadcast(operation, inputs, shapes)
    case .matrixProduct(let form):
      return TextbookProducts.matrixProduct(inputs, shapes, form)
    case .convolution(let form):
      return TextbookProducts.convolution(inputs, shapes, form)
    case .gather(let map, let reduction): return gather(inputs[0], map, reduction)
    case .concatenate(let axis):
      let outer = shapes[0][..<axis].reduce(1, *)
      var joined: [Double] = []
      for o in 0..<outer {
        for values in inputs {
          let width = values.count / outer
          joined += values[o * width..<(o + 1) * width]
        }
      }
      return joined
    }
  }

  /// Two or three operands, each element found by counting through the output's axes.
  private static func broadcast(
    _ operation: Operator, _ inputs: [[Double]], _ shapes: [[Int]]
  ) -> [Double] {
    let rank = shapes.map(\.count).max() ?? 0
    let padded = shapes.map { [Int](repeating: 1, count: rank - $0.count) + $0 }
    var output = [Int](repeating: 1, count: rank)
    for shape in padded {
      for axis in 0..<rank where shape[axis] != 1 { output[axis] = shape[axis] }
    }
    let count = output.reduce(1, *)
    var result = [Double](repeating: 0, count: count)
    var position = [Int](repeating: 0, count: rank)
    var at = [Int](repeating: 0, count: inputs.count)
    for e in 0..<count {
      for (number, shape) in padded.enumerated() {
        at[number] = 0
        for axis in 0..<rank {
          at[number] = at[number] * shape[axis] + (shape[axis] == 1 ? 0 : position[axis])
        }
      }
      if case .combine(let function) = operation {
        result[e] = combine(function, inputs[0][at[0]], inputs[1][at[1]])
      } else {
        result[e] = inputs[0][at[0]] != 0 ? inputs[1][at[1]] : inputs[2][at[2]]
      }
      var axis = rank - 1
      while axis >= 0 {
        position[axis] += 1
        if position[axis] < output[axis] { break }
        position[axis] = 0
        axis -= 1
      }
    }
    return result
  }

  private static func combine(_ function: CombineFunction, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .add: return a + b
    case .subtract: return a - b
    case .multiply: return a * b
    case .divide: return a / b
    case .maximum: return a > b ? a : b
    case .minimum: return a < b ? a : b
    case .power: return pow(a, b)
    case .greater: return a > b ? 1 : 0
    case .greaterOrEqual: return a >= b ? 1 : 0
    case .equal: return a == b ? 1 : 0
    case .modulo: return a - b * (a / b).rounded(.down)
    }
  }

  private static func gather(_ x: [Double], _ map: GatherMap, _ reduction: Reduction) -> [Double] {
    var y: [Double] = []
    for outer in 0..<(map.columns * map.inner == 0 ? 0 : x.count / (map.columns * map.inner)) {
      for row in 0..<map.rows {
        let terms = Int(map.starts[row])..<Int(map.starts[row + 1])
        for inner in 0..<map.inner {
          var parts: [Double] = []
          for k in terms {
            let value = x[(outer * map.columns + Int(map.sources[k])) * map.inner + inner]
            parts.append(value * (map.weights?[k] ?? 1))
          }
          switch reduction {
          case .sum: y.append(parts.isEmpty ? map.fill : parts.reduce(0, +))
          case .product: y.append(parts.reduce(1, *))
          case .maximum: y.append(largest(parts))
          case .logSumExp: y.append(logSumExp(parts))
          }
        }
      }
    }
    return y
  }

  private static func logSumExp(_ z: [Double]) -> Double {
    let top = largest(z)
    guard top.isFinite else { return top }
    var total = 0.0
    for value in z { total += exp(value - top) }
    return top + log(total)
  }

  private static func dense(_ inputs: [[Double]], _ shapes: [[Int]], _ layout: WeightLayout)
    -> [Double]
  {
    let (samples, ins) = (shapes[0][0], shapes[0][1])
    let outs = layout == .outIn ? shapes[1][0] : shapes[1][1]
    var z: [Double] = []
    for s in 0..<samples {
      for o in 0..<outs {
        var sum = inputs.count > 2 ? inputs[2][o] : 0
        for k in 0..<ins {
          let weight = layout == .outIn ? inputs[1][o * ins + k] : inputs[1][k * outs + o]
          sum += weight * inputs[0][s * ins + k]
        }
        z.append(sum)
      }
    }
    return z
  }

  /// −Σ q_c·log softmax(z)_c = S·log(Σ e^{z_c − z_y}) − Σ q_c·(z_c − z_y), y the largest target:
  /// a cost of 1e-17 keeps its digits. Where the sum overflows, relative to the largest logit.
  private static func crossEntropy(_ z: [Double], _ q: [Double]) -> Double {
    let y = position(of: q)
    var others = 0.0
    var mass = 0.0
    var linear = 0.0
    for c in z.indices {
      mass += q[c]
      linear += q[c] * (z[c] - z[y])
      if c != y { others += exp(z[c] - z[y]) }
    }
    var logarithm = log1p(others)
    if others.isInfinite {
      let top = largest(z)
      var total = 0.0
      for c in z.indices { total += exp(z[c] - top) }
      logarithm = top - z[y] + log(total)
    }
    return mass * logarithm - linear
  }

  private static func element(_ function: ElementFunction, _ x: Double, _ y: Double) -> Double {
    switch function {
    case .relu: return x > 0 ? x : 0
    case .leakyRelu(let slope): return x > 0 ? x : slope * x
    case .elu(let alpha): return x > 0 ? x : alpha * expm1(x)
    case .selu:
      return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * expm1(x))
    case .tanh: return Foundation.tanh(x)
    case .sigmoid: return 1 / (1 + exp(-x))
    case .softplus: return softplus(x)
    case .silu: return x / (1 + exp(-x))
    case .gelu: return 0.5 * x * erfc(-x / 2.0.squareRoot())
    case .geluTanh:
      return x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .square: return x * x
    case .absolute: return abs(x)
    case .multiply: return x * y
    case .squaredError: return (x - y) * (x - y)
    case .huber(let delta):
      let r = abs(x - y)
      return r <= delta ? 0.5 * r * r : delta * (r - 0.5 * delta)
    case .binaryCrossEntropyWithLogits: return y * softplus(-x) + (1 - y) * softplus(x)
    case .binaryCrossEntropy:
      return (y > 0 ? -y * log(x) : 0) + (y < 1 ? -(1 - y) * log1p(-x) : 0)
    case .hinge(let margin): return max(0, margin - y * x)
    case .exp: return Foundation.exp(x)
    case .log: return Foundation.log(x)
    case .squareRoot: return x.squareRoot()
    case .reciprocal: return 1 / x
    case .erf: return Foundation.erf(x)
    case .sine: return sin(x)
    case .cosine: return cos(x)
    case .sign: return x > 0 ? 1 : x < 0 ? -1 : x
    case .floor: return x.rounded(.down)
    case .ceiling: return x.rounded(.up)
    case .round: return x.rounded(.toNearestOrEven)
    case .isNonZero: return x != 0 ? 1 : 0
    }
  }

  private static func largest(_ row: [Double]) -> Double {
    row.reduce(-Double.infinity) { $1 > $0 ? $1 : $0 }
  }

  /// Where a row has its largest value.
  private static func position(of row: [Double]) -> Int {
    var best = 0
    for c in row.indices where row[c] > row[best] { best = c }
    return best
  }

  private static func softplus(_ x: Double) -> Double {
    max(x, 0) + log1p(exp(-abs(x)))
  }

  private static func rows(_ values: [Double], _ shape: [Int]) -> [[Double]] {
    let classes = shape[shape.count - 1]
    return stride(from: 0, to: values.count, by: classes).map { Array(values[$0..<$0 + classes]) }
  }
}
