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

  /// Whether the host's own cores do the work.
  private var isHost: Bool { device.kind == .cpu || device.isSimulator }

  /// Work-items wanted in one launch: enough to fill the device, few where each is costly to start.
  var workItems: Int {
    isHost ? 64 * device.computeUnits : 4096 * device.computeUnits
  }

  /// The work-group of a launch in so many dimensions; nil for the driver's choice.
  func workGroup(dimensions: Int) -> [Int]? { device.workGroup(dimensions: dimensions) }

  /// How many batches may be on their way to the device and back at a time: two, where all memory that is
  /// left beside tables of so many bytes holds the least of both.
  func streams(_ plans: [LanePlan], _ precision: Precision, beside tables: Int) -> Int {
    let largest = plans.map(\.elementsPerLane).max() ?? 0
    return plans.contains(where: takesTurns) && Quirks.allowsThreads(device)
      && 4 * vectorWidth * largest * precision.bytes <= memoryLimit - tables ? 2 : 1
  }

  /// Whether batches of a plan go two at a time, so that the host prepares one while the device works at
  /// the other. A CPU is the host itself: it gains where the host's part is a large one, and otherwise
  /// loses what its caches hold of a batch.
  func takesTurns(_ plan: LanePlan) -> Bool {
    plan.isAllChain || !isHost
  }

  /// Lanes of a batch: as many as fit the memory (what a CPU's caches hold, or an eighth of a device
  /// of its own, and never more than is left beside tables of so many bytes), no buffer beyond the
  /// device's largest, no more than all components need, a multiple of two vectors. A chain's lanes hold
  /// next to nothing: there it is the time of a launch that ends a batch, at whole blocks of units that
  /// share what they read. Throws an `InputError` where the least batch is too large for the limit.
  func lanes(
    _ plan: LanePlan, _ precision: Precision, components: Int, beside tables: Int, streams: Int,
    chain: (work: Double, inputs: Int)? = nil
  ) throws -> Int {
    let unit = 2 * vectorWidth
    let laneBytes = plan.elementsPerLane * precision.bytes
    let left = (memoryLimit - tables) / streams
    guard unit * laneBytes <= left else {
      throw Self.refusal(
        needed: tables + unit * laneBytes, allowed: memoryLimit, on: device.name)
    }
    let share = min(device.globalMemory / 8, 1 << 30, left)
    let bytes = isHost ? min(8 << 20, share) : share
    let largest = device.maxAllocation / (max(plan.widestSlot, 2) * precision.bytes)
    let useful = Self.roundUp(4 * components, to: unit)
    guard let chain else {
      return unit * Self.spread(max(1, min(bytes / laneBytes, largest, useful, 1 << 20) / unit))
    }
    let timely = Int(Self.launchWork / max(chain.work, 1))
    let lanes = max(unit, min(share / laneBytes, largest, useful, timely, Self.chainLanes))
    let block = unit * chain.inputs
    let whole = lanes < block ? unit : block
    return lanes / whole * whole
  }

  /// Lanes of a batch that moments serve: the time of a launch that ends a batch, at whole blocks of units.
  func lanes(_ entry: MomentLayout.Entry, _ precision: Precision) -> Int {
    let unit = 2 * vectorWidth
    let timely = Int(Self.launchWork / Double(entry.samples * (StepSeries.order + 1)))
    let fit = min(memoryLimit / 8, device.maxAllocation) / (2 * precision.bytes)
    let useful = Self.roundUp(2 * entry.components, to: unit)
    let lanes = max(unit, min(timely, fit, useful, isHost ? 1 << 18 : 1 << 22))
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

  /// So many units of lanes, or one less where that is even: elements that lie a power of two apart
  /// would push each other out of the caches.
  static func spread(_ units: Int) -> Int {
    units >= 16 && units.isMultiple(of: 2) ? units - 1 : units
  }

  /// The error for a network that does not fit the memory that may be used.
  static func refusal(needed: Int, allowed: Int, on place: String) -> InputError {
    InputError(
      "this network needs at least \(TextFormat.bytes(needed)) on \(place), and "
        + "\(TextFormat.bytes(allowed)) may be used",
      remedy: "allow more with --memory, choose another device, or take --precision f32")
  }

  /// The lanes of a launch for so many that are wanted: whole units, an odd number of them where one
  /// more costs little, unless they are a chain's. No more than a capacity made by `lanes` that holds
  /// those wanted.
  static func padded(_ count: Int, unit: Int, isChain: Bool) -> Int {
    let units = max(1, (count + unit - 1) / unit)
    return unit * (!isChain && units >= 16 && units.isMultiple(of: 2) ? units + 1 : units)
  }

  static func roundUp(_ count: Int, to unit: Int) -> Int { (count + unit - 1) / unit * unit }
}
