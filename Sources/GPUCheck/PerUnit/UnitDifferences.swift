import Kernels

/// What the curves of all units, and the penalties, say of every component of θ: dθ_approx as central
/// differences with steps of its own, `[parameters]` each.
struct UnitDifferences {
  var numeric: [Double]
  /// By how much that is off the derivative: what is of the third power of the step in it.
  var truncation: [Double]
  /// By how much the parabola of the curves may put it off the central difference.
  var interpolation: [Double]
  /// The step.
  var epsilon: [Double]
  /// Kinks that penalties met.
  var flags: [LaneFlags]

  private init(count: Int, epsilon: Double) {
    numeric = [Double](repeating: 0, count: count)
    truncation = numeric
    interpolation = numeric
    self.epsilon = [Double](repeating: epsilon, count: count)
    flags = [LaneFlags](repeating: [], count: count)
  }

  /// Evaluates all layers, then the penalties.
  init(
    _ source: UnitSource, layout: ParameterLayout, epsilon: Double, progress: StageProgress
  ) throws {
    self.init(count: layout.count, epsilon: epsilon)
    let units = source.units
    let reader = UnitCurveReader(units: units, lanes: source.lanes)
    var stage = progress.stage("units", total: units.layers.reduce(0) { $0 + $1.units })
    for (number, layer) in units.layers.enumerated() {
      let input = layer.weights.map { source.values[$0.input] } ?? []
      let largest = input.reduce(layer.bias == nil ? 0 : 1) { max($0, $1.magnitude) }
      let curves = try reader.curves(
        layer: number, reach: largest > 0 ? largest : 1, epsilon: epsilon
      ) { try stage.advance($0) }
      if let weights = layer.weights {
        add(curves, weights.layout, to: layout.segments[weights.segment], input)
      }
      if let bias = layer.bias {
        // A bias is the weight of an input that is 1 in every sample.
        let ones = [Double](repeating: 1, count: units.samples)
        add(curves, .outIn, to: layout.segments[bias], ones)
      }
    }
    try source.penalties?.add(to: &self)
  }

  // MARK: Products

  /// dW[o, k] = Σ_s (c₁[s, o]·a[s, k] + c₃[s, o]·ε²·a[s, k]³): two products of matrices.
  private mutating func add(
    _ curves: UnitCurves, _ weights: WeightLayout, to part: ParameterLayout.Segment,
    _ input: [Double]
  ) {
    let outs = curves.epsilon.count
    let samples = curves.slope.count / max(1, outs)
    let ins = input.count / max(1, samples)
    guard outs > 0, samples > 0, ins > 0 else { return }
    let product = { (curve: [Double], input: [Double], sum: inout [Double], offset: Int) in
      let (c, a) = (MatrixView(row: outs, column: 1), MatrixView(row: ins, column: 1))
      switch weights {
      case .outIn:
        addProduct(
          rows: outs, depth: samples, columns: ins, curve, c.transposed, input, a, to: &sum, offset,
          adds: true)
      case .inOut:
        addProduct(
          rows: ins, depth: samples, columns: outs, input, a.transposed, curve, c, to: &sum, offset,
          adds: true)
      }
    }
    product(curves.slope, input, &numeric, part.offset)
    var third = [Double](repeating: 0, count: part.count)
    product(curves.bend, input.map { $0 * $0 * $0 }, &third, 0)
    // Σ_s of a miss times a is at most the product of their norms (Cauchy and Schwarz).
    let misses = norms(curves.slope, columns: outs).map { curves.miss.norm(ofSize: $0) }
    let inputs = norms(input, columns: ins)
    for at in third.indices {
      let (out, own) = weights == .outIn ? (at / ins, at % ins) : (at % outs, at / outs)
      numeric[part.offset + at] += third[at]
      truncation[part.offset + at] += Self.higherOrders * third[at].magnitude
      interpolation[part.offset + at] += misses[out] * inputs[own]
      epsilon[part.offset + at] = curves.epsilon[out]
    }
  }

  /// The norm of each column.
  private func norms(_ matrix: [Double], columns: Int) -> [Double] {
    (0..<columns).map { column in
      var norm = ScaledNorm()
      for at in stride(from: column, to: matrix.count, by: columns) { norm.add(matrix[at]) }
      return norm.value
    }
  }

  /// What a truncation error is taken to be of its leading order.
  static let higherOrders = 1.5
}

/// What the differences of units are made of.
struct UnitSource {
  let units: UnitGraph
  /// The value of every node of the unit graph.
  let values: [[Double]]
  let lanes: UnitLanes
  /// nil where J has none.
  let penalties: UnitPenalties?
}

/// The terms of J that depend on the parameters alone, component by component: exact differences on
/// the CPU, in f64.
struct UnitPenalties {
  private let evaluator: any LaneEvaluator
  private let layout: ParameterLayout
  /// The segments that they depend on.
  private let segments: [Int]

  init(_ graph: Graph, _ parameters: ParameterVector, tieRoundoff: Double) throws {
    evaluator = try CPUBackend().prepare(
      Baseline(graph: graph, parameters: parameters), mode: .difference, precision: .f64,
      tieRoundoff: tieRoundoff)
    layout = graph.layout
    segments = graph.usedSegments.sorted()
  }

  /// Adds their differences, with the steps that were taken.
  func add(to differences: inout UnitDifferences) throws {
    for segment in segments {
      let part = layout.segments[segment]
      for first in stride(from: 0, to: part.count, by: Self.together) {
        let components = first..<min(first + Self.together, part.count)
        try add(segment, components, offset: part.offset, to: &differences)
      }
    }
  }

  private func add(
    _ segment: Int, _ components: Range<Int>, offset: Int, to differences: inout UnitDifferences
  ) throws {
    let factors = [1, -1, 0.5, -0.5]
    let steps = components.map { differences.epsilon[offset + $0] }
    let found = try evaluator.evaluate(
      LaneBatch(
        segment: segment,
        components: components.flatMap { [Int32](repeating: Int32($0), count: factors.count) },
        moves: steps.flatMap { step in factors.map { $0 * step } }))
    for (number, component) in components.enumerated() {
      let (at, lane) = (offset + component, factors.count * number)
      let step = differences.epsilon[at]
      let full = (found.values[lane] - found.values[lane + 1]) / (2 * step)
      let half = (found.values[lane + 2] - found.values[lane + 3]) / step
      differences.numeric[at] += full
      differences.truncation[at] += UnitDifferences.higherOrders * 4 / 3 * (full - half).magnitude
      for flags in found.flags[lane..<lane + factors.count] {
        differences.flags[at].formUnion(flags)
      }
    }
  }

  /// Components of one batch.
  private static let together = 1 << 15
}
