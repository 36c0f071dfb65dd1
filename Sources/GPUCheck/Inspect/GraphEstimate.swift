import Foundation
import Kernels

/// What is asked of an estimate.
public struct InspectOptions: Sendable {
  /// The precision of the lanes.
  public var precision = PrecisionChoice.auto
  /// Components of a sample to estimate besides a check of all.
  public var sample: Int?

  public init() {}
}

extension CheckEstimate {
  /// The estimate of a graph on the host and on devices.
  package init(_ graph: Graph, _ options: InspectOptions, devices: [DeviceDescription]) {
    let ways = graph.layout.segments.indices.map { SegmentWay(graph, segment: $0) }
    let forward = graph.forwardWork
    let efforts = [graph.layout.count, options.sample].compactMap { count in
      count.map { LaneCounts(graph.layout, sample: $0) }
    }
    func effort(_ counts: LaneCounts) -> Effort {
      Effort(
        components: counts.components.reduce(0, +), lanes: counts.lanes.reduce(0, +),
        work: zip(counts.lanes, ways).reduce(0) { $0 + Double($1.0) * $1.1.work },
        hostBytes: HostMemory.needed(
          graph, checked: counts.components.reduce(0, +),
          elementsPerLane: ways.map(\.elementsPerLane).max() ?? 0),
        hostSeconds: NominalRate.hostSeconds(passes: Self.hostPasses, forwardWork: forward))
    }
    segments = zip(graph.layout.segments, ways).map { part, way in
      Segment(
        name: part.name, shape: part.shape, steps: way.steps.count,
        elementsPerLane: way.elementsPerLane, workPerLane: way.work, refusal: way.refusal)
    }
    forwardWork = forward
    full = effort(efforts[0])
    sample = efforts.count > 1 ? effort(efforts[1]) : nil
    let tables = LaneTableMemory(graph, meeting: ways)
    let rounds = efforts.map { counts in
      DeviceEstimate.Round(
        lanes: counts.lanes,
        moments: MomentPlan(graph, components: counts.components.reduce(0, +)))
    }
    self.devices =
      devices.map { DeviceEstimate($0, graph.layout, ways, rounds, tables, options.precision) }
      + [
        DeviceEstimate(
          hostFor: ways, rounds, hostBytes: full.hostBytes, precision: options.precision)
      ]
  }

  /// Forward passes that the host's own part is worth: the baseline with its variances, once more
  /// for a device's set-up, two backward passes with theirs, and the least the textbook is asked.
  private static let hostPasses = 24.0
}

extension Graph {
  /// Multiply-adds of one forward pass: those of lanes of which every first input moves.
  var forwardWork: Double {
    nodes.enumerated().reduce(0) { total, numbered in
      guard case .apply(let operation, let inputs) = numbered.element.definition else {
        return total
      }
      let operands = inputs.enumerated().map { place, input in
        place == 0 ? LaneOperand(node: input, place: .slot(0), layout: .full) : nil
      }
      let step = LaneStep(
        action: .apply(operation), node: numbered.offset, inputs: operands,
        inputShapes: inputs.map { nodes[$0].shape }, outputShape: numbered.element.shape,
        output: LaneOperand(node: numbered.offset, place: .slot(0), layout: .full))
      return total + step.work
    }
  }
}

/// The way of a segment's lanes, and what its steps take.
struct SegmentWay {
  /// Nil where there is none.
  var plan: LanePlan?
  var steps: [StepWork] = []
  var refusal: String?

  init(_ graph: Graph, segment: Int) {
    do {
      let plan = try LanePlan(graph: graph, segment: segment, mode: .difference)
      steps = plan.steps.map { StepWork($0) }
      self.plan = plan
    } catch {
      refusal = "\(error)"
    }
  }

  var elementsPerLane: Int { plan?.elementsPerLane ?? 0 }
  var work: Double { steps.reduce(0) { $0 + $1.work } }
}

/// How many components of each segment a check takes, and in how many lanes: central differences,
/// and once more with half the step for those that truncation is measured on.
struct LaneCounts {
  var components: [Int]
  var lanes: [Int]

  init(_ layout: ParameterLayout, sample: Int) {
    components = layout.sampleCounts(sample)
    let isSample = sample < layout.count
    lanes = components.map {
      2 * $0 + 2 * CheckRun.truncationSample(of: $0, isSample: isSample)
    }
  }
}
