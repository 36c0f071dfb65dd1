import Kernels
import Synchronization

/// Lanes on an OpenCL device.
package final class OpenCLBackend: Backend {
  private let programs: ProgramCache
  private let memoryLimit: Int?
  private let choice: KernelChoice
  /// Whether large products go in tiles, in each precision where that was measured.
  private let tiles = Mutex<[Precision: Bool]>([:])
  private let cache: DiskCache?
  private let buildNotes = Mutex<[String]>([])
  private let selfTests: [SelfTestResult]
  package let profile: LaneProfile?

  package var name: String {
    let device = programs.context.device.description
    return "\(device.name) (\(device.platformName), driver \(device.driverVersion))"
  }

  package var supportsDouble: Bool { programs.context.device.description.supportsDouble }

  package var tested: TestedDevice? {
    TestedDevice(description: programs.context.device.description, selfTests: selfTests)
  }

  /// Opens the device once it has passed its self-test, now or at an earlier time. Throws an
  /// `InputError` where it is refused.
  ///
  /// - Parameters:
  ///   - precisions: Those that are tested; nil for all that the device has.
  ///   - memoryLimit: Bytes that buffers may take on the device; nil for the device's own limit.
  ///   - cache: Where the results of the self-test and of measurements are kept; nil to run them.
  ///   - profiles: Whether kernels are timed.
  ///   - choice: Tests run the kernels as a GPU does, one lane a work-item, on any device.
  package init(
    _ device: Device, text: KernelText, precisions: [Precision]? = nil, memoryLimit: Int? = nil,
    cache: DiskCache? = .standard, profiles: Bool = false, choice: KernelChoice = KernelChoice()
  ) throws {
    self.choice = choice
    self.cache = cache
    profile = profiles ? LaneProfile() : nil
    selfTests = SelfTest.results(device, text: text, cache: cache, precisions: precisions)
    if let failure = selfTests.firstFailure {
      throw InputError(failure, remedy: "choose another device, or cpu")
    }
    programs = ProgramCache(try Context(device, divided: true), text: text)
    self.memoryLimit = memoryLimit
  }

  package func build(
    _ graph: Graph, mode: LaneMode, precision: Precision, components: Int
  ) throws {
    var graph = graph
    if mode == .difference, takesMoments, let plan = MomentPlan(graph, components: components) {
      try OpenCLMoments.warmUp(specialisation(precision), programs)
      let layout = try MomentLayout(graph, plan.chain, layers: Set(plan.layers))
      if layout.servesAll {
        guard layout.entries.contains(where: { $0?.movesOthers == true }) else { return }
        graph = graph.leavingOut(term: plan.chain.term)
      }
    }
    let chain = chain(of: graph, mode)
    let plans = try OpenCLLanes.plans(of: graph, mode, chain)
    _ = prefersTiles(specialisation(precision))
    guard plans.allSatisfy({ $0.elementsPerLane <= Self.warmedElements }) else {
      // A lane through a large network takes long, and says nothing that building does not.
      _ = try OpenCLLanes.program(
        of: plans.map { FusedSteps.groups(of: $0, mode, fuses: fusesSteps) }, mode: mode, chain,
        specialisation(precision), from: programs)
      return
    }
    // Any θ will do, and zeros are at hand.
    let zeros = [Double](repeating: 0, count: graph.layout.count)
    let blank = Baseline(
      graph: graph, parameters: try ParameterVector(layout: graph.layout, values: zeros)
    )
    let lanes = try lanes(
      blank, mode, precision, tieRoundoff: 0, memoryLimit: memoryLimit, profile: nil)
    try lanes.warmUp()
    buildNotes.withLock { $0 += lanes.notes }
  }

  package var notes: [String] { buildNotes.withLock(\.self) }

  package func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    let usual = { @Sendable [self] (baseline: Baseline, beside: Int) in
      try lanes(
        baseline, mode, precision, tieRoundoff: tieRoundoff,
        memoryLimit: memoryLimit.map { $0 - beside }, profile: profile)
    }
    guard mode == .difference, takesMoments, let layout = try MomentLayout(baseline) else {
      return try usual(baseline, 0)
    }
    let specialisation = specialisation(precision)
    let bytes = OpenCLMoments.byteCount(baseline, layout.chain, specialisation)
    let device = programs.context.device.description
    // Kernels count what they read in 32 bits.
    guard bytes <= min(memoryLimit ?? .max, device.globalMemory, device.maxAllocation) / 2,
      bytes / precision.bytes <= Int32.max
    else { return try usual(baseline, 0) }
    let moments = try OpenCLMoments(
      baseline, layout.chain, specialisation, programs: programs, memoryLimit: memoryLimit,
      profile: profile)
    return try MomentLanes(moments, layout, baseline, precision) { try usual($0, bytes) }
  }

  package func prepare(
    _ source: CostSource, at parameters: ParameterVector, precision: Precision
  ) throws -> any LaneEvaluator {
    try OpenCLCost(
      source, at: parameters, precision, programs.context, programs.text, memoryLimit: memoryLimit)
  }

  /// Elements of a lane up to which one is sent through every tensor's way before a check, so that
  /// drivers which finish compiling at the first launch have done so.
  private static let warmedElements = 1 << 18

  private func specialisation(_ precision: Precision) -> Specialisation {
    choice.vectorWidth.map { Specialisation(precision: precision, vectorWidth: $0) }
      ?? Specialisation(precision: precision, for: programs.context.device.description)
  }

  package var takesMoments: Bool { choice.takesMoments ?? choice.takesChains ?? true }

  /// A work-item of a chain holds whole layers in memory of its own, which only CPUs have.
  private var takesChains: Bool {
    let device = programs.context.device.description
    return choice.takesChains ?? (device.kind == .cpu && !device.isSimulator)
  }

  /// The chain that lanes take; nil where they go step by step.
  private func chain(of graph: Graph, _ mode: LaneMode) -> LaneChain? {
    mode == .difference && takesChains ? LaneChain.ofKernel(graph) : nil
  }

  private var fusesSteps: Bool { choice.fusesSteps ?? true }

  private func prefersTiles(_ specialisation: Specialisation) -> Bool {
    if let chosen = choice.usesTiles { return chosen && specialisation.vectorWidth == 1 }
    return tiles.withLock { tiles in
      if let known = tiles[specialisation.precision] { return known }
      let found = ProductTuning.prefersTiles(programs, specialisation, cache: cache)
      tiles[specialisation.precision] = found
      return found
    }
  }

  private func lanes(
    _ baseline: Baseline, _ mode: LaneMode, _ precision: Precision, tieRoundoff: Double,
    memoryLimit: Int?, profile: LaneProfile?
  ) throws -> OpenCLLanes {
    let specialisation = specialisation(precision)
    return try OpenCLLanes(
      baseline, mode, chain: chain(of: baseline.graph, mode), specialisation,
      usesTiles: prefersTiles(specialisation), fusesSteps: fusesSteps,
      programs: programs, tieRoundoff: tieRoundoff, memoryLimit: memoryLimit, profile: profile)
  }
}
