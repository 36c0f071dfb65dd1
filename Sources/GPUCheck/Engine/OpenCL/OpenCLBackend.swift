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
    // Any θ will do, and zeros are at hand.
    let zeros = [Double](repeating: 0, count: graph.layout.count)
    let blank = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: zeros))
    try OpenCLLanes(blank, mode, precision, programs: programs, tieRoundoff: 0).warmUp()
  }

  package func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    try OpenCLLanes(
      baseline, mode, precision, programs: programs, tieRoundoff: tieRoundoff)
  }
}
