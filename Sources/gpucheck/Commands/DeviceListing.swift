import GPUCheck
import Kernels

/// A device of the listing: one of OpenCL's, or the host's CPU.
struct ListedDevice {
  /// What `--device` takes: `0:0`, or `cpu`.
  var index: String
  /// nil for the host's CPU.
  var platform: String?
  var name: String
  var vendor: String
  /// `gpu`, `accelerator`, `cpu` or `custom`.
  var type: String
  var version: String?
  var driver: String?
  var memoryBytes: Int
  var computeUnits: Int
  /// Whether kernels have double.
  var double: Bool
  var isSimulator = false
  /// One for each precision; none for the host's CPU, whose arithmetic the others are held to.
  var selfTests: [SelfTestResult] = []

  /// The first thing that speaks against the device, in one line; nil where it passed.
  var failure: String? { selfTests.firstFailure }

  /// Whether the self-test was an earlier one.
  var isCached: Bool { !selfTests.isEmpty && selfTests.allSatisfy(\.isCached) }
}

/// The devices of this machine, each with the result of its self-test.
struct DeviceListing {
  var devices: [ListedDevice] = []
  /// What cannot be used, one line each.
  var problems: [String] = []
  /// What `--device auto` takes.
  var automatic = "cpu"

  /// Asks OpenCL and tests every device, calling `willTest` with the device's summary before;
  /// `again` runs the tests whatever is known from earlier times.
  init(again: Bool, willTest: (String) -> Void) {
    let (found, problems) = Devices.all()
    self.problems = problems
    for device in found {
      willTest(device.description.summary)
      devices.append(ListedDevice(testing: device, again: again))
    }
    let usable = found.indices.filter { devices[$0].failure == nil }.map { found[$0] }
    if case .opencl(let device)? = try? selectDevice("auto", from: usable) {
      automatic = device.description.selector
    }
    devices.append(ListedDevice(HostCPU()))
  }
}

extension ListedDevice {
  fileprivate init(testing device: Device, again: Bool) {
    let facts = device.description
    self.init(
      index: facts.selector, platform: facts.platformName, name: facts.name, vendor: facts.vendor,
      type: facts.kind.rawValue, version: facts.version, driver: facts.driverVersion,
      memoryBytes: facts.globalMemory, computeUnits: facts.computeUnits,
      double: facts.supportsDouble, isSimulator: facts.isSimulator,
      selfTests: SelfTest.results(device, again: again))
  }

  fileprivate init(_ host: HostCPU) {
    self.init(
      index: "cpu", name: host.name, vendor: host.vendor, type: "cpu",
      memoryBytes: host.memoryBytes, computeUnits: host.cores, double: true)
  }
}
