import Kernels

/// Lanes on an OpenCL device.
package final class OpenCLBackend: Backend {
  private let programs: ProgramCache
  /// Lanes of one work-item where not the device's own number.
  private let vectorWidth: Int?
  private let memoryLimit: Int?
  private let selfTests: [SelfTestResult]

  package var name: String {
    let device = programs.context.device.description
    return "\(device.name) (\(device.platformName), driver \(device.driverVersion))"
  }

  package var supportsDouble: Bool { programs.context.device.description.supportsDouble }

  package var tested: TestedDevice? {
    TestedDevice(description: programs.context.device.description, selfTests: selfTests)
  }

  /// Opens the device and runs its self-test. Throws an `InputError` where it is refused.
  ///
  /// - Parameters:
  ///   - vectorWidth: Lanes of one work-item; nil for what suits the device. Tests run the kernels
  ///     as a GPU does, one lane a work-item, on any device.
  ///   - memoryLimit: Bytes that buffers may take on the device; nil for the device's own limit.
  package init(
    _ device: Device, text: KernelText, vectorWidth: Int? = nil, memoryLimit: Int? = nil
  ) throws {
    programs = ProgramCache(try Context(device), text: text)
    self.vectorWidth = vectorWidth
    self.memoryLimit = memoryLimit
    selfTests = SelfTest.run(programs)
    for result in selfTests {
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
    try lanes(blank, mode, precision, tieRoundoff: 0).warmUp()
  }

  package func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    try lanes(baseline, mode, precision, tieRoundoff: tieRoundoff)
  }

  private func lanes(
    _ baseline: Baseline, _ mode: LaneMode, _ precision: Precision, tieRoundoff: Double
  ) throws -> OpenCLLanes {
    let device = programs.context.device.description
    let specialisation =
      vectorWidth.map { Specialisation(precision: precision, vectorWidth: $0) }
      ?? Specialisation(precision: precision, for: device)
    return try OpenCLLanes(
      baseline, mode, specialisation, programs: programs, tieRoundoff: tieRoundoff,
      memoryLimit: memoryLimit)
  }
}
