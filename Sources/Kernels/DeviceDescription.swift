/// What a device says about itself, with the indices it is called by.
package struct DeviceDescription: Sendable, Equatable {
  /// The classes of device that OpenCL tells apart.
  package enum Kind: String, Sendable, CaseIterable {
    case gpu, accelerator, cpu, custom
  }

  /// The platform's place in the list of platforms, from 0.
  package var platformIndex: Int
  /// The device's place in its platform, from 0.
  package var deviceIndex: Int
  /// The platform's name, such as `Portable Computing Language`.
  package var platformName: String
  /// The platform's OpenCL version.
  package var platformVersion: String
  /// The device's name.
  package var name: String
  /// The device's vendor.
  package var vendor: String
  /// The device's class, by which a selector finds it.
  package var kind: Kind
  /// The device's OpenCL version, such as `OpenCL 1.2 …`.
  package var version: String
  /// The driver's version, part of every cache key.
  package var driverVersion: String
  /// Global memory, in bytes.
  package var globalMemory: Int
  /// The largest single buffer, in bytes.
  package var maxAllocation: Int
  /// Local memory of a work-group, in bytes.
  package var localMemory: Int
  /// Whether local memory is a memory of its own rather than a part of global memory.
  package var hasDedicatedLocalMemory: Bool
  /// How many work-groups can run at once, roughly: cores or multiprocessors.
  package var computeUnits: Int
  /// The highest clock, in MHz; 0 where the device does not say.
  package var clockMegahertz: Int
  /// The most work-items of a work-group.
  package var maxWorkGroupSize: Int
  /// Whether kernels may use `double`.
  package var supportsDouble: Bool
  /// What the device says about its arithmetic in f32.
  package var singleArithmetic: Arithmetic
  /// And in f64; empty where there is no double.
  package var doubleArithmetic: Arithmetic
  /// How many floats the hardware's vectors hold.
  package var nativeVectorWidthFloat: Int
  /// How many doubles the hardware's vectors hold; 0 where there is no double.
  package var nativeVectorWidthDouble: Int
  /// The names of the extensions.
  package var extensions: [String]

  /// A description from its parts; what is left out is that of a plain OpenCL 1.2 device.
  package init(
    platformIndex: Int = 0, deviceIndex: Int = 0, platformName: String = "",
    platformVersion: String = "OpenCL 1.2", name: String, vendor: String = "", kind: Kind,
    version: String = "OpenCL 1.2", driverVersion: String = "", globalMemory: Int = 0,
    maxAllocation: Int = 0, localMemory: Int = 0, hasDedicatedLocalMemory: Bool = false,
    computeUnits: Int = 1, clockMegahertz: Int = 0, maxWorkGroupSize: Int = 1,
    supportsDouble: Bool = true,
    singleArithmetic: Arithmetic = [.infinityAndNaN, .roundsToNearest],
    doubleArithmetic: Arithmetic = .ieee, nativeVectorWidthFloat: Int = 1,
    nativeVectorWidthDouble: Int = 1, extensions: [String] = []
  ) {
    self.platformIndex = platformIndex
    self.deviceIndex = deviceIndex
    self.platformName = platformName
    self.platformVersion = platformVersion
    self.name = name
    self.vendor = vendor
    self.kind = kind
    self.version = version
    self.driverVersion = driverVersion
    self.globalMemory = globalMemory
    self.maxAllocation = maxAllocation
    self.localMemory = localMemory
    self.hasDedicatedLocalMemory = hasDedicatedLocalMemory
    self.computeUnits = computeUnits
    self.clockMegahertz = clockMegahertz
    self.maxWorkGroupSize = maxWorkGroupSize
    self.supportsDouble = supportsDouble
    self.singleArithmetic = singleArithmetic
    self.doubleArithmetic = doubleArithmetic
    self.nativeVectorWidthFloat = nativeVectorWidthFloat
    self.nativeVectorWidthDouble = nativeVectorWidthDouble
    self.extensions = extensions
  }

  /// The indices that select the device, such as `0:1`.
  package var selector: String { "\(platformIndex):\(deviceIndex)" }

  /// One line: indices, name, kind and platform.
  package var summary: String { "\(selector) \(name) (\(kind.rawValue), \(platformName))" }

  /// Whether the device is a simulator, which is never chosen unless asked for by name or index.
  package var isSimulator: Bool { Quirks.isSimulator(self) }

  /// Whether the host's own cores do the work, one work-item after the other.
  package var isHost: Bool { kind == .cpu || isSimulator }

  /// How many batches it does best side by side, each on a core of its own; 1 where a batch has the whole
  /// device.
  package var cores: Int { Quirks.isBestByCores(self) ? computeUnits : 1 }

  /// Work-items that run side by side, on any device where they do: launches of whole groups of so many
  /// read and write whole lines of memory.
  package static let sideBySide = 64

  /// The work-group of a launch; nil for the driver's choice. A CPU's work-item fills the vectors by itself,
  /// and its drivers compile a kernel again for every new group size. Elsewhere neighbours along the first
  /// dimension go together: what a driver chooses must divide the launch, and can be as narrow as two.
  package func workGroup(of global: [Int]) -> [Int]? {
    let others = [Int](repeating: 1, count: max(0, global.count - 1))
    if isHost { return [1] + others }
    guard let across = global.first, across > 0, across.isMultiple(of: Self.sideBySide),
      maxWorkGroupSize >= Self.sideBySide
    else { return nil }
    return [Self.sideBySide] + others
  }

  /// The precisions a kernel can be built for here.
  package var precisions: [Precision] { supportsDouble ? [.f32, .f64] : [.f32] }

  /// Whether `-cl-fp32-correctly-rounded-divide-sqrt` is allowed.
  package var roundsSingleDivisionCorrectly: Bool { singleArithmetic.contains(.dividesCorrectly) }

  /// What the device says about its arithmetic in a precision.
  package func arithmetic(_ precision: Precision) -> Arithmetic {
    switch precision {
    case .f32: singleArithmetic
    // Division and square root in double are correctly rounded by the specification.
    case .f64: supportsDouble ? doubleArithmetic.union(.dividesCorrectly) : []
    }
  }

  /// The major and minor number in `version`; nil where it does not read `OpenCL M.N …`.
  package var versionNumber: (major: Int, minor: Int)? {
    let words = version.split(separator: " ")
    guard words.count >= 2, words[0] == "OpenCL" else { return nil }
    let numbers = words[1].split(separator: ".").compactMap { Int($0) }
    guard numbers.count == 2 else { return nil }
    return (numbers[0], numbers[1])
  }
}
