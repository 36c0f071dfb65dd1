import CLanes
import Foundation
import Kernels

/// The softmax cross-entropy at the end of a chain as a function of one unit's step t in a sample: class c
/// moves by δ_c(t) relative to the largest target y (`StepSeries`), and S·log1p(Σ p_c·expm1(δ_c(t))) −
/// Σ q_c·δ_c(t) is a series in t. Its terms belong to the unit and the sample, and are formed once for all
/// lanes. The step is that of the sum which the unit's function is applied to.
struct CostMoments: Sendable {
  private let units: Int
  /// `[terms][samples, units]`.
  private let terms: [[Double]]
  /// The steps with which something behind a unit meets a kink, `[samples, units]`.
  private let kinks: [Double]
  /// The nth term of every series on the way is at most the nth power of it.
  private let reach: Double

  /// What lanes of a precision read: the terms, and the largest |t| that they serve, `[blocks of units,
  /// samples, order + 1, width]`, and 0 for units that are missing.
  func table(_ precision: Precision, width: Int) -> [Double] {
    let small = precision == .f64 ? Double.smallStep : Double(Float.smallStep)
    // Beyond that powers could overflow.
    let largest = reach <= 0x1p16 ? small / max(1, reach) : -1
    // Lanes that come near a kink find out for themselves.
    let rows = terms + [kinks.map { min(largest, 0.999 * $0) }]
    let samples = kinks.count / max(1, units)
    let blocks = (units + width - 1) / width
    let size = samples * rows.count * width
    return [Double](unsafeUninitializedCapacity: blocks * size) { table, count in
      table.initialize(repeating: 0)
      for (number, row) in rows.enumerated() {
        for sample in 0..<samples {
          for unit in 0..<units {
            let place = (sample * rows.count + number) * width + unit % width
            table[unit / width * size + place] = row[sample * units + unit]
          }
        }
      }
      count = blocks * size
    }
  }

  /// The moments of a layer's units; nil where the cost has no tables for them.
  ///
  /// - Parameter advance: told of units that are done.
  init?(
    _ chain: LaneChain, _ series: StepSeries, _ baseline: Baseline,
    advance: (Int) throws -> Void
  ) rethrows {
    let tables = baseline.coefficients(chain.cost.node, mode: .difference, tieRoundoff: 0)
    guard tables.count == 4, let p = baseline.numbers(tables[0]),
      let q = baseline.numbers(tables[1]), let label = baseline.numbers(tables[2]),
      let mass = baseline.numbers(tables[3])
    else { return nil }
    let (samples, units) = (chain.samples, series.units)
    self.units = units
    let classes = p.count / max(samples, 1)
    let count = StepSeries.order
    let blocks = stride(from: 0, to: units, by: StepSeries.block).map {
      $0..<min($0 + StepSeries.block, units)
    }
    let plane = samples * units
    // `[samples, units]` for each term, and for the kinks.
    var rows =
      [Double](repeating: 0, count: count * plane)
      + [Double](repeating: .greatestFiniteMagnitude, count: plane)
    let form = { @Sendable (sample: Int, units: Range<Int>, rows: UnsafeMutablePointer<Double>) in
      var reach = 0.0
      withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * classes) { numbers in
        for c in 0..<classes {
          numbers.initializeElement(at: c, to: p[sample * classes + c])
          numbers.initializeElement(at: classes + c, to: q[sample * classes + c])
        }
        guard let start = numbers.baseAddress else { return }
        let cost = CrossEntropySample(
          classes: classes, target: Int(label[sample]), p: start, q: start + classes,
          mass: mass[sample])
        series.costs(sample, cost, of: units) { costs in
          let first = rows + sample * series.units + units.lowerBound
          for n in 0..<count {
            (first + n * plane).update(from: costs.terms + n * costs.width, count: units.count)
          }
          (first + count * plane).update(from: costs.kinks, count: units.count)
          reach = costs.reach
        }
      }
      return reach
    }
    var reaches = [Double](repeating: 0, count: samples * blocks.count)
    let atOnce = max(1, Self.tasks / max(samples, 1))
    for first in stride(from: 0, to: blocks.count, by: atOnce) {
      let chosen = blocks[first..<min(first + atOnce, blocks.count)]
      rows.withUnsafeMutableBufferPointer { rows in
        reaches.withUnsafeMutableBufferPointer { reaches in
          // Each task writes places of its own.
          nonisolated(unsafe) let (rows, reaches) = (rows, reaches)
          DispatchQueue.concurrentPerform(iterations: samples * chosen.count) { task in
            guard let start = rows.baseAddress else { return }
            let (block, sample) = (first + task / samples, task % samples)
            reaches[block * samples + sample] = form(sample, blocks[block], start)
          }
        }
      }
      try advance(chosen.reduce(0) { $0 + $1.count })
    }
    terms = (0..<count).map { Array(rows[$0 * plane..<($0 + 1) * plane]) }
    kinks = Array(rows[(count * plane)...])
    reach = reaches.max() ?? 0
  }

  /// How many pieces of the work are begun at a time.
  private static let tasks = 64
}
