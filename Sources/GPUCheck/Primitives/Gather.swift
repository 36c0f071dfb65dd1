import Kernels
import RealModule

/// Each element of the output is made of some elements of the input, as a map says: sums with
/// constant weights (all that is linear and no product), maxima, products and log-sum-exps. Twin
/// of kernels/gather.cl.
package struct Gather: Primitive {
  package let map: GatherMap
  package let reduction: Reduction

  package var name: String { "gather-\(reduction.rawValue)" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    let count = inputs.first?.reduce(1, *) ?? 0
    let block = map.columns * map.inner
    guard inputs.count == 1, block >= 0, block == 0 ? count == 0 : count % block == 0,
      map.starts.first == 0, map.starts.last.map(Int.init) == map.sources.count,
      zip(map.starts, map.starts.dropFirst()).allSatisfy({ $0 <= $1 }),
      map.sources.allSatisfy({ 0 <= $0 && Int($0) < map.columns }),
      map.weights.map({ $0.count == map.sources.count && reduction == .sum }) ?? true,
      map.outputShape.reduce(1, *) == (block == 0 ? 0 : count / block) * map.rows * map.inner
    else {
      throw InputError("\(name): its map does not fit an input of shape \(inputs)")
    }
    if reduction == .maximum || reduction == .logSumExp {
      guard zip(map.starts, map.starts.dropFirst()).allSatisfy({ $0 < $1 }) else {
        throw InputError("\(name): found nothing to take it of, expected at least one element")
      }
    }
    return map.outputShape
  }

  /// Calls the body with each element of the output and the inputs it is made of: their positions
  /// are `first + sources[k]·inner` for k in the range.
  func forEach(
    _ count: Int, _ body: (_ element: Int, _ first: Int, _ range: Range<Int>) -> Void
  ) {
    let block = map.columns * map.inner
    guard block > 0 else { return }
    var element = 0
    for outer in 0..<count / block {
      for row in 0..<map.rows {
        let range = Int(map.starts[row])..<Int(map.starts[row + 1])
        for inner in 0..<map.inner {
          body(element, outer * block + inner, range)
          element += 1
        }
      }
    }
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    let x = inputs[0]
    var y = [Double](repeating: map.fill, count: map.outputShape.reduce(1, *))
    forEach(x.count) { element, first, range in
      let at = { (k: Int) in x[first + Int(map.sources[k]) * map.inner] }
      switch reduction {
      case .sum:
        if !range.isEmpty { y[element] = range.reduce(0) { $0 + weight($1) * at($1) } }
      case .product: y[element] = range.reduce(1) { $0 * at($1) }
      case .maximum:
        y[element] = range.reduce(-.infinity) { at($1) > $0 || at($1).isNaN ? at($1) : $0 }
      case .logSumExp:
        let top = range.reduce(-.infinity) { max($0, at($1)) }
        let total = range.reduce(0) { $0 + Double.exp(at($1) - top) }
        y[element] = top.isFinite ? top + Double.log(total) : top
      }
    }
    return y
  }

  private func weight(_ k: Int) -> Double { map.weights?[k] ?? 1 }

  // MARK: Rounding errors

  /// ∂y/∂x of every term.
  private func slope(_ k: Int, _ x: Double, _ y: Double, isLargest: Bool) -> Double {
    switch reduction {
    case .sum: weight(k)
    case .maximum: isLargest ? 1 : 0
    case .logSumExp: Double.exp(x - y)
    case .product: y / x
    }
  }

  /// Calls the body with where each term of an output y stands in x, and ∂y/∂x there.
  @inline(__always)
  private func forEachTerm(
    _ range: Range<Int>, from first: Int, _ x: [Double], _ y: Double,
    _ body: (_ at: Int, _ slope: Double) -> Void
  ) {
    var seen = false
    for k in range {
      let at = first + Int(map.sources[k]) * map.inner
      let isLargest = !seen && x[at] == y
      seen = seen || isLargest
      body(at, slope(k, x[at], y, isLargest: isLargest))
    }
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    var variance = [Double](repeating: 0, count: values.output.count)
    let (x, given) = (values.inputs[0], inputs[0])
    forEach(x.count) { element, first, range in
      let y = values.output[element]
      var sum = RoundedSum()
      forEachTerm(range, from: first, x, y) { at, slope in
        if let given { variance[element] += slope * slope * given[at] }
        if reduction == .sum { sum.add(slope * x[at]) }
      }
      switch reduction {
      case .maximum: break
      case .sum: if range.count > 1 || map.weights != nil { variance[element] += sum.variance }
      case .product: variance[element] += Double(range.count) * unitVariance * y * y
      case .logSumExp: variance[element] += unitVariance * (y * y + Double(range.count))
      }
    }
    return variance
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let x = values.inputs[0]
    var adjoint = Adjoint(count: x.count)
    let isExact = reduction == .maximum || (reduction == .sum && map.weights == nil)
    adjoint.withMutableBuffers { gradients, variances in
      forEach(x.count) { element, first, range in
        let y = values.output[element]
        let (g, v) = (output.gradient[element], output.variance[element])
        forEachTerm(range, from: first, x, y) { at, slope in
          gradients[at] += slope * g
          let own = isExact ? 0 : 2 * unitVariance * slope * slope
          variances[at] += slope * slope * v + g * g * own
        }
      }
    }
    return [adjoint]
  }
}
