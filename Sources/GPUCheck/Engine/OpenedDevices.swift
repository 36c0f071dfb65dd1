import Foundation
import Kernels

/// Which devices a check may use, and how far it may go with them.
public struct DeviceOptions: Sendable {
  /// Devices that share the work: `auto` (GPU, other accelerator, OpenCL CPU, then the CPU without
  /// OpenCL), `cpu`, `gpu`, `gpu:1`, `PLATFORM:DEVICE`, or part of a name.
  public var selectors = ["auto"]
  /// A folder of kernels to use in the place of the embedded ones.
  public var kernelFolder: String?
  /// Bytes that buffers may take on each device, and a check on the host; nil for what there is.
  public var memoryLimit: Int?
  /// Seconds after which a device that does not answer is left.
  public var timeout = 60.0
  /// Whether a device that fails in the middle of a check may be left, and the check go on with the
  /// others and the CPU; the report says so. Never with kernels of one's own, whose faults are
  /// looked for.
  public var mayFallBack = true
  /// The precision that lanes will have, whose self-test is enough; nil for those of all.
  public var precision: PrecisionChoice?
  /// Whether events tell how long each kernel ran, for `CheckReport.profile`.
  public var profiles = false
  /// Which kernels lanes take on OpenCL devices, where not those that suit each.
  public var kernelChoice = KernelChoice()

  /// The devices of the given selectors.
  public init(_ selectors: [String] = ["auto"]) { self.selectors = selectors }

  /// The precisions that a device must be tested in; nil for all that it has.
  func precisions(of device: DeviceDescription) -> [Precision]? {
    switch precision {
    case nil: nil
    case .f32: [.f32]
    // Where it has no double that is said later on.
    case .f64: device.supportsDouble ? [.f64] : nil
    // One without double among several makes it f32 for all.
    case .auto: selectors.count == 1 && device.supportsDouble ? [.f64] : nil
    }
  }
}

/// The devices of a check, opened and tested.
struct OpenedDevices: Sendable {
  var backends: [any Backend] = []
  /// One for each device that can hang.
  var watchdogs: [Watchdog] = []
  /// What there is to say of how they were chosen.
  var notes: [String] = []

  /// Opens what the selectors name. Throws an `InputError` where one names no device, or one that
  /// fails its self-test; `auto` then takes the next one.
  init(_ options: DeviceOptions) throws {
    let text = KernelText(folder: options.kernelFolder)
    let wanted = options.selectors.map { $0.lowercased() }
    let (devices, problems) = wanted.allSatisfy { $0 == "cpu" } ? ([], []) : Devices.all()
    var notes = problems
    var taken: Set<String> = []
    for selector in options.selectors {
      let isAutomatic = selector.lowercased() == "auto" && options.kernelFolder == nil
      var left = devices
      search: while true {
        switch try Self.choose(selector, left, problems) {
        case .cpu:
          try Self.take("cpu", selector, &taken)
          backends.append(CPUBackend())
          if !problems.isEmpty { notes.append("running on the CPU without OpenCL") }
          break search
        case .opencl(let device):
          try Self.take(device.description.selector, selector, &taken)
          do {
            try open(device, text, options)
            break search
          } catch  where isAutomatic {
            notes.append(errorLine(error))
            left.removeAll { $0.description.selector == device.description.selector }
            if left.isEmpty { notes.append("running on the CPU without OpenCL") }
          }
        }
      }
    }
    self.notes = notes.isEmpty ? [] : [notes.joined(separator: "; ")]
  }

  /// Backends that are open already.
  init(_ backends: [any Backend], notes: [String] = []) {
    self.backends = backends
    self.notes = notes
  }

  /// The device that a selector names; where there is none, what is wrong with OpenCL here may be
  /// why.
  private static func choose(
    _ selector: String, _ devices: [Device], _ problems: [String]
  ) throws -> DeviceChoice {
    do {
      return try selectDevice(selector, from: devices)
    } catch {
      var error = error
      if !problems.isEmpty { error.problem += " (\(problems.joined(separator: "; ")))" }
      throw error
    }
  }

  private static func take(
    _ device: String, _ selector: String, _ taken: inout Set<String>
  ) throws {
    guard taken.insert(device).inserted else {
      throw InputError(
        "device \(device) is chosen twice, the second time as \"\(selector)\"",
        remedy: "name each device once")
    }
  }

  private mutating func open(
    _ device: Device, _ text: KernelText, _ options: DeviceOptions
  ) throws {
    // Where calls from two threads break a driver, its devices wait for each other.
    let name = device.description.name
    let shared = Quirks.allowsThreads(device.description) ? nil : watchdogs.first
    let watchdog =
      shared
      ?? Watchdog(
        device: name, limit: options.timeout,
        oneAtATime: !Quirks.allowsThreads(device.description))
    let backend = try watchdog.run("being opened") {
      try OpenCLBackend(
        device, text: text, precisions: options.precisions(of: device.description),
        memoryLimit: options.memoryLimit, profiles: options.profiles,
        choice: options.kernelChoice)
    }
    backends.append(WatchedBackend(backend, watchdog))
    watchdogs.append(watchdog)
  }
}
