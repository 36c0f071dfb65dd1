import Kernels

/// What a check is about to do, told before it does.
public struct CheckPlan: Sendable {
  /// How much it is to do, first looks and truncation.
  public var effort: CheckEstimate.Effort
  /// Bytes of the largest usual batch on one device, tables included.
  public var deviceBytes: Int
  /// Of evaluation, by what the devices say of themselves: rough.
  public var seconds: Double
  /// Where.
  public var device: String

  /// `205,864 lanes, 0.29 GFLOP, 15.3 MiB of the host's memory and …, about 0.2 s on …`.
  public var line: String {
    let memory =
      TextFormat.bytes(effort.hostBytes)
      + (deviceBytes > 0 ? " here and \(TextFormat.bytes(deviceBytes)) there" : "")
    return "\(TextFormat.count(effort.lanes, "lane")), "
      + "\(TextFormat.short(2e-9 * effort.work)) GFLOP, \(memory), very roughly "
      + "\(TextFormat.seconds(seconds)) on \(device)"
  }
}

extension Checker {
  /// The plan of a check of components by exact differences; nil for others: they take whole passes, or
  /// far fewer lanes.
  public func plan(_ problem: Problem, _ options: CheckOptions) -> CheckPlan? {
    guard options.evaluator == .difference, options.directions == nil, !options.isPerUnit else {
      return nil
    }
    var inspect = InspectOptions()
    inspect.precision = options.precision
    inspect.sample = options.sample.map { min($0, problem.graph.layout.count) }
    let opened = devices.backends.compactMap { $0.tested?.description }
    let estimate = CheckEstimate(problem.graph, inspect, devices: opened)
    // The last is the CPU without OpenCL.
    let used =
      opened.count < devices.backends.count ? estimate.devices : estimate.devices.dropLast()
    let times = used.map { inspect.sample == nil ? $0.fullSeconds : $0.sampleSeconds ?? 0 }
    let pace = times.reduce(0) { $0 + ($1 > 0 ? 1 / $1 : 0) }
    return CheckPlan(
      effort: inspect.sample == nil ? estimate.full : estimate.sample ?? estimate.full,
      deviceBytes: used.map(\.usualBytes).max() ?? 0, seconds: pace > 0 ? 1 / pace : 0,
      device: deviceName)
  }
}
