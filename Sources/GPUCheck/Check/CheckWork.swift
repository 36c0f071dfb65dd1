import Kernels

/// What the components of a check take beside each other: the work of a lane depends on the tensor.
package struct CheckWork: Sendable {
  /// Of each tensor: how many components are checked, and the work of one of their lanes in any
  /// unit.
  private let counts: [Int]
  private let weights: [Double]
  private let scheme: Scheme
  /// Whether these are not all components.
  private let isSample: Bool

  package init(counts: [Int], weights: [Double], scheme: Scheme, isSample: Bool = false) {
    self.counts = counts
    self.isSample = isSample
    // A tensor that takes nothing would come for nothing in any number.
    let least = max((weights.max() ?? 0) * 1e-6, .leastNormalMagnitude)
    self.weights = weights.map { $0.isFinite ? max($0, least) : least }
    self.scheme = scheme
  }

  /// Whole passes, or a user's own cost: every component takes the same.
  init(equal layout: ParameterLayout, _ options: CheckOptions) {
    self.init(
      counts: layout.sampleCounts(options.sample), weights: layout.segments.map { _ in 1 },
      scheme: options.scheme, isSample: options.sample != nil)
  }

  /// A check of a graph: as its lanes' steps are, where exact differences are sent through it.
  ///
  /// - Parameter takesMoments: whether lanes take a chain's moments.
  init(_ graph: Graph, _ options: CheckOptions, _ precision: Precision, takesMoments: Bool) {
    guard options.evaluator == .difference else {
      self.init(equal: graph.layout, options)
      return
    }
    let rate = NominalRate(host: precision)
    let counts = graph.layout.sampleCounts(options.sample)
    let moments = takesMoments ? MomentPlan(graph, components: counts.reduce(0, +)) : nil
    self.init(
      counts: counts,
      weights: graph.layout.segments.indices.map { segment in
        moments.flatMap { rate.seconds($0, segment: segment) }
          ?? rate.seconds(SegmentWay(graph, segment: segment).steps)
      }, scheme: options.scheme, isSample: options.sample != nil)
  }

  /// All that a check is known to evaluate: the first differences, and those that measure truncation.
  package var total: Double { total(counts, isSample: isSample) }

  private func total(_ counts: [Int], isSample: Bool) -> Double {
    zip(counts, weights).reduce(0) { sum, part in
      let again =
        scheme == .central
        ? CheckRun.truncationSample(of: part.0, isSample: isSample) : part.0
      return sum + Double(part.0 + again) * part.1
    }
  }

  /// The first differences of so many components, in their order.
  package func done(_ components: Int) -> Double {
    var (left, sum) = (components, 0.0)
    for (count, weight) in zip(counts, weights) {
      sum += Double(min(left, count)) * weight
      left -= min(left, count)
    }
    return sum
  }

  /// The largest sample, in two digits, whose work is at most this; nil where not even a few
  /// components of every tensor are.
  package func sample(of layout: ParameterLayout, within work: Double) -> Int? {
    let fits = { total(layout.sampleCounts($0), isSample: true) <= work }
    guard fits(1) else { return nil }
    var (low, high) = (1, max(1, counts.reduce(0, +) - 1))
    while low < high {
      let middle = low + (high - low + 1) / 2
      if fits(middle) { low = middle } else { high = middle - 1 }
    }
    var unit = 1
    while low / unit >= 100 { unit *= 10 }
    return low / unit * unit
  }
}
