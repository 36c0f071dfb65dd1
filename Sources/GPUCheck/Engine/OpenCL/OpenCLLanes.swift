import Foundation
import Kernels

/// Lanes on an OpenCL device: what they need of a baseline, made once, and the streams that take batches
/// over the device.
///
/// `@unchecked Sendable`: what changes is touched under the lock only.
package final class OpenCLLanes: LaneEvaluator, @unchecked Sendable {
  private let setup: LaneSetup
  private let streams: StreamPool<LaneStream>
  private let lock = NSLock()
  /// Lanes of a batch, for each segment; halved each time memory runs out.
  private var capacities: [Int]
  /// What the last call failed with for want of memory.
  private var shortage: OpenCLError?

  package var mode: LaneMode { setup.mode }
  package var precision: Precision { setup.precision }

  init(
    _ baseline: Baseline, _ mode: LaneMode, chain way: LaneChain?,
    _ specialisation: Specialisation, usesTiles: Bool, fusesSteps: Bool, programs: ProgramCache,
    tieRoundoff: Double,
    memoryLimit: Int?, profile: LaneProfile? = nil
  ) throws {
    let precision = specialisation.precision
    let graph = baseline.graph
    let sizing = LaneSizing(
      programs.context.device.description, vectorWidth: specialisation.vectorWidth,
      memoryLimit: memoryLimit)
    let plans = try Self.plans(of: graph, mode, way)
    let groups = plans.map { FusedSteps.groups(of: $0, mode, fuses: fusesSteps) }
    let program = try Self.program(
      of: groups, mode: mode, way, specialisation, from: programs)
    let tables = try LaneTables(
      programs.context, baseline, mode, moving: Set(plans.flatMap { $0.steps.map(\.node) }),
      precision, tieRoundoff: tieRoundoff, limit: sizing.memoryLimit)
    let chain = try way.map {
      try ChainTables(
        $0, programs.context, baseline, precision, vectorWidth: specialisation.vectorWidth,
        tieRoundoff: tieRoundoff)
    }
    let tableBytes = tables.byteCount + (chain?.byteCount ?? 0)
    // Kernels that others run beside are not worth timing.
    let streams = profile == nil ? sizing.streams(plans, precision, beside: tableBytes) : 1
    capacities = try zip(plans, graph.layout.segments).map { plan, part in
      try sizing.lanes(
        plan, precision, components: part.count, beside: tableBytes, streams: streams,
        chain: plan.chain.flatMap { chain?.cost($0) })
    }
    let setup = LaneSetup(
      mode: mode, precision: precision, graph: graph, plans: plans, groups: groups,
      vectorWidth: specialisation.vectorWidth, sizing: sizing, usesTiles: usesTiles,
      context: programs.context,
      program: program, tables: tables, chain: chain,
      termSums: graph.terms.map { baseline.values[$0.node].reduce(0, +) }, profile: profile)
    self.setup = setup
    self.streams = StreamPool(most: streams) { try LaneStream(setup, core: $0) }
    // Whether there is the memory is known before the work begins.
    try withStream { stream, capacities in
      try stream.prepare(capacities: capacities)
      return true
    }
  }

  /// The way of every segment's lanes.
  static func plans(of graph: Graph, _ mode: LaneMode, _ chain: LaneChain?) throws -> [LanePlan] {
    try graph.layout.segments.indices.map {
      try LanePlan(graph: graph, segment: $0, mode: mode, chain: chain)
    }
  }

  /// The program of the parts of kernels/ that the plans' steps need.
  static func program(
    of groups: [[FusedSteps.Group]], mode: LaneMode, _ chain: LaneChain?,
    _ specialisation: Specialisation,
    from programs: ProgramCache
  ) throws -> Program {
    var units = [KernelUnit(file: "lanes.cl"), KernelUnit(file: "reduce.cl")]
    units += chain?.kernelUnits ?? []
    for group in groups.joined() {
      switch group {
      case .fused(let steps): units += steps.units
      case .single(let step):
        if case .apply(let operation) = step.action {
          units += operation.primitive.kernelUnits(mode)
        }
      }
    }
    return try programs.program(units, specialisation)
  }

  /// Two vectors a work-item are the least that a launch takes.
  package var laneUnit: Int { 2 * setup.vectorWidth }

  package func wantedLanes(segment: Int) -> Int { lock.withLock { capacities[segment] } }

  /// A chain's lanes are counted by their work.
  package func isPaced(segment: Int) -> Bool { setup.plans[segment].isAllChain }

  package func batchesAtOnce(_ batch: LaneBatch) -> Int {
    setup.sizing.takesTurns(setup.plans[batch.segment]) ? streams.most : 1
  }

  package var notes: [String] {
    lock.withLock {
      guard let shortage else { return [] }
      let lanes = TextFormat.count(capacities.max() ?? 0, "lane")
      return [
        "memory ran out on \(setup.context.device.description.name) (\(shortage.line)): batches were "
          + "halved to at most \(lanes)"
      ]
    }
  }

  /// Sends one lane of every segment on its way.
  func warmUp() throws {
    for (segment, part) in setup.graph.layout.segments.enumerated() where part.count > 0 {
      _ = try evaluate(LaneBatch(segment: segment, components: [0], moves: [0]))
    }
  }

  package func evaluate(_ batch: LaneBatch) throws -> LaneResults {
    try inParts(batch) { try $0.evaluate(batch, $1, capacities: $2) }
  }

  package func evaluateTerms(_ batch: LaneBatch) throws -> TermResults {
    var found = TermResults(
      setup.plans[batch.segment], samples: setup.chain?.samples ?? 0)
    found.flags = try inParts(batch) {
      try $0.evaluateTerms(batch, $1, capacities: $2, &found)
    }.flags
    return found
  }

  /// Evaluates a batch in parts that fit the capacities, each by `evaluate`.
  private func inParts(
    _ batch: LaneBatch,
    evaluate: (LaneStream, Range<Int>, _ capacities: [Int]) throws -> LaneResults
  ) throws -> LaneResults {
    var results = LaneResults(values: [], flags: [])
    guard batch.count > 0 else { return results }
    try withStream { stream, capacities in
      let first = results.values.count
      let end = min(first + capacities[batch.segment], batch.count)
      let part = try evaluate(stream, first..<end, capacities)
      if part.values.count == batch.count {
        results = part
      } else {
        results.values += part.values
        results.flags += part.flags
      }
      return results.values.count >= batch.count
    }
    return results
  }

  // MARK: Streams and memory

  /// Calls `body` with a stream and the capacities until it says that it is done. Where memory runs out
  /// the capacities are halved, as long as there is more than the least a launch takes.
  private func withStream(_ body: (LaneStream, _ capacities: [Int]) throws -> Bool) throws {
    try streams.use { stream, isAlone in
      stream.hasWholeDevice = isAlone
      while true {
        do {
          if try body(stream, lock.withLock { capacities }) { return }
        } catch let error as OpenCLError where error.isOutOfMemory {
          stream.release()
          guard halve(for: error) else { throw error }
        }
      }
    }
  }

  /// Halves every capacity; false where all are at their least.
  private func halve(for error: OpenCLError) -> Bool {
    lock.withLock {
      guard capacities.contains(where: { $0 > laneUnit }) else { return false }
      capacities = capacities.map { setup.sizing.capacity(atMost: $0 / 2) }
      shortage = error
      return true
    }
  }
}
