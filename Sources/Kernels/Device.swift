import COpenCL
import Foundation

/// A device of this machine.
///
/// `@unchecked Sendable`: immutable; a root-level device's handle is not reference-counted and is
/// valid for the life of the process.
package final class Device: @unchecked Sendable {
  /// What it says about itself.
  package let description: DeviceDescription
  let cl: OpenCL
  let platform: OpaquePointer
  let handle: OpaquePointer

  init(
    cl: OpenCL, platform: OpaquePointer, handle: OpaquePointer, description: DeviceDescription
  ) {
    self.cl = cl
    self.platform = platform
    self.handle = handle
    self.description = description
  }

  /// Whether the device is a simulator, which is never chosen unless asked for by name or index.
  package var isSimulator: Bool { description.isSimulator }

  /// Its compute units as devices of their own, for `release`; none where the driver will not have it.
  func divide() -> [OpaquePointer] {
    let wanted = description.cores
    guard wanted > 1 else { return [] }
    let byOne = [cl_device_partition_property(CL_DEVICE_PARTITION_EQUALLY), 1, 0]
    var cores = [OpaquePointer?](repeating: nil, count: description.computeUnits)
    let status = cl.createSubDevices(handle, byOne, UInt32(cores.count), &cores, nil)
    return status == CL_SUCCESS ? cores.compactMap(\.self) : []
  }

  func release(cores: [OpaquePointer]) {
    for core in cores { _ = cl.releaseDevice(core) }
  }
}

/// The devices of this machine.
package enum Devices {
  /// Set to 1, this environment variable makes every device report that it has no double.
  package static let noDoubleVariable = "GPUCHECK_NO_DOUBLE"

  /// Whether `noDoubleVariable` is set to 1.
  package static var doubleIsForbidden: Bool {
    ProcessInfo.processInfo.environment[noDoubleVariable] == "1"
  }

  /// Every usable device of every platform, in order. What cannot be used (no loader, a platform
  /// that fails, a device older than OpenCL 1.2) is one line each among the problems.
  ///
  /// - Parameter library: Where the functions are from; nil for this process's own table, once
  ///   another process has shown that the drivers survive it (`DriverProbe`).
  package static func all(
    _ library: Result<OpenCL, OpenCLUnavailable>? = nil, withoutDouble: Bool = doubleIsForbidden
  ) -> (devices: [Device], problems: [String]) {
    if library == nil, let problem = DriverProbe.listingProblem { return ([], [problem]) }
    let cl: OpenCL
    switch library ?? OpenCL.shared {
    case .success(let loaded): cl = loaded
    case .failure(let reason): return ([], [reason.description])
    }
    listing.lock()
    defer { listing.unlock() }
    let platforms: [OpaquePointer]
    do {
      platforms = try handles("clGetPlatformIDs") { cl.getPlatformIDs($0, $1, $2) }
    } catch {
      return ([], [error.status == platformNotFound ? noPlatform : error.description])
    }
    if platforms.isEmpty { return ([], [noPlatform]) }
    var devices: [Device] = []
    var problems: [String] = []
    for (index, platform) in platforms.enumerated() {
      do throws(OpenCLError) {
        let found = try devicesOf(platform, index: index, cl: cl, withoutDouble: withoutDouble)
        devices += found.devices
        problems += found.problems
      } catch {
        problems.append("OpenCL platform \(index): \(error.summary)")
      }
    }
    return (devices, problems)
  }

  /// CL_PLATFORM_NOT_FOUND_KHR, of the extension cl_khr_icd.
  private static let platformNotFound: Int32 = -1001

  private static let noPlatform =
    "no OpenCL platform is installed; add a driver (an .icd file), such as PoCL"

  /// Held while devices are listed. OpenCL allows the calls from any thread, but PoCL 3.1 crashes
  /// where a second thread asks for a device's name while the first call still sets it up.
  private static let listing = NSLock()

  private static func devicesOf(
    _ platform: OpaquePointer, index: Int, cl: OpenCL, withoutDouble: Bool
  ) throws(OpenCLError) -> (devices: [Device], problems: [String]) {
    let info = InfoQuery("clGetPlatformInfo") { cl.getPlatformInfo(platform, $0, $1, $2, $3) }
    let name = try info.string(CL_PLATFORM_NAME)
    let version = try info.string(CL_PLATFORM_VERSION)
    let ids: [OpaquePointer]
    do throws(OpenCLError) {
      ids = try handles("clGetDeviceIDs") {
        cl.getDeviceIDs(platform, cl_device_type(UInt32.max), $0, $1, $2)
      }
    } catch {
      let reason = error.status == CL_DEVICE_NOT_FOUND ? "it has no device" : error.summary
      return ([], ["OpenCL platform \(index) (\(name)): \(reason)"])
    }
    var devices: [Device] = []
    var problems: [String] = []
    for (place, id) in ids.enumerated() {
      do throws(OpenCLError) {
        let facts = InfoQuery("clGetDeviceInfo") { cl.getDeviceInfo(id, $0, $1, $2, $3) }
        var description = try DeviceDescription(reading: facts)
        description.platformIndex = index
        description.deviceIndex = place
        description.platformName = name
        description.platformVersion = version
        if withoutDouble { description.supportsDouble = false }
        if let reason = try unusable(description, facts) {
          problems.append("OpenCL device \(description.summary): \(reason)")
        } else {
          devices.append(Device(cl: cl, platform: platform, handle: id, description: description))
        }
      } catch {
        problems.append("OpenCL device \(index):\(place) (\(name)): \(error.description)")
      }
    }
    return (devices, problems)
  }

  /// Why kernels cannot be built for the device; nil where they can.
  private static func unusable(
    _ description: DeviceDescription, _ facts: InfoQuery
  ) throws(OpenCLError) -> String? {
    if try facts.number(CL_DEVICE_AVAILABLE, as: cl_bool.self) == 0 { return "not available" }
    if try facts.number(CL_DEVICE_COMPILER_AVAILABLE, as: cl_bool.self) == 0 {
      return "its driver has no compiler"
    }
    if let version = description.versionNumber, (version.major, version.minor) < (1, 2) {
      return "it has \(description.version), and gpucheck needs 1.2"
    }
    return nil
  }

  /// The two calls that list handles: how many, then which.
  private static func handles(
    _ call: String,
    _ list: (UInt32, UnsafeMutablePointer<OpaquePointer?>?, UnsafeMutablePointer<UInt32>?) -> Int32
  ) throws(OpenCLError) -> [OpaquePointer] {
    var count: UInt32 = 0
    try check(list(0, nil, &count), call)
    guard count > 0 else { return [] }
    var found = [OpaquePointer?](repeating: nil, count: Int(count))
    try check(list(count, &found, nil), call)
    return found.compactMap { $0 }
  }
}

extension DeviceDescription {
  /// What the device answers to `clGetDeviceInfo`; its platform is left to the caller.
  init(reading facts: InfoQuery) throws(OpenCLError) {
    let type = try facts.number(CL_DEVICE_TYPE, as: cl_device_type.self)
    let extensions = try facts.string(CL_DEVICE_EXTENSIONS).split(separator: " ").map(String.init)
    // A device without double may refuse the question.
    let double = (try? facts.number(CL_DEVICE_DOUBLE_FP_CONFIG, as: cl_device_fp_config.self)) ?? 0
    let single = try facts.number(CL_DEVICE_SINGLE_FP_CONFIG, as: cl_device_fp_config.self)
    let local = try facts.number(CL_DEVICE_LOCAL_MEM_TYPE, as: cl_device_local_mem_type.self)
    func size(_ parameter: Int32) throws(OpenCLError) -> Int {
      Int(clamping: try facts.number(parameter, as: UInt64.self))
    }
    func count(_ parameter: Int32) throws(OpenCLError) -> Int {
      Int(clamping: try facts.number(parameter, as: UInt32.self))
    }
    self.init(
      name: try facts.string(CL_DEVICE_NAME),
      vendor: try facts.string(CL_DEVICE_VENDOR),
      kind: Kind(deviceType: type),
      version: try facts.string(CL_DEVICE_VERSION),
      driverVersion: try facts.string(CL_DRIVER_VERSION),
      globalMemory: try size(CL_DEVICE_GLOBAL_MEM_SIZE),
      maxAllocation: try size(CL_DEVICE_MAX_MEM_ALLOC_SIZE),
      localMemory: try size(CL_DEVICE_LOCAL_MEM_SIZE),
      hasDedicatedLocalMemory: local == cl_device_local_mem_type(CL_LOCAL),
      computeUnits: try count(CL_DEVICE_MAX_COMPUTE_UNITS),
      // Only estimates ask for it: a driver may fail to tell.
      clockMegahertz: (try? count(CL_DEVICE_MAX_CLOCK_FREQUENCY)) ?? 0,
      maxWorkGroupSize: try facts.number(CL_DEVICE_MAX_WORK_GROUP_SIZE, as: Int.self),
      supportsDouble: extensions.contains("cl_khr_fp64") || double != 0,
      singleArithmetic: Arithmetic(rawValue: single),
      doubleArithmetic: Arithmetic(rawValue: double),
      nativeVectorWidthFloat: try count(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT),
      nativeVectorWidthDouble: try count(CL_DEVICE_NATIVE_VECTOR_WIDTH_DOUBLE),
      extensions: extensions)
  }
}

extension DeviceDescription.Kind {
  /// The kind a device type's bits stand for; a device with several bits counts as the first here.
  init(deviceType: cl_device_type) {
    if deviceType & cl_device_type(CL_DEVICE_TYPE_GPU) != 0 {
      self = .gpu
    } else if deviceType & cl_device_type(CL_DEVICE_TYPE_ACCELERATOR) != 0 {
      self = .accelerator
    } else if deviceType & cl_device_type(CL_DEVICE_TYPE_CPU) != 0 {
      self = .cpu
    } else {
      self = .custom
    }
  }
}
