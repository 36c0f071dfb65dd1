import CLanes
import Foundation
import Kernels

/// Lanes from moments on the host's cores: the twin of kernels/moments.cl.
struct CPUMomentEngine: MomentEngine {
  private let run: @Sendable (MomentLayout.Batch) -> [Double]

  let laneUnit = 1
  let batchesAtOnce = 1
  let lanesTogether = 0

  init(_ baseline: Baseline, _ chain: LaneChain, _ precision: Precision) {
    // The compiler specialises from here.
    switch precision {
    case .f64:
      let moments = CPUMoments<Double>(baseline, chain)
      run = { moments.evaluate($0.lanes, $0.entry) }
    case .f32:
      let moments = CPUMoments<Float>(baseline, chain)
      run = { moments.evaluate($0.lanes, $0.entry) }
    }
  }

  func wantedLanes(_ entry: MomentLayout.Entry) -> Int { 1 << 16 }

  func evaluate(_ batches: [MomentLayout.Batch]) -> [[Double]] { batches.map(run) }
}

/// Looks over what a device made of moments, by the same moments on the host.
package struct MomentTwin: Sendable {
  private let layout: MomentLayout
  private let engine: CPUMomentEngine

  /// Nil where a baseline has no moments.
  package init?(_ baseline: Baseline, _ precision: Precision) throws {
    guard let layout = try MomentLayout(baseline) else { return nil }
    self.layout = layout
    engine = CPUMomentEngine(baseline, layout.chain, precision)
  }

  /// Whether a batch's lanes are nothing but sums of moments, unless their steps are large.
  func serves(_ batch: LaneBatch) -> Bool {
    layout.entries[batch.segment].map { !$0.movesOthers } ?? false
  }

  /// ΔJ of every lane; NaN where a step is too large.
  func values(_ batch: LaneBatch) -> [Double] {
    guard let entry = layout.entries[batch.segment] else {
      return [Double](repeating: .nan, count: batch.count)
    }
    return engine.evaluate([MomentLayout.Batch(lanes: batch, entry: entry)])[0]
  }
}

private final class CPUMoments<T: LaneReal>: Sendable {
  /// `CostMoments.table` of each layer.
  private let tables: [Int: ChainTable<T>]
  /// What each layer reads, `[samples, ins]`; of a bias 1, for all samples.
  private let inputs: [Int: ChainTable<T>]
  private let one = ChainTable<T>([1])

  private static var width: Int { Int(LANE_SERIES_LANES) }

  init(_ baseline: Baseline, _ chain: LaneChain) {
    tables = baseline.moments.mapValues {
      ChainTable($0.table(T.precision, width: Self.width))
    }
    inputs = Dictionary(
      uniqueKeysWithValues: baseline.moments.keys.map {
        ($0, ChainTable(baseline.values[chain.layers[$0].x]))
      })
  }

  func evaluate(_ batch: LaneBatch, _ entry: MomentLayout.Entry) -> [Double] {
    var values = [Double](repeating: .nan, count: batch.count)
    guard let moments = tables[entry.layer], let inputs = inputs[entry.layer] else {
      return values
    }
    let layer = Layer(entry: entry, moments: moments, x: entry.isBias ? one : inputs)
    values.withUnsafeMutableBufferPointer { values in
      // Each task writes lanes of its own.
      nonisolated(unsafe) let values = values
      if let run = batch.run, let rectangle = MomentRectangle(run, entry) {
        let blocks =
          rectangle.units.lowerBound / Self.width..<(rectangle.units.upperBound - 1) / Self.width
          + 1
        DispatchQueue.concurrentPerform(iterations: blocks.count) { number in
          Self.run(layer, rectangle, blocks.lowerBound + number, run.moves, values)
        }
      } else {
        let (components, moves) = (batch.components, batch.moves)
        // Few lanes are done before another core is awake.
        let work = values.count * entry.samples
        let tasks = max(1, min(work >> 12, values.count, 4 * HostCores.count))
        DispatchQueue.concurrentPerform(iterations: tasks) { task in
          var lane = task * values.count / tasks
          let end = (task + 1) * values.count / tasks
          while lane < end {
            let (unit, input) = entry.place(of: Int(components[lane]))
            // A step and the same back are one sum.
            let isThereAndBack =
              lane + 1 < end && components[lane + 1] == components[lane]
              && moves[lane + 1] == -moves[lane]
            Self.sum(layer, unit..<unit + 1, input, T(moves[lane])) { sum in
              values[lane] = sum(unit, 1)
              if isThereAndBack { values[lane + 1] = sum(unit, -1) }
            }
            lane += isThereAndBack ? 2 : 1
          }
        }
      }
    }
    return values
  }

  private struct Layer {
    var entry: MomentLayout.Entry
    var moments: ChainTable<T>
    var x: ChainTable<T>
  }

  /// All inputs of a block of units.
  private static func run(
    _ layer: Layer, _ rectangle: MomentRectangle, _ block: Int, _ moves: [Double],
    _ values: UnsafeMutableBufferPointer<Double>
  ) {
    let first = block * width
    let units =
      max(first, rectangle.units.lowerBound)..<min(first + width, rectangle.units.upperBound)
    // A step and the same back are one sum.
    let isThereAndBack = moves.count == 2 && MomentKernels.Run.serves(moves)
    let steps = isThereAndBack ? [moves[0]] : moves
    for input in rectangle.inputs {
      for (number, step) in steps.enumerated() {
        sum(layer, units, input, T(step)) { sum in
          func put(_ value: Double, _ lane: Int) {
            if values.indices.contains(lane) { values[lane] = value }
          }
          for unit in units {
            let lane = rectangle.lane(unit: unit, input: input) + number
            put(sum(unit, 1), lane)
            if isThereAndBack { put(sum(unit, -1), lane + 1) }
          }
        }
      }
    }
  }

  /// The chain's term for a step of one input's weight to each of some units of a block, forward (1) or
  /// back (-1).
  @inline(__always)
  private static func sum(
    _ layer: Layer, _ units: Range<Int>, _ input: Int, _ step: T,
    _ body: ((_ unit: Int, _ sign: Double) -> Double) -> Void
  ) {
    let entry = layer.entry
    let block = units.lowerBound / width
    let size = entry.samples * MomentKernels.terms * width
    withUnsafeTemporaryAllocation(of: T.self, capacity: 3 * width) { sums in
      guard let out = sums.baseAddress else { return }
      T.moments(
        laneInstructionSet, samples: entry.samples, layer.x.start + (entry.isBias ? 0 : input),
        stride: entry.isBias ? 0 : entry.ins, layer.moments.start + block * size,
        units: units.lowerBound % width..<units.upperBound - block * width, step: step, out)
      body { unit, sign in
        let unit = unit - block * width
        let odd = Double(out[unit]) + Double(out[width + unit])
        return entry.factor * (sign * odd + Double(out[2 * width + unit]))
      }
    }
  }
}
