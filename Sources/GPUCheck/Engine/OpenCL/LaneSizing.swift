import Kernels

/// How large batches and launches are on a device. No choice here changes the order of a sum.
struct LaneSizing {
  private let device: DeviceDescription
  private let vectorWidth: Int

  init(_ device: DeviceDescription, vectorWidth: Int) {
    self.device = device
    self.vectorWidth = vectorWidth
  }

  /// Work-items wanted in one launch: enough to fill the device, few where each is costly to start.
  var workItems: Int {
    device.kind == .cpu || device.isSimulator
      ? 64 * device.computeUnits : 4096 * device.computeUnits
  }

  /// The work-group of a launch in so many dimensions; nil for the driver's choice. A CPU's work-item
  /// fills the vectors by itself, and its drivers compile a kernel again for every new group size.
  func workGroup(dimensions: Int) -> [Int]? {
    device.kind == .cpu || device.isSimulator ? [Int](repeating: 1, count: dimensions) : nil
  }

  /// Memory for the lanes of a batch: what a CPU's caches hold, or an eighth of a device of its own.
  private var bytes: Int {
    let share = min(device.globalMemory / 8, 1 << 30)
    return device.kind == .cpu || device.isSimulator ? min(8 << 20, share) : share
  }

  /// Lanes of a batch: as many as fit the memory, no buffer beyond the device's largest, no more
  /// than all components need, a multiple of two vectors.
  func lanes(_ plan: LanePlan, _ precision: Precision, components: Int) -> Int {
    let unit = 2 * vectorWidth
    let fit = bytes / (plan.elementsPerLane * precision.bytes)
    let largest = device.maxAllocation / (max(plan.widestSlot, 2) * precision.bytes)
    let useful = Self.roundUp(4 * components, to: unit)
    return max(unit, min(fit, largest, useful, 1 << 20) / unit * unit)
  }

  static func roundUp(_ count: Int, to unit: Int) -> Int { (count + unit - 1) / unit * unit }
}
