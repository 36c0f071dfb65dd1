import Kernels

/// How large batches and launches are on a device. No choice here changes the order of a sum.
struct LaneSizing {
  private let device: DeviceDescription
  private let vectorWidth: Int
  let memoryLimit: Int

  /// - Parameter memoryLimit: bytes that all buffers together may take; nil for no limit but the
  ///   device's.
  init(_ device: DeviceDescription, vectorWidth: Int, memoryLimit: Int?) {
    self.device = device
    self.vectorWidth = vectorWidth
    self.memoryLimit = min(memoryLimit ?? .max, device.globalMemory)
  }

  private var isHost: Bool { device.isHost }

  /// Work-items wanted in one launch: enough to fill the device, few where each is costly to start.
  var workItems: Int {
    isHost ? 64 * device.computeUnits : 4096 * device.computeUnits
  }

  /// How many batches may be on their way to the device and back at a time: one for each core of a device
  /// that is divided, and otherwise two, where all memory that is left beside tables of so many bytes holds
  /// the least of all.
  func streams(_ plans: [LanePlan], _ precision: Precision, beside tables: Int) -> Int {
    let largest = plans.map(\.elementsPerLane).max() ?? 0
    let wanted = max(2, device.cores)
    return plans.contains(where: takesTurns) && Quirks.allowsThreads(device)
      && wanted * unit * largest * precision.bytes <= memoryLimit - tables ? wanted : 1
  }

  /// Whether batches of a plan go side by side: each on a core, or so that the host prepares one while the
  /// device works at the other. A CPU that is not divided is the host itself: it gains where the host's part
  /// is a large one, and otherwise loses what its caches hold of a batch.
  func takesTurns(_ plan: LanePlan) -> Bool {
    device.cores > 1 || plan.isAllChain || !isHost
  }

  /// Lanes of a batch: as many as fit the memory (what a CPU's caches hold, or an eighth of a device
  /// of its own, and never more than is left beside tables of so many bytes), no buffer beyond the
  /// device's largest, about as many as all components need. A chain's lanes hold
  /// next to nothing: there it is the time of a launch that ends a batch, at whole blocks of units that
  /// share what they read. Throws an `InputError` where the least batch is too large for the limit.
  func lanes(
    _ plan: LanePlan, _ precision: Precision, components: Int, beside tables: Int, streams: Int,
    chain: (work: Double, inputs: Int)? = nil
  ) throws -> Int {
    let laneBytes = plan.elementsPerLane * precision.bytes
    let left = (memoryLimit - tables) / streams
    guard unit * laneBytes <= left else {
      throw Self.refusal(
        needed: tables + unit * laneBytes, allowed: memoryLimit, on: device.name)
    }
    let share = min(device.globalMemory / 8, 1 << 30, left)
    let bytes = isHost ? min(8 << 20, share) : share
    let largest = device.maxAllocation / (max(plan.widestSlot, 2) * precision.bytes)
    let useful = Self.roundUp(4 * components, to: isHost ? unit : DeviceDescription.sideBySide)
    guard let chain else {
      return capacity(atMost: min(bytes / laneBytes, largest, useful, 1 << 20))
    }
    let timely = Int(Self.launchWork / max(chain.work, 1))
    let lanes = max(unit, min(share / laneBytes, largest, useful, timely, Self.chainLanes))
    let block = unit * chain.inputs
    let whole = lanes < block ? unit : block
    return lanes / whole * whole
  }

  /// Lanes of a batch that moments serve: the time of a launch that ends a batch, at whole blocks of units.
  func lanes(_ entry: MomentLayout.Entry, _ precision: Precision) -> Int {
    let timely = Int(Self.launchWork / Double(entry.samples * MomentKernels.terms))
    let fit = min(memoryLimit / 8, device.maxAllocation) / (2 * precision.bytes)
    let useful = Self.roundUp(2 * entry.components, to: unit)
    let lanes = max(unit, min(timely, fit, isHost ? 1 << 18 : 1 << 22))
    if useful <= lanes { return useful }
    let block = entry.isBias ? unit : entry.inputStride == 1 ? unit * entry.ins : 2 * entry.outs
    let whole = lanes < block ? unit : block
    return lanes / whole * whole
  }

  /// How many work-items share the inputs of a block of units.
  func shares(of inputs: Int, blocks: Int) -> Int {
    isHost ? max(1, min(inputs, workItems / blocks)) : inputs
  }

  /// The most lanes of a chain's launch: what the host prepares of them stays in its caches.
  private static let chainLanes = 1 << 16
  /// Multiply-adds of one launch: about a tenth of a second on two cores.
  private static let launchWork = 2e9

  /// The least lanes of a launch.
  private var unit: Int { 2 * vectorWidth }

  /// The most lanes up to a number that a launch may have, and a unit at least.
  func capacity(atMost lanes: Int) -> Int { launchable(lanes, isChain: false, roundsUp: false) }

  /// The lanes of a launch for so many that are wanted: no more than a capacity that holds these.
  func padded(_ count: Int, isChain: Bool) -> Int {
    launchable(count, isChain: isChain, roundsUp: true)
  }

  /// Lanes that a launch may have. On the host an odd number of units: elements that lie a power of two apart
  /// would push each other out of the caches. Elsewhere groups of work-items that are full. A chain's are any
  /// number of units.
  private func launchable(_ lanes: Int, isChain: Bool, roundsUp: Bool) -> Int {
    let wholes = { (size: Int) in max(1, (roundsUp ? lanes + size - 1 : lanes) / size) }
    let group = DeviceDescription.sideBySide
    if !isHost, !isChain, lanes >= group { return wholes(group) * group }
    let units = wholes(unit)
    let isEven = isHost && !isChain && units >= 16 && units.isMultiple(of: 2)
    return unit * (isEven ? units + (roundsUp ? 1 : -1) : units)
  }

  /// The error for a network that does not fit the memory that may be used.
  static func refusal(needed: Int, allowed: Int, on place: String) -> InputError {
    InputError(
      "this network needs at least \(TextFormat.bytes(needed)) on \(place), and "
        + "\(TextFormat.bytes(allowed)) may be used",
      remedy: "allow more with --memory, choose another device, or take --precision f32")
  }

  static func roundUp(_ count: Int, to unit: Int) -> Int { (count + unit - 1) / unit * unit }
}
