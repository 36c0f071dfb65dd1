import Kernels

/// The softmax cross-entropy at the end of a chain as a function of one unit's step t, where the logits
/// see nothing else: class c moves by w_c·t relative to the largest target y, and what is summed over
/// classes, Σ p_c·expm1(w_c·t), is a series in t. Its terms are the moments Σ p_c·w_cⁿ/n! of every sample
/// and unit, formed once for all lanes.
struct CostMoments {
  /// Each `[samples, units]`: the moments, and last Σ q_c·w_c.
  let terms: [[Double]]
  /// The largest |w_c| of all.
  private let reach: Double

  /// As many as small steps need.
  private static let order = ElementFunction.seriesTerms
  /// How many tables there are.
  static let count = order + 1
  /// The most multiplications that forming them may take: few, beside lanes that save as many each.
  private static let mostWork = 1 << 26

  /// The largest |t| for which the series serves: SMALL of kernels/small.cl for every class.
  func largestStep(_ precision: Precision) -> Double {
    let small =
      precision == .f64 ? Double.smallStep : Double(Float.smallStep)
    // Beyond that the powers of w could overflow.
    return reach <= 0x1p16 ? small / max(1, reach) : -1
  }

  /// The moments of a layer's units; nil where they are not those that the logits see, or not worth it.
  init?(_ chain: LaneChain, layer number: Int, _ baseline: Baseline) {
    guard case .crossEntropy(let cost) = chain.cost, let last = chain.layers.last,
      number >= chain.layers.count - 2
    else { return nil }
    let units = chain.layers[number].outs
    let classes = last.outs
    guard chain.samples * units * classes * Self.order <= Self.mostWork,
      case let tables = baseline.coefficients(cost, mode: .difference, tieRoundoff: 0),
      tables.count == 4, let p = baseline.numbers(tables[0]),
      let q = baseline.numbers(tables[1]), let label = baseline.numbers(tables[2])
    else { return nil }
    let isLast = number == chain.layers.count - 1
    let weights = baseline.values[last.weights]
    var terms = [[Double]](
      repeating: [Double](repeating: 0, count: chain.samples * units), count: Self.count)
    var reach = 0.0
    for sample in 0..<chain.samples {
      let y = Int(label[sample])
      for unit in 0..<units {
        let weight = { (c: Int) -> Double in
          isLast ? (c == unit ? 1 : 0) : weights[c * last.outStride + unit * last.inStride]
        }
        let own = weight(y)
        // Σ p·wⁿ/n! and, last, Σ q·w.
        var sums = SIMD8<Double>()
        for c in 0..<classes where c != y {
          let w = weight(c) - own
          reach = max(reach, w.isNaN ? .infinity : w.magnitude)
          var term = p[sample * classes + c]
          for n in 0..<Self.order {
            term *= w / Double(n + 1)
            sums[n] += term
          }
          sums[Self.order] += q[sample * classes + c] * w
        }
        for n in 0...Self.order { terms[n][sample * units + unit] = sums[n] }
      }
    }
    self.terms = terms
    self.reach = reach
  }
}
