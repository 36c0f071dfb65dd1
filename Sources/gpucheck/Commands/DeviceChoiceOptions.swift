import ArgumentParser
import GPUCheck
import Kernels

/// Where perturbations are evaluated. Shared by the commands that perturb.
struct DeviceChoiceOptions: ParsableArguments {
  /// The environment variable that names the devices where `--device` does not.
  static let variable = "GPUCHECK_DEVICE"
  /// Which kernels lanes take, as words of a `KernelChoice` (docs/devices.md).
  static let kernelVariable = "GPUCHECK_KERNELS"

  @Option(
    help: .init(
      "auto, cpu, gpu, gpu:1, an index such as 0:0, or part of a name, as gpucheck devices lists "
        + "them; repeated, they share the work of a check, or are compared. (default: "
        + "\(variable), else auto)",
      valueName: "selector"),
    completion: .list(["auto", "cpu", "gpu"]))
  var device: [String] = []

  @Option(
    parsing: .unconditional,
    help: .init(
      "Memory to use at most, of each device and of the host, such as 512M or 2G. (default: what "
        + "there is)", valueName: "size"),
    transform: OptionValue.bytes)
  var memory: Int?

  @Option(
    parsing: .unconditional,
    help: .init(
      "Leave a device that does not answer for so long. (default: 60)", valueName: "seconds"),
    transform: OptionValue.seconds)
  var deviceTimeout = DeviceOptions().timeout

  @Option(
    help: .init("Read the kernels from this folder, for work on them.", valueName: "folder"),
    completion: .directory)
  var kernels: String?

  /// The options as the library takes them.
  private func options(_ precision: PrecisionChoice?, profiles: Bool) throws -> DeviceOptions {
    let preset = Terminal.environment(Self.variable)
    var options = DeviceOptions(
      !device.isEmpty
        ? device : preset.map { $0.split(separator: ",").map(String.init) } ?? ["auto"])
    options.kernelFolder = kernels
    options.memoryLimit = memory
    options.timeout = deviceTimeout
    options.precision = precision
    options.profiles = profiles
    do {
      options.kernelChoice = try KernelChoice(Terminal.environment(Self.kernelVariable) ?? "")
    } catch let error as InputError {
      throw error.inFile(Self.kernelVariable)
    }
    return options
  }

  /// Opens the devices, for a `Checker` or a `Comparer`.
  ///
  /// - Parameter precision: that of the lanes; nil where they come in several.
  func open<Opened>(
    _ precision: PrecisionChoice? = nil, profiles: Bool = false,
    _ opened: (DeviceOptions) throws -> Opened
  ) throws -> Opened {
    // A folder that is none would count as a device that fails.
    if let kernels { _ = try KernelText(folder: kernels).text("common.cl") }
    let options = try options(precision, profiles: profiles)
    do {
      return try opened(options)
    } catch let error as InputError
      where device.isEmpty && Terminal.environment(Self.variable) != nil
    {
      throw error.inFile(Self.variable)
    }
  }
}
