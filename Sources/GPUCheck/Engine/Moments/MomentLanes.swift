import Kernels
import Synchronization

/// Lanes that moments serve (`CostMoments`) by them, and all others the usual way.
package final class MomentLanes: LaneEvaluator {
  package let mode = LaneMode.difference
  package let precision: Precision
  private let engine: any MomentEngine
  private let layout: MomentLayout
  /// The usual way, through all terms.
  private let usual: LazyEvaluator
  /// The usual way through all terms but the chain's; nil where nothing else is in J.
  private let others: LazyEvaluator?

  /// - Parameters:
  ///   - engine: of a precision.
  ///   - prepare: The usual way through a baseline's terms: at once where some lanes take it for sure,
  ///     and otherwise when the first one does.
  init(
    _ engine: any MomentEngine, _ layout: MomentLayout, _ baseline: Baseline,
    _ precision: Precision,
    prepare: @escaping @Sendable (Baseline) throws -> any LaneEvaluator
  ) throws {
    self.precision = precision
    self.engine = engine
    self.layout = layout
    usual = LazyEvaluator { try prepare(baseline) }
    others =
      baseline.graph.terms.count > 1
      ? LazyEvaluator { try prepare(baseline.leavingOut(term: layout.chain.term)) } : nil
    if !layout.servesAll { _ = try usual() }
  }

  package var laneUnit: Int { engine.laneUnit }

  package func wantedLanes(segment: Int) -> Int {
    layout.entries[segment].map { engine.wantedLanes($0) }
      ?? usual.known?.wantedLanes(segment: segment) ?? 1
  }

  package func batchesAtOnce(_ batch: LaneBatch) -> Int {
    layout.entries[batch.segment] == nil
      ? usual.known?.batchesAtOnce(batch) ?? 1 : engine.batchesAtOnce
  }

  package func isPaced(segment: Int) -> Bool {
    layout.entries[segment] != nil || usual.known?.isPaced(segment: segment) ?? false
  }

  package var notes: [String] { [usual, others].flatMap { $0?.known?.notes ?? [] } }

  package func evaluateTerms(_ batch: LaneBatch) throws -> TermResults {
    try usual().evaluateTerms(batch)
  }

  package func lanesTogether(segment: Int) -> Int {
    layout.entries[segment] == nil ? 0 : engine.lanesTogether
  }

  package func evaluate(_ batch: LaneBatch) throws -> LaneResults { try evaluate([batch])[0] }

  package func evaluate(_ batches: [LaneBatch]) throws -> [LaneResults] {
    let entries = batches.map { $0.tiePolicy == .natural ? layout.entries[$0.segment] : nil }
    var served = try engine.evaluate(
      zip(batches, entries).compactMap { batch, entry in
        entry.map { MomentLayout.Batch(lanes: batch, entry: $0) }
      })[...]
    return try zip(batches, entries).map { batch, entry in
      guard let entry, let values = served.popFirst() else { return try usual().evaluate(batch) }
      return try complete(values, batch, entry)
    }
  }

  /// Adds what lanes move besides the chain, and evaluates those that the moments did not serve.
  private func complete(_ values: [Double], _ batch: LaneBatch, _ entry: MomentLayout.Entry) throws
    -> LaneResults
  {
    var results = LaneResults(
      values: values, flags: [LaneFlags](repeating: [], count: batch.count))
    var left: [Int] = []
    results.values.withUnsafeBufferPointer { values in
      for lane in values.indices where values[lane].isNaN { left.append(lane) }
    }
    if let others, entry.movesOthers {
      let more = try others().evaluate(batch)
      for lane in results.values.indices { results.values[lane] += more.values[lane] }
      results.flags = more.flags
    }
    guard !left.isEmpty else { return results }
    let found = try usual().evaluate(left.count == batch.count ? batch : batch.picking(left))
    for (number, lane) in left.enumerated() {
      results.values[lane] = found.values[number]
      results.flags[lane] = found.flags[number]
    }
    return results
  }
}

/// What makes ΔJ of lanes from moments, on some device.
protocol MomentEngine: Sendable {
  /// The chain's term of every lane of each batch, with its factor; NaN for lanes that the moments do not
  /// serve.
  func evaluate(_ batches: [MomentLayout.Batch]) throws -> [[Double]]
  func wantedLanes(_ entry: MomentLayout.Entry) -> Int
  var laneUnit: Int { get }
  var batchesAtOnce: Int { get }
  /// Up to how many lanes of several batches are best given together; 0 where each goes by itself.
  var lanesTogether: Int { get }
}

/// Which segments' lanes moments serve, told by shapes alone.
struct MomentLayout: Sendable {
  /// Where a segment's lanes enter the chain.
  struct Entry: Sendable {
    var layer: Int
    var isBias: Bool
    /// The layer's.
    var ins: Int
    var outs: Int
    /// From one unit's component to the next one's, and from one input's.
    var unitStride: Int
    var inputStride: Int
    var samples: Int
    /// The term's.
    var factor: Double
    /// Whether the lanes move other terms besides.
    var movesOthers: Bool
    var components: Int

    /// The unit and the input that a component belongs to; of a bias input 0.
    func place(of component: Int) -> (unit: Int, input: Int) {
      (component / unitStride % outs, isBias ? 0 : component / inputStride % ins)
    }
  }

  /// Lanes that moments serve.
  struct Batch: Sendable {
    var lanes: LaneBatch
    var entry: Entry
  }

  let chain: LaneChain
  /// Nil for segments whose lanes go the usual way.
  let entries: [Entry?]
  /// Whether no lane goes the usual way but for the size of its step.
  let servesAll: Bool

  init(_ graph: Graph, _ chain: LaneChain, layers: Set<Int>) throws {
    self.chain = chain
    let isOnlyTerm = graph.terms.count == 1
    entries = try chain.entries.enumerated().map { segment, entry in
      guard let entry, layers.contains(entry.layer) else { return nil }
      let layer = chain.layers[entry.layer]
      let movesOthers =
        try isOnlyTerm
        ? false
        : !LanePlan(graph: graph, segment: segment, mode: .difference, chain: chain).isAllChain
      return Entry(
        layer: entry.layer, isBias: entry.isBias, ins: layer.ins, outs: layer.outs,
        unitStride: entry.isBias ? 1 : layer.outStride, inputStride: layer.inStride,
        samples: chain.samples, factor: graph.terms[chain.term].factor, movesOthers: movesOthers,
        components: graph.layout.segments[segment].count)
    }
    let hasKinks = chain.hidden.map { $0.series([]).isEmpty } ?? false
    servesAll = !hasKinks && entries.allSatisfy { $0 != nil }
  }
}

extension MomentLayout {
  /// Of the moments that a baseline has; nil where it has none.
  init?(_ baseline: Baseline) throws {
    guard !baseline.moments.isEmpty, let chain = LaneChain(baseline.graph) else { return nil }
    try self.init(baseline.graph, chain, layers: Set(baseline.moments.keys))
  }
}

/// An evaluator that is made when it is first asked for.
private final class LazyEvaluator: Sendable {
  private let make: @Sendable () throws -> any LaneEvaluator
  private let made = Mutex<(any LaneEvaluator)?>(nil)

  init(_ make: @escaping @Sendable () throws -> any LaneEvaluator) { self.make = make }

  /// Nil where nobody has asked yet.
  var known: (any LaneEvaluator)? { made.withLock(\.self) }

  func callAsFunction() throws -> any LaneEvaluator {
    try made.withLock { made in
      if let made { return made }
      let evaluator = try make()
      made = evaluator
      return evaluator
    }
  }
}
