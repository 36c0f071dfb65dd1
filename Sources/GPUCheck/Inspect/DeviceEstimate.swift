import Foundation
import Kernels

extension DeviceEstimate {
  /// A check of all components, or of a sample: how many lanes each segment has, and which moments they
  /// take.
  struct Round {
    var lanes: [Int]
    var moments: MomentPlan?

    /// The time that lanes take, one way each.
    func seconds(_ ways: [SegmentWay], _ rate: NominalRate) -> Double {
      return ways.indices.reduce(rate.seconds(work: moments?.work ?? 0)) { seconds, segment in
        let lane =
          moments.flatMap { rate.seconds($0, segment: segment) }
          ?? rate.seconds(ways[segment].steps)
        return seconds + Double(lanes[segment]) * lane
      }
    }
  }

  /// What a check takes of an OpenCL device.
  init(
    _ device: DeviceDescription, _ layout: ParameterLayout, _ ways: [SegmentWay],
    _ rounds: [Round], _ tables: LaneTableMemory, _ choice: PrecisionChoice
  ) {
    let precision: Precision =
      switch choice {
      case .auto: device.supportsDouble ? .f64 : .f32
      case .f32: .f32
      case .f64: .f64
      }
    let vectorWidth = Quirks.vectorWidth(of: device, precision: precision)
    let sizing = LaneSizing(device, vectorWidth: vectorWidth, memoryLimit: nil)
    let rate = NominalRate(device, precision)
    let tableBytes = tables.bytes(precision)
    let least = 2 * vectorWidth
    self.init(
      selector: device.selector, name: device.name, precision: precision.rawValue,
      tableBytes: tableBytes, leastBytes: tableBytes, usualBytes: tableBytes,
      availableBytes: sizing.memoryLimit, leastLanes: least, usualLanes: least,
      rate: rate,
      seconds: rounds.map { $0.seconds(ways, rate) })
    if precision == .f64, !device.supportsDouble {
      refusal = "it has no double; use --precision f32"
      return
    }
    let streams = sizing.streams(ways.compactMap(\.plan), precision, beside: tableBytes)
    for (part, way) in zip(layout.segments, ways) {
      guard let plan = way.plan else { continue }
      let bytes = plan.elementsPerLane * precision.bytes
      leastBytes = max(leastBytes, tableBytes + least * bytes)
      do {
        let usual = try sizing.lanes(
          plan, precision, components: part.count, beside: tableBytes, streams: streams)
        usualLanes = max(usualLanes, usual)
        usualBytes = max(usualBytes, tableBytes + streams * usual * bytes)
      } catch {
        refusal = "\(error)"
      }
    }
  }

  /// What a check takes of the CPU without OpenCL, whose tables are the host's own numbers.
  init(
    hostFor ways: [SegmentWay], _ rounds: [Round], hostBytes: Int, precision choice: PrecisionChoice
  ) {
    let precision: Precision = choice == .f32 ? .f32 : .f64
    let rate = NominalRate(host: precision)
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    self.init(
      selector: "cpu", name: CPUBackend().name, precision: precision.rawValue, tableBytes: 0,
      leastBytes: 0, usualBytes: 0, availableBytes: memory, leastLanes: 8, usualLanes: 128,
      rate: rate, seconds: rounds.map { $0.seconds(ways, rate) })
    if hostBytes > memory {
      refusal =
        "a check needs about \(TextFormat.bytes(hostBytes)) of the host's memory, which has "
        + TextFormat.bytes(memory)
    }
  }

  private init(
    selector: String, name: String, precision: String, tableBytes: Int, leastBytes: Int,
    usualBytes: Int, availableBytes: Int, leastLanes: Int, usualLanes: Int, rate: NominalRate,
    seconds: [Double]
  ) {
    self.init(
      selector: selector, name: name, precision: precision, tableBytes: tableBytes,
      leastBytes: leastBytes, usualBytes: usualBytes, availableBytes: availableBytes,
      leastLanes: leastLanes, usualLanes: usualLanes, rate: rate.multiplyAdds,
      fullSeconds: seconds.first ?? 0,
      sampleSeconds: seconds.dropFirst().first, refusal: nil)
  }
}

/// How much the tables hold that lanes read of the baseline, told by shapes alone.
package struct LaneTableMemory: Sendable {
  /// Real numbers.
  private(set) var elements = 0
  private var integers = 0

  /// The tables of the nodes that lanes in `difference` meet.
  init(_ graph: Graph, meeting ways: [SegmentWay]) {
    self.init(graph, moving: Set(ways.flatMap { $0.plan?.steps.map(\.node) ?? [] }))
  }

  /// The tables of some nodes.
  package init(_ graph: Graph, moving: Set<Graph.NodeID>) {
    // A node's value is one table, however many read it.
    var values: Set<Graph.NodeID> = []
    for node in moving {
      guard case .apply(let operation, let inputs) = graph.nodes[node].definition else { continue }
      let shapes = inputs.map { graph.nodes[$0].shape }
      let sizes = operation.primitive.tableSizes(shapes: shapes)
      values.formUnion(sizes.inputs.map { inputs[$0] })
      if sizes.hasOutput { values.insert(node) }
      elements += sizes.elements
      integers += operation.primitive.integerTables(shapes: shapes).reduce(0) { $0 + $1.count }
    }
    elements += values.reduce(0) { $0 + graph.nodes[$1].count }
  }

  /// Bytes on a device.
  package func bytes(_ precision: Precision) -> Int {
    elements * precision.bytes + integers * MemoryLayout<Int32>.stride
  }
}
