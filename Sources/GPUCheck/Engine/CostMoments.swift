import Foundation
import Kernels

/// The softmax cross-entropy at the end of a chain as a function of one unit's step t in a sample: class c
/// moves by δ_c(t) relative to the largest target y, and Σ p_c·expm1(δ_c(t)) and Σ q_c·δ_c(t) are series in
/// t (`StepSeries`). Their terms belong to the unit and the sample, and are formed once for all lanes.
struct CostMoments {
  /// Each `[samples, units]`: the terms of the first series, then those of the second, which has but one
  /// where no layer lies between.
  let terms: [[Double]]
  /// A series' nth term is at most the nth power of it.
  private let reach: Double

  /// How many terms the second series has: SERIES_TERMS of kernels/chain.cl, or one.
  static func linearTerms(_ chain: LaneChain) -> Int {
    chain.layers.count > 2 ? StepSeries.order : 1
  }

  /// The largest |t| for which the series serves: SMALL of kernels/small.cl for all that moves.
  func largestStep(_ precision: Precision) -> Double {
    let small =
      precision == .f64 ? Double.smallStep : Double(Float.smallStep)
    // Beyond that powers could overflow.
    return reach <= 0x1p16 ? small / max(1, reach) : -1
  }

  /// The moments of a layer's units; nil where a function behind them has no series, or too few lanes are
  /// wanted of them.
  init?(_ chain: LaneChain, layer number: Int, _ baseline: Baseline) {
    guard case .crossEntropy(let cost) = chain.cost, let last = chain.layers.last,
      Self.lanes(chain, layer: number, baseline) >= Double(2 * StepSeries.order),
      let way = StepSeries(chain, from: number, baseline),
      Double(chain.samples) * Double(way.work) <= Self.mostWork,
      case let tables = baseline.coefficients(cost, mode: .difference, tieRoundoff: 0),
      tables.count == 4, let p = baseline.numbers(tables[0]),
      let q = baseline.numbers(tables[1]), let label = baseline.numbers(tables[2])
    else { return nil }
    let (samples, units, classes) = (chain.samples, way.units, last.outs)
    let count = StepSeries.order + Self.linearTerms(chain)
    let blocks = (units + StepSeries.block - 1) / StepSeries.block
    var all = [Double](repeating: 0, count: samples * count * units)
    var reaches = [Double](repeating: 0, count: samples * blocks)
    all.withUnsafeMutableBufferPointer { all in
      reaches.withUnsafeMutableBufferPointer { reaches in
        // Each task writes places of its own.
        nonisolated(unsafe) let (all, reaches) = (all, reaches)
        DispatchQueue.concurrentPerform(iterations: samples * blocks) { task in
          guard let start = all.baseAddress else { return }
          let (sample, first) = (task / blocks, task % blocks * StepSeries.block)
          let chosen = first..<min(first + StepSeries.block, units)
          let row = sample * classes..<(sample + 1) * classes
          reaches[task] = way.logits(sample, of: chosen) { logits in
            Self.sum(
              logits, chosen.count, p: p[row], q: q[row], target: Int(label[sample]),
              to: start + sample * count * units + first, stride: units,
              linear: count - StepSeries.order)
          }
        }
      }
    }
    terms = (0..<count).map { term -> [Double] in
      (0..<samples).flatMap { sample -> ArraySlice<Double> in
        let first = (sample * count + term) * units
        return all[first..<first + units]
      }
    }
    reach = reaches.max() ?? 0
  }

  /// The most multiplications that forming the terms may take. They are as many as `order` lanes of every
  /// unit take by the long way.
  private static let mostWork = 0x1p32

  /// How many lanes are wanted of a unit: two for a bias, and for each of its inputs.
  private static func lanes(_ chain: LaneChain, layer number: Int, _ baseline: Baseline) -> Double {
    let all = max(1, baseline.graph.layout.count)
    let share = Double(baseline.wanted ?? all) / Double(all)
    return chain.entries.reduce(0.0) { lanes, entry in
      guard let entry, entry.layer == number else { return lanes }
      return lanes + 2 * share * Double(entry.isBias ? 1 : chain.layers[number].ins)
    }
  }

  /// Adds up the classes' series of some units in a sample; the sums' terms stand `stride` apart. Returns
  /// how far they reach.
  private static func sum(
    _ logits: UnsafePointer<Double>, _ units: Int, p: ArraySlice<Double>, q: ArraySlice<Double>,
    target y: Int, to sums: UnsafeMutablePointer<Double>, stride: Int, linear: Int
  ) -> Double {
    let size = StepSeries.order * units
    var largest = StepSeries.Terms()
    for (c, (p, q)) in zip(p, q).enumerated() where c != y {
      for unit in 0..<units {
        let step =
          StepSeries.terms(logits + c * size + unit, units)
          - StepSeries.terms(logits + y * size + unit, units)
        StepSeries.formLargest(&largest, step)
        let growth = StepSeries.expMinusOne(step)
        let own = sums + unit
        for n in 0..<StepSeries.order { own[n * stride] += p * growth[n] }
        for n in 0..<linear { own[(StepSeries.order + n) * stride] += q * step[n] }
      }
    }
    return StepSeries.reach(largest)
  }
}
