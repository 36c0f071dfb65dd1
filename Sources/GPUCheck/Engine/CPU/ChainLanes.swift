import Foundation

/// Lanes through a chain on the host's cores: the twin of kernels/chain.cl. Two vectors of lanes go
/// together; where they are a block (`LaneOrder`) they share what they read.
final class ChainLanes<T: LaneReal>: Sendable {
  /// One layer as its lanes read it.
  private final class Layer: Sendable {
    let ins: Int
    let outs: Int
    let weights: ChainTable<T>
    let outStride: Int
    let inStride: Int
    let function: ElementFunction?
    /// How many coefficients and terms of a series the function has.
    let coefficients: Int
    let series: Int
    /// `[samples, outs, coefficients and series]`.
    let elements: ChainTable<T>
    /// `[blocks, samples, coefficients and series, width]`.
    let units: ChainTable<T>
    /// What the layer reads, `[samples, ins]`.
    let x: ChainTable<T>

    init(_ chain: LaneChain, _ number: Int, _ baseline: Baseline, tieRoundoff: Double) {
      let layer = chain.layers[number]
      let terms = ChainTerms(chain, layer: number, baseline, tieRoundoff: tieRoundoff)
      (ins, outs) = (layer.ins, layer.outs)
      weights = ChainTable(baseline.values[layer.weights])
      (outStride, inStride) = (layer.outStride, layer.inStride)
      function = layer.element?.function
      (coefficients, series) = (terms.coefficients.count, terms.series.count)
      elements = ChainTable(terms.elements)
      units = ChainTable(
        terms.units(samples: chain.samples, outs: layer.outs, width: ChainLanes.width))
      x = ChainTable(baseline.values[layer.x])
    }

    var terms: Int { coefficients + series }
  }

  private let layers: [Layer]
  private let samples: Int
  /// The cost's tables, and its function where it is one of elements.
  private let cost: [ChainTable<T>]
  private let costFunction: ElementFunction?

  /// Lanes of a vector, and of the two that go together.
  fileprivate static var width: Int { LaneVector<T>.scalarCount }
  private static var pair: Int { 2 * width }

  init(_ chain: LaneChain, _ baseline: Baseline, tieRoundoff: Double) {
    layers = chain.layers.indices.map {
      Layer(chain, $0, baseline, tieRoundoff: tieRoundoff)
    }
    samples = chain.samples
    cost = baseline.coefficients(chain.cost.node, mode: .difference, tieRoundoff: tieRoundoff).map {
      ChainTable(baseline.numbers($0) ?? [])
    }
    costFunction = if case .element(_, let function) = chain.cost { function } else { nil }
  }

  /// The sum of the cost's term in every lane; kinks are added to the lanes' flags.
  func run(
    _ batch: LaneBatch, _ plan: LanePlan, _ entry: LanePlan.ChainEntry, flags: inout [LaneFlags]
  ) -> [Double] {
    let units = plan.indices[entry.unit].positions(batch.components)
    let inputs =
      entry.isBias
      ? [Int32](repeating: 0, count: batch.count)
      : plan.indices[entry.input].positions(batch.components)
    let order = LaneOrder(units: units, inputs: inputs, width: Self.width)
    // Which lane stands in each place; -1 for none.
    let groups = (batch.count + Self.pair - 1) / Self.pair
    let lanes = [Int32](unsafeUninitializedCapacity: groups * Self.pair) { lanes, count in
      lanes.initialize(repeating: -1)
      order.arrange(
        (0..<Int32(batch.count)).map(\.self),
        in: UnsafeMutableBufferPointer(rebasing: lanes[..<(groups * Self.pair)]), filler: -1
      ) { $0 }
      count = groups * Self.pair
    }
    let moves = batch.moves
    var values = [Double](repeating: 0, count: batch.count)
    let tasks = min(groups, 8 * HostCores.count)
    values.withUnsafeMutableBufferPointer { values in
      flags.withUnsafeMutableBufferPointer { flags in
        // Each task writes lanes of its own.
        nonisolated(unsafe) let (values, flags) = (values, flags)
        DispatchQueue.concurrentPerform(iterations: tasks) { task in
          let walk = ChainWalk<T>(widest: self.layers.map { max($0.outs, $0.terms) }.max() ?? 1)
          for group in task * groups / tasks..<(task + 1) * groups / tasks {
            walk.clear()
            let chosen = group * Self.pair..<(group + 1) * Self.pair
            for (place, lane) in lanes[chosen].enumerated() where lane >= 0 {
              walk.units[place] = units[Int(lane)]
              walk.inputs[place] = inputs[Int(lane)]
              walk.steps[place] = T(moves[Int(lane)])
            }
            self.run(walk, entry, batch.tiePolicy)
            for (place, lane) in lanes[chosen].enumerated() where lane >= 0 {
              values[Int(lane)] = walk.sum(place)
              flags[Int(lane)].formUnion(LaneFlags(rawValue: walk.flags[place]))
            }
          }
        }
      }
    }
    return values
  }

  /// Takes two vectors of lanes through all samples.
  private func run(_ walk: ChainWalk<T>, _ entry: LanePlan.ChainEntry, _ policy: TiePolicy) {
    let layer = layers[entry.layer]
    let isBlock = walk.isBlock
    var hasColumn = false
    for sample in 0..<samples {
      let row = sample * layer.ins
      if isBlock {
        let x = entry.isBias ? 1 : layer.x[row + Int(walk.inputs[0])]
        // Nothing moves in a sample whose input is 0.
        if x == 0 { continue }
        for at in stride(from: 0, to: Self.pair, by: Self.width) {
          walk.moved.store(UnsafePointer(walk.steps).vector(at) * x, at)
        }
      } else {
        for lane in 0..<Self.pair {
          let x = entry.isBias ? 1 : layer.x[row + Int(walk.inputs[lane])]
          walk.moved[lane] = walk.steps[lane] * x
        }
      }
      loadUnits(layer, sample, walk, isBlock: isBlock)
      if let function = layer.function {
        function.visit(
          UnitVisitor(
            walk: walk, coefficients: layer.coefficients, series: layer.series,
            attributes: function.attributes, policy: policy))
      }
      // Nor where the unit is off.
      guard walk.isMoving else { continue }
      if !hasColumn, entry.layer + 1 < layers.count {
        let next = layers[entry.layer + 1]
        for o in 0..<next.outs {
          for lane in 0..<Self.pair {
            walk.column[o * Self.pair + lane] =
              next.weights[o * next.outStride + Int(walk.units[lane]) * next.inStride]
          }
        }
        hasColumn = true
      }
      goOn(walk, entry.layer, sample, policy)
    }
  }

  /// Says where each vector finds its units' terms in a sample, and brings them there where they are not
  /// next to each other.
  private func loadUnits(_ layer: Layer, _ sample: Int, _ walk: ChainWalk<T>, isBlock: Bool) {
    let (width, terms) = (Self.width, layer.terms)
    let row = { (unit: Int) in
      layer.units.start + (unit / width * self.samples + sample) * terms * width
    }
    guard !isBlock else {
      walk.leftTerms = row(Int(walk.units[0]))
      walk.rightTerms = walk.leftTerms
      return
    }
    for lane in 0..<Self.pair {
      let unit = Int(walk.units[lane])
      let source = row(unit)
      let target = walk.gathered + lane / width * terms * width + lane % width
      for term in 0..<terms { target[term * width] = source[term * width + unit % width] }
    }
    walk.leftTerms = UnsafePointer(walk.gathered)
    walk.rightTerms = walk.leftTerms + terms * width
  }

  /// Takes the moved units of a layer on to the cost in a sample.
  private func goOn(_ walk: ChainWalk<T>, _ entry: Int, _ sample: Int, _ policy: TiePolicy) {
    let pair = Self.pair
    var (here, there) = (walk.first, walk.second)
    if entry + 1 == layers.count {
      for o in 0..<layers[entry].outs {
        for lane in 0..<pair {
          here[o * pair + lane] = Int(walk.units[lane]) == o ? walk.moved[lane] : 0
        }
      }
    } else {
      for at in stride(from: 0, to: layers[entry + 1].outs * pair, by: Self.width) {
        let moved = UnsafePointer(walk.moved).vector(at % pair)
        here.store(UnsafePointer(walk.column).vector(at) * moved, at)
      }
      apply(layers[entry + 1], here, sample, walk, policy)
      for number in entry + 2..<layers.count {
        let layer = layers[number]
        let sums = LaneSums(
          lanes: pair, outs: layer.outs, depth: layer.ins, outStride: layer.outStride,
          depthStride: layer.inStride, rowStride: pair, outputStride: pair)
        sums(layer.weights.start, UnsafePointer(here), to: there)
        apply(layer, there, sample, walk, policy)
        swap(&here, &there)
      }
    }
    addCost(UnsafePointer(here), sample, walk, policy)
  }

  /// The function of all elements of a layer in a sample, in place.
  private func apply(
    _ layer: Layer, _ z: UnsafeMutablePointer<T>, _ sample: Int, _ walk: ChainWalk<T>,
    _ policy: TiePolicy
  ) {
    guard let function = layer.function else { return }
    function.visit(
      LayerVisitor(
        z: z, outs: layer.outs, table: layer.elements.start + sample * layer.outs * layer.terms,
        coefficients: layer.coefficients, series: layer.series, attributes: function.attributes,
        policy: policy, flags: walk.flags))
  }

  /// Adds what the last layer's steps make of the cost in a sample.
  private func addCost(
    _ z: UnsafePointer<T>, _ sample: Int, _ walk: ChainWalk<T>, _ policy: TiePolicy
  ) {
    let outs = layers.last?.outs ?? 0
    if let costFunction {
      costFunction.visit(
        CostVisitor(
          z: z, outs: outs, first: sample * outs, tables: cost, walk: walk,
          attributes: costFunction.attributes, policy: policy))
      return
    }
    let row = SoftmaxCrossEntropy.Row(
      z: z, p: cost[0].start + sample * outs, q: cost[1].start + sample * outs, lanes: Self.pair,
      classes: outs, y: Int(cost[2][sample]), mass: cost[3][sample])
    row.storeDifferences(walk.changes)
    for vector in 0..<2 {
      walk.add(UnsafePointer(walk.changes).vector(vector * Self.width), vector)
    }
  }
}
