import Kernels

/// Lanes on an OpenCL device.
package final class OpenCLBackend: Backend {
  private let programs: ProgramCache

  package var name: String {
    let device = programs.context.device.description
    return "\(device.name) (\(device.platformName), driver \(device.driverVersion))"
  }

  package var supportsDouble: Bool { programs.context.device.description.supportsDouble }

  /// Opens the device and runs its self-test. Throws an `InputError` where it is refused.
  package init(_ device: Device, text: KernelText) throws {
    programs = ProgramCache(try Context(device), text: text)
    for result in SelfTest.run(programs) {
      if let failure = result.failure {
        throw InputError(failure, remedy: "choose another device, or cpu")
      }
    }
  }

  package func build(_ graph: Graph, mode: LaneMode, precision: Precision) throws {
    let plans = try graph.layout.segments.indices.map { try LanePlan(graph: graph, segment: $0) }
    _ = try OpenCLLanes.program(of: plans, mode: mode, precision, from: programs)
  }

  package func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    try OpenCLLanes(
      baseline, mode, precision, programs: programs, tieRoundoff: tieRoundoff)
  }
}
