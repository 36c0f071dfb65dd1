import Foundation
import GPUCheck
import Kernels
import Testing

/// The backends that every table runs on. Each is opened once and shared.
enum TestBackend: String, Sendable, CaseIterable, CustomTestStringConvertible {
  case cpu = "CPU"
  case pocl = "PoCL"
  /// PoCL as a device without double. That nothing compiled for it uses one anyway, RegistryTests
  /// sees to.
  case poclWithoutDouble = "PoCL without double"

  var testDescription: String { rawValue }

  var precisions: [Precision] { self == .poclWithoutDouble ? [.f32] : [.f64, .f32] }

  /// The backend, opened at the first call. Throws where there is none: a machine without PoCL
  /// fails the tests rather than skipping them.
  func open() throws -> any Backend {
    switch self {
    // Operator by operator, which is what tables are about; LaneChainTests has the chains.
    case .cpu: CPUBackend(takesChains: false)
    case .pocl: try Self.sharedPoCL.get()
    case .poclWithoutDouble: try Self.sharedPoCLWithoutDouble.get()
    }
  }

  private static let sharedPoCL = Result<any Backend, any Error> { try open(KernelText()) }

  private static let sharedPoCLWithoutDouble = Result<any Backend, any Error> {
    try open(KernelText(), withoutDouble: true)
  }

  /// An OpenCL CPU with kernels of one's own.
  static func open(
    _ text: KernelText, withoutDouble: Bool = false, takesChains: Bool? = nil
  ) throws -> any Backend {
    var choice = KernelChoice()
    choice.takesChains = takesChains
    return try OpenCLBackend(
      poclDevice(withoutDouble: withoutDouble), text: text, cache: nil, choice: choice)
  }

  /// Of which kind the device is that tables run on: `GPUCHECK_TEST_DEVICE=gpu` takes them to a GPU, where
  /// the suites make sense that `benchmarks/gpu_round.py` names.
  private static let deviceKind =
    ProcessInfo.processInfo.environment["GPUCHECK_TEST_DEVICE"]
    .flatMap(DeviceDescription.Kind.init) ?? .cpu

  /// The machine's first OpenCL device of the kind, never a simulator.
  static func poclDevice(withoutDouble: Bool = false) throws -> Device {
    let (devices, problems) = Devices.all(withoutDouble: withoutDouble)
    return try #require(
      devices.first { $0.description.kind == deviceKind && !$0.isSimulator },
      "no OpenCL \(deviceKind.rawValue), such as PoCL's: \(problems)")
  }
}

/// A folder with the text of kernels/, each file as `edit` returns it. It lives as long as the
/// process, since programs may be built from it at any time.
func editedKernels(_ edit: (_ name: String, _ text: String) throws -> String) throws -> URL {
  let folder = editedKernelFolder.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  for name in KernelText.names {
    let text = try edit(name, KernelText().text(name))
    try Data(text.utf8).write(to: folder.appendingPathComponent(name))
  }
  return folder
}

/// The kernels with one line of one file changed; the line must be there.
func kernels(_ file: String, replacing right: String, by wrong: String) throws -> KernelText {
  var found = false
  let folder = try editedKernels { name, text in
    guard name == file else { return text }
    found = text.contains(right)
    return text.replacingOccurrences(of: right, with: wrong)
  }
  try #require(found, "\(file) has no '\(right)'")
  return KernelText(folder: folder.path)
}

private let editedKernelFolder: URL = {
  atexit { try? FileManager.default.removeItem(at: processFolder()) }
  return processFolder()
}()

private func processFolder() -> URL {
  FileManager.default.temporaryDirectory
    .appendingPathComponent("gpucheck-kernels-\(ProcessInfo.processInfo.processIdentifier)")
}
