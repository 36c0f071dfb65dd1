import Foundation
import GPUCheck

/// A multilayer perceptron with softmax cross-entropy and a backward pass written by hand, as a user
/// of the library would have one; random, with a seed.
struct HandWrittenNetwork {
  let sizes: [Int]
  let isRelu: Bool
  let batch: Int
  /// Weights `[out, in]` and biases, layer by layer.
  private(set) var weights: [[Double]] = []
  private(set) var biases: [[Double]] = []
  private(set) var x: [Double] = []
  private(set) var labels: [Int] = []

  init(_ sizes: [Int], relu: Bool = false, batch: Int = 32, seed: UInt64 = 1) {
    self.sizes = sizes
    isRelu = relu
    self.batch = batch
    var random = SplitMix64(seed: seed)
    func normal() -> Double {
      let u = Double.random(in: Double.leastNormalMagnitude...1, using: &random)
      let v = Double.random(in: 0..<1, using: &random)
      return (-2 * log(u)).squareRoot() * cos(2 * Double.pi * v)
    }
    for (ins, outs) in zip(sizes, sizes.dropFirst()) {
      weights.append((0..<ins * outs).map { _ in normal() / Double(ins).squareRoot() })
      biases.append((0..<outs).map { _ in 0.1 * normal() })
    }
    x = (0..<batch * sizes[0]).map { _ in normal() }
    labels = (0..<batch).map { _ in Int.random(in: 0..<(sizes.last ?? 1), using: &random) }
  }

  /// dθ: W1, b1, W2, … one behind the other.
  var gradient: [Double] {
    var values = [x]
    var sums: [[Double]] = []
    for layer in weights.indices {
      let (ins, outs) = (sizes[layer], sizes[layer + 1])
      var z = [Double](repeating: 0, count: batch * outs)
      for s in 0..<batch {
        for o in 0..<outs {
          var sum = biases[layer][o]
          for k in 0..<ins { sum += weights[layer][o * ins + k] * values[layer][s * ins + k] }
          z[s * outs + o] = sum
        }
      }
      sums.append(z)
      let isLast = layer == weights.count - 1
      values.append(isLast ? z : z.map { isRelu ? max($0, 0) : tanh($0) })
    }
    var delta = outputDelta(values[weights.count])
    var parts: [[Double]] = []
    for layer in weights.indices.reversed() {
      let (ins, outs) = (sizes[layer], sizes[layer + 1])
      var dw = [Double](repeating: 0, count: ins * outs)
      var db = [Double](repeating: 0, count: outs)
      var down = [Double](repeating: 0, count: batch * ins)
      for s in 0..<batch {
        for o in 0..<outs {
          let d = delta[s * outs + o]
          db[o] += d
          for k in 0..<ins {
            dw[o * ins + k] += d * values[layer][s * ins + k]
            down[s * ins + k] += d * weights[layer][o * ins + k]
          }
        }
      }
      parts += [db, dw]
      if layer > 0 {
        for i in down.indices {
          let a = values[layer][i]
          down[i] *= isRelu ? (sums[layer - 1][i] > 0 ? 1 : 0) : 1 - a * a
        }
      }
      delta = down
    }
    return parts.reversed().flatMap(\.self)
  }

  /// (softmax(z) − one-hot) / m.
  private func outputDelta(_ z: [Double]) -> [Double] {
    let classes = sizes.last ?? 1
    var delta = z
    for s in 0..<batch {
      let row = s * classes..<(s + 1) * classes
      let top = z[row].max() ?? 0
      let total = row.reduce(0) { $0 + exp(z[$1] - top) }
      for c in row {
        let label = c - row.lowerBound == labels[s] ? 1.0 : 0
        delta[c] = (exp(z[c] - top) / total - label) / Double(batch)
      }
    }
    return delta
  }

  /// The same as a problem for the checker.
  func problem(gradient: [Double]? = nil, elementType: ElementType = .float64) throws -> Problem {
    let last = weights.count - 1
    let network = Network(
      inputs: sizes[0],
      layers: weights.indices.map { layer in
        DenseLayer(
          units: sizes[layer + 1], weights: "W\(layer + 1)", biases: "b\(layer + 1)",
          activation: layer == last ? .identity : isRelu ? .relu : .tanh)
      }, loss: Loss(.softmaxCrossEntropy))
    let theta = zip(weights, biases).flatMap { $0 + $1 }
    return try network.problem(
      batch: [
        "x": Tensor(shape: [batch, sizes[0]], values: x),
        "y": Tensor(shape: [batch], values: labels.map(Double.init), elementType: .int64),
      ], parameters: .flat(Tensor(shape: [theta.count], values: theta)),
      gradient: .flat(
        Tensor(
          shape: [theta.count], values: gradient ?? self.gradient, elementType: elementType)))
  }
}
