import RealModule

/// One unit's step t on its way from a layer of a chain to the logits, as truncated series in t: a unit o of
/// the next layer moves by w_o·t, its function makes a series of that, a product adds such series up, and
/// so on. Some units of the layer in one sample at a time. A function that is straight up to a kink is a
/// series of one term, which serves until a unit reaches its kink.
struct StepSeries: Sendable {
  /// The terms that are kept, from t on: as many as small steps need.
  static let order = ElementFunction.seriesTerms
  /// Those of one series.
  typealias Terms = SIMD8<Double>

  /// A layer's function at every sample and unit.
  struct Function: Sendable {
    /// `[terms][samples, outs]`; none where there is no function.
    var terms: [[Double]] = []
    /// How far each may move up to a kink, `[samples, outs]`; none where there is none.
    var gaps: [Double] = []
  }

  /// Units that may move.
  let units: Int
  /// Their own function.
  private let own: Function
  /// The layers behind theirs, with their weights and functions.
  private let behind: [(layer: LaneChain.Layer, weights: [Double], function: Function)]

  /// - Parameter functions: of each layer.
  init(_ chain: LaneChain, from number: Int, _ functions: [Function], _ baseline: Baseline) {
    units = chain.layers[number].outs
    own = functions[number]
    behind = zip(chain.layers, functions).dropFirst(number + 1).map {
      ($0, baseline.values[$0.weights], $1)
    }
  }

  /// The series of a unit's own function in a sample, and how far the unit may move up to a kink; nil
  /// where it has none.
  func function(_ sample: Int, _ unit: Int) -> (terms: Terms, gap: Double)? {
    guard !own.terms.isEmpty else { return nil }
    let place = sample * units + unit
    var terms = Terms()
    for (n, values) in own.terms.enumerated() { terms[n] = values[place] }
    return (terms, own.gaps.isEmpty ? .greatestFiniteMagnitude : own.gaps[place])
  }

  /// Units that go together: their series stay in the caches.
  static let block = 32

  /// Hands on the series of the logits in a sample, `[classes, terms, chosen units]`. Returns how far all
  /// series reach, of what is handed on as `body` says: the nth term of each is at most the nth power of it.
  ///
  /// - Parameter limits: of each chosen unit, lowered to the step with which something meets a kink.
  func logits(
    _ sample: Int, of chosen: Range<Int>, limits: UnsafeMutablePointer<Double>,
    _ body: (UnsafePointer<Double>) -> Double
  ) -> Double {
    let count = chosen.count
    let size = Self.order * count
    let widest = behind.map(\.layer.outs).max() ?? units
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * widest * size) { memory in
      guard var here = memory.baseAddress else { return .nan }
      var there = here + widest * size
      var reach = 0.0
      if behind.isEmpty {
        here.initialize(repeating: 0, count: units * size)
        for unit in chosen { here[unit * size + unit - chosen.lowerBound] = 1 }
      }
      for (number, (layer, weights, function)) in behind.enumerated() {
        let isFirst = number == 0
        if !isFirst {
          let sums = LaneSums(
            lanes: size, outs: layer.outs, depth: layer.ins, outStride: layer.outStride,
            depthStride: layer.inStride, rowStride: size, outputStride: size)
          weights.withUnsafeBufferPointer {
            if let weights = $0.baseAddress { sums(weights, UnsafePointer(here), to: there) }
          }
          swap(&here, &there)
        }
        guard isFirst || !function.terms.isEmpty else { continue }
        var largest = Terms()
        for o in 0..<layer.outs {
          var own = Terms()
          for (n, terms) in function.terms.enumerated() { own[n] = terms[sample * layer.outs + o] }
          let gap = function.gaps.isEmpty ? .infinity : function.gaps[sample * layer.outs + o]
          for unit in chosen {
            let place = here + o * size + unit - chosen.lowerBound
            var d =
              isFirst
              ? Terms(weights[o * layer.outStride + unit * layer.inStride], 0, 0, 0, 0, 0, 0, 0)
              : Self.terms(place, count)
            if !function.terms.isEmpty {
              Self.formLargest(&largest, d)
              // Straight up to the kink: the first term is all there is.
              let limit = limits + unit - chosen.lowerBound
              if gap < .infinity, d[0].magnitude * limit.pointee > gap {
                limit.pointee = gap / d[0].magnitude
              }
              d = isFirst ? Self.of(d[0], own) : Self.of(d, own)
            }
            Self.store(d, place, count)
          }
        }
        reach = max(reach, Self.reach(largest))
      }
      return max(reach, body(UnsafePointer(here)))
    }
  }

  // MARK: Series, without the terms beyond `order`

  /// The terms that stand so far apart.
  @inline(__always)
  static func terms(_ start: UnsafePointer<Double>, _ stride: Int) -> Terms {
    Terms(start[0], start[stride], start[2 * stride], start[3 * stride], start[4 * stride], 0, 0, 0)
  }

  @inline(__always)
  static func store(_ d: Terms, _ start: UnsafeMutablePointer<Double>, _ stride: Int) {
    for n in 0..<order { start[n * stride] = d[n] }
  }

  /// Σ aₙ·(d·t)ⁿ.
  @inline(__always)
  static func of(_ d: Double, _ a: Terms) -> Terms {
    let square = d * d
    let cube = square * d
    return a * Terms(d, square, cube, square * square, square * cube, 0, 0, 0)
  }

  /// Σ aₙ·d(t)ⁿ (Faà di Bruno).
  @inline(__always)
  static func of(_ d: Terms, _ a: Terms) -> Terms {
    let (d1, d2, d3, d4) = (d[0], d[1], d[2], d[3])
    let square = d1 * d1
    let cube = square * d1
    // The terms of d², d³, d⁴ and d⁵ that are not the first.
    let third: Double = 2 * d1 * d3 + d2 * d2
    let fourth: Double = 2 * (d1 * d4 + d2 * d3)
    let fifth: Double = 3 * (square * d3 + d1 * d2 * d2)
    var f = a[0] * d
    f[1] += a[1] * square
    f[2] += a[1] * 2 * d1 * d2 + a[2] * cube
    f[3] += a[1] * third + a[2] * 3 * square * d2
    f[3] += a[3] * square * square
    f[4] += a[1] * fourth + a[2] * fifth
    f[4] += a[3] * 4 * cube * d2 + a[4] * square * cube
    return f
  }

  /// exp(d(t)) − 1 =: e(t), from e′ = d′·(1 + e).
  @inline(__always)
  static func expMinusOne(_ d: Terms) -> Terms {
    let (d1, d2, d3, d4, d5) = (d[0], d[1], d[2], d[3], d[4])
    let e1 = d1
    let e2: Double = d2 + d1 * e1 / 2
    let e3: Double = d3 + (d1 * e2 + 2 * d2 * e1) / 3
    let inFour: Double = d1 * e3 + 2 * d2 * e2 + 3 * d3 * e1
    let e4 = d4 + inFour / 4
    let inFive: Double = d1 * e4 + 2 * d2 * e3 + 3 * d3 * e2 + 4 * d4 * e1
    let e5 = d5 + inFive / 5
    return Terms(e1, e2, e3, e4, e5, 0, 0, 0)
  }

  /// log(1 + d(t)) =: l(t), from l′·(1 + d) = d′.
  @inline(__always)
  static func logOnePlus(_ d: Terms) -> Terms {
    let (d1, d2, d3, d4, d5) = (d[0], d[1], d[2], d[3], d[4])
    let l1 = d1
    let l2: Double = d2 - l1 * d1 / 2
    let l3: Double = d3 - (l1 * d2 + 2 * l2 * d1) / 3
    let inFour: Double = l1 * d3 + 2 * l2 * d2 + 3 * l3 * d1
    let l4 = d4 - inFour / 4
    let inFive: Double = l1 * d4 + 2 * l2 * d3 + 3 * l3 * d2 + 4 * l4 * d1
    let l5 = d5 - inFive / 5
    return Terms(l1, l2, l3, l4, l5, 0, 0, 0)
  }

  /// Makes each of `largest` no smaller than the term of a series; what is no number stays.
  @inline(__always)
  static func formLargest(_ largest: inout Terms, _ d: Terms) {
    let size = d.replacing(with: -d, where: d .< 0)
    largest.replace(with: size, where: .!(size .<= largest) .& (largest .== largest))
  }

  /// The least number whose nth power no nth term exceeds; infinite where one is no number.
  static func reach(_ largest: Terms) -> Double {
    var reach = 0.0
    for n in 0..<order {
      guard !largest[n].isNaN else { return .infinity }
      reach = max(reach, Double.root(largest[n], n + 1))
    }
    return reach
  }
}
