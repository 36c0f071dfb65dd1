/// Which layers of a chain have their moments (`CostMoments`) formed for a check, told by shapes alone.
struct MomentPlan: Sendable {
  let chain: LaneChain
  /// Ascending.
  let layers: [Int]

  /// The plan of a check of so many components; nil where nothing is formed.
  init?(_ graph: Graph, components: Int) {
    guard let chain = LaneChain(graph), case .crossEntropy = chain.cost else { return nil }
    self.chain = chain
    let share = Double(components) / Double(max(1, graph.layout.count))
    layers = chain.layers.indices.filter { layer in
      chain.layers[layer...].allSatisfy { behind in
        guard let function = behind.element?.function else { return true }
        return !function.series([]).isEmpty || function.pieces([]) != nil
      }
        && share * Self.lanes(chain, layer) >= Double(2 * StepSeries.order)
        && Self.work(chain, layer) <= Self.mostWork
    }
    if layers.isEmpty { return nil }
  }

  /// Units of all these layers.
  var units: Int { layers.reduce(0) { $0 + chain.layers[$1].outs } }

  /// Multiply-adds that forming everything takes.
  var work: Double { layers.reduce(0) { $0 + Self.work(chain, $1) } }

  /// Multiply-adds of one lane of a segment; nil where it goes the long way.
  func laneWork(_ segment: Int) -> Double? {
    guard let entry = chain.entries[segment], layers.contains(entry.layer) else { return nil }
    return Double(chain.samples * StepSeries.order)
  }

  /// The most multiply-adds that forming a layer's may take: some seconds on two cores.
  private static let mostWork = 0x1p38

  /// They are as many as `order` lanes of every unit take by the long way.
  private static func work(_ chain: LaneChain, _ layer: Int) -> Double {
    let behind = chain.layers[(layer + 1)...]
    let units = chain.layers[layer].outs
    let products = behind.dropFirst().reduce(0) { $0 + $1.ins * $1.outs }
    let elements = behind.reduce(0) { $0 + $1.outs }
    return Double(chain.samples * units * StepSeries.order)
      * Double(products + max(elements, units))
  }

  /// How many lanes a check of all components has of each unit of a layer: two for a bias, and for each
  /// of its inputs.
  private static func lanes(_ chain: LaneChain, _ layer: Int) -> Double {
    chain.entries.reduce(0.0) { lanes, entry in
      guard let entry, entry.layer == layer else { return lanes }
      return lanes + 2 * Double(entry.isBias ? 1 : chain.layers[layer].ins)
    }
  }
}

extension Baseline {
  /// The same with the moments that lanes of so many components share.
  ///
  /// - Parameters:
  ///   - tieRoundoff: as for lanes.
  ///   - advance: told of units that are done, and of how many there are in all.
  package func formingMoments(
    for components: Int, tieRoundoff: Double,
    advance: (_ units: Int, _ all: Int) throws -> Void = { _, _ in }
  ) throws -> Baseline {
    guard let plan = MomentPlan(graph, components: components) else { return self }
    try advance(0, plan.units)
    let functions = plan.chain.layers.map { stepFunction($0, tieRoundoff: tieRoundoff) }
    var moments: [Int: CostMoments] = [:]
    for layer in plan.layers {
      let series = StepSeries(plan.chain, from: layer, functions, self)
      moments[layer] = try CostMoments(plan.chain, series, self) { try advance($0, plan.units) }
    }
    return taking(moments)
  }

  /// A layer's function as a series makes use of it.
  private func stepFunction(
    _ layer: LaneChain.Layer, tieRoundoff: Double
  ) -> StepSeries.Function {
    guard let element = layer.element else { return StepSeries.Function() }
    let terms = element.function.series(values[layer.z])
    guard terms.isEmpty else { return StepSeries.Function(terms: terms) }
    let coefficients = coefficients(element.node, mode: .difference, tieRoundoff: tieRoundoff)
    guard let pieces = element.function.pieces(coefficients.compactMap { numbers($0) }) else {
      return StepSeries.Function()
    }
    return StepSeries.Function(terms: [pieces.slopes], gaps: pieces.gaps)
  }
}
