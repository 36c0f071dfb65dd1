import CLanes
import RealModule

/// One unit's step t on its way from a layer of a chain to the cost, as truncated series in t: a unit o of
/// the next layer moves by w_o·t, its function makes a series of that, a product adds such series up, and
/// so on. Some units of the layer in one sample at a time, side by side (CLanes). A function that is straight
/// up to a kink is a series of one term, which serves until a unit reaches its kink.
struct StepSeries: Sendable {
  /// The terms that are kept, from t on: as many as small steps need.
  static let order = ElementFunction.seriesTerms

  /// A layer's function at every sample and unit.
  struct Function: Sendable {
    /// `[terms, samples, outs]`; none where there is no function.
    fileprivate let values: [Double]
    fileprivate let terms: Int
    /// How far each may move up to a kink, `[samples, outs]`; none where there is none.
    fileprivate let gaps: [Double]

    init(terms: [[Double]] = [], gaps: [Double] = []) {
      values = terms.flatMap(\.self)
      self.terms = terms.count
      self.gaps = gaps
    }

    /// That of one of so many samples.
    fileprivate func withSample(
      _ sample: Int, of samples: Int, _ body: (UnitFunction) -> Void
    ) {
      values.withUnsafeBufferPointer { values in
        gaps.withUnsafeBufferPointer { gaps in
          let plane = values.count / max(1, terms)
          let first = sample * (plane / max(1, samples))
          body(
            UnitFunction(
              values.baseAddress.map { $0 + first }, stride: plane, terms: terms,
              gap: gaps.isEmpty ? nil : gaps.baseAddress.map { $0 + first }))
        }
      }
    }
  }

  /// Units that may move.
  let units: Int
  private let samples: Int
  /// Their own function.
  private let own: Function
  /// The layers behind theirs, with their weights and functions.
  private let behind: [(layer: LaneChain.Layer, weights: [Double], function: Function)]

  /// - Parameter functions: of each layer.
  init(_ chain: LaneChain, from number: Int, _ functions: [Function], _ baseline: Baseline) {
    units = chain.layers[number].outs
    samples = chain.samples
    own = functions[number]
    behind = zip(chain.layers, functions).dropFirst(number + 1).map {
      ($0, baseline.values[$0.weights], $1)
    }
  }

  /// Units that go together: their series stay in the caches.
  static let block = 32

  /// The cost of a sample as series in the steps of some units, before their own function.
  struct Costs {
    /// `[order, width]`, a unit's in a column.
    let terms: UnsafePointer<Double>
    /// The step of each unit with which something meets a kink.
    let kinks: UnsafePointer<Double>
    let width: Int
    /// The nth term of every series on the way is at most the nth power of it; infinite where one is no
    /// number.
    let reach: Double
  }

  func costs(
    _ sample: Int, _ cost: CrossEntropySample, of chosen: Range<Int>, _ body: (Costs) -> Void
  ) {
    // Units beyond the last have weights of 0.
    let lanes = Int(LANE_SERIES_LANES)
    let width = (chosen.count + lanes - 1) / lanes * lanes
    let size = Self.order * width
    let widest = behind.map(\.layer.outs).max() ?? units
    let weights = (behind.first?.layer.outs ?? 0) * width
    let numbers = 2 * widest * size + weights + 2 * size + 2 * width + Self.order * lanes
    withUnsafeTemporaryAllocation(of: Double.self, capacity: numbers) { memory in
      guard var free = memory.baseAddress else { return }
      func take(_ count: Int, of value: Double = 0) -> UnsafeMutablePointer<Double> {
        defer { free += count }
        free.initialize(repeating: value, count: count)
        return free
      }
      let largest = take(Self.order * lanes)
      let kinks = take(width, of: .greatestFiniteMagnitude)
      let series = logits(
        sample, of: chosen, width: width, weights: take(weights), kinks, largest,
        // What lies in them is written before it is read.
        (free, free + widest * size))
      free += 2 * widest * size
      let (function, gaps, terms) = (
        take(size), take(width, of: .greatestFiniteMagnitude), take(size)
      )
      own.withSample(sample, of: samples) { whole in
        let mine = whole.copy(chosen, width: width, to: function, gaps)
        withUnsafePointer(to: cost) { cost in
          withUnsafePointer(to: mine) { mine in
            unit_costs(laneInstructionSet, width, cost, mine, kinks, largest, series, terms)
          }
        }
      }
      body(
        Costs(
          terms: terms, kinks: kinks, width: width,
          reach: Self.reach(UnsafeBufferPointer(start: largest, count: Self.order * lanes))))
    }
  }

  /// The series of the logits, `[classes, order, width]`, in one of two places for a layer's.
  private func logits(
    _ sample: Int, of chosen: Range<Int>, width: Int, weights: UnsafeMutablePointer<Double>,
    _ kinks: UnsafeMutablePointer<Double>, _ largest: UnsafeMutablePointer<Double>,
    _ places: (UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>)
  ) -> UnsafePointer<Double> {
    var (here, there) = places
    let size = Self.order * width
    if behind.isEmpty {
      here.initialize(repeating: 0, count: units * size)
      for unit in chosen { here[unit * size + unit - chosen.lowerBound] = 1 }
    }
    for (number, (layer, matrix, function)) in behind.enumerated() {
      if number == 0 {
        for o in 0..<layer.outs {
          for unit in chosen {
            weights[o * width + unit - chosen.lowerBound] =
              matrix[o * layer.outStride + unit * layer.inStride]
          }
        }
      } else {
        let sums = LaneSums(
          lanes: size, outs: layer.outs, depth: layer.ins, outStride: layer.outStride,
          depthStride: layer.inStride, rowStride: size, outputStride: size)
        matrix.withUnsafeBufferPointer {
          if let matrix = $0.baseAddress { sums(matrix, UnsafePointer(here), to: there) }
        }
        swap(&here, &there)
      }
      guard number == 0 || function.terms > 0 else { continue }
      function.withSample(sample, of: samples) { function in
        withUnsafePointer(to: function) {
          unit_layer(
            laneInstructionSet, width, layer.outs, number == 0 ? weights : nil, $0, kinks, largest,
            here)
        }
      }
    }
    return UnsafePointer(here)
  }

  /// The least number whose nth power no nth term exceeds, of the largest terms, `[order, lanes]`.
  private static func reach(_ largest: UnsafeBufferPointer<Double>) -> Double {
    var reach = 0.0
    for (place, term) in largest.enumerated() {
      guard !term.isNaN else { return .infinity }
      reach = max(reach, Double.root(term, place / Int(LANE_SERIES_LANES) + 1))
    }
    return reach
  }
}

extension UnitFunction {
  /// Terms that stand so far apart, from a start on.
  fileprivate init(
    _ start: UnsafePointer<Double>?, stride: Int, terms: Int, gap: UnsafePointer<Double>?
  ) {
    let term = (0..<StepSeries.order).map { n in n < terms ? start.map { $0 + n * stride } : nil }
    self.init(
      terms: Int32(terms), term: (term[0], term[1], term[2], term[3], term[4]), gap: gap)
  }

  /// The same of some elements, in rows of a width that need not be full.
  fileprivate func copy(
    _ chosen: Range<Int>, width: Int, to rows: UnsafeMutablePointer<Double>,
    _ gaps: UnsafeMutablePointer<Double>
  ) -> UnitFunction {
    let all = [term.0, term.1, term.2, term.3, term.4]
    for (n, values) in all.enumerated() {
      if let values {
        (rows + n * width).update(from: values + chosen.lowerBound, count: chosen.count)
      }
    }
    if let gap { gaps.update(from: gap + chosen.lowerBound, count: chosen.count) }
    return UnitFunction(
      UnsafePointer(rows), stride: width, terms: Int(terms),
      gap: gap == nil ? nil : UnsafePointer(gaps))
  }
}
