import ArgumentParser
import Foundation
import GPUCheck
import Kernels

/// `gpucheck self-test`: what gpucheck runs of itself before it trusts a driver. A driver that
/// aborts or hangs takes this process and not the check.
struct SelfTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "self-test",
    abstract: "Lists the devices, or tests one, and answers gpucheck itself.",
    shouldDisplay: false)

  /// This program, found where the system tells which it is; nil elsewhere.
  static var program: URL? {
    let link = URL(fileURLWithPath: "/proc/self/exe")
    return FileManager.default.isExecutableFile(atPath: link.path)
      ? link : Bundle.main.executableURL
  }

  @Argument(help: "The device, by its indices such as 0:0; without it the devices are listed.")
  var device: String?

  @Option(
    help: "Test this precision only, f32 or f64; may be repeated.",
    transform: { word in
      guard let precision = Precision(rawValue: word) else {
        throw ValidationError("found \"\(word)\", expected f32 or f64")
      }
      return precision
    })
  var precision: [Precision] = []

  @Option(help: "Read the kernels from this folder.")
  var kernels: String?

  func run() throws {
    // What drivers print on stdout goes to stderr, so that the answer stands alone.
    let output = FileHandle(fileDescriptor: dup(STDOUT_FILENO), closeOnDealloc: true)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    try output.write(
      contentsOf: DriverProbe.answer(
        device, KernelText(folder: kernels),
        precisions: precision.isEmpty ? nil : precision))
  }
}
