import ArgumentParser
import Foundation
import GPUCheck
import Kernels

/// How the program ends.
enum Failure {
  /// The exit statuses, as README and `--help` name them.
  enum Status {
    static let failed = ExitCode(1)
    static let badInput = ExitCode(2)
    static let undecidable = ExitCode(3)
    static let interrupted: Int32 = 130
  }

  /// Ends the program with an error's status: help and version on stdout, anything else as one line
  /// on stderr.
  static func exit(_ error: any Error) -> Never {
    if let status = error as? ExitCode { Foundation.exit(status.rawValue) }
    if error is DeviceHang {
      // The driver would keep the program from ending.
      Terminal.tell(line(for: error))
      _exit(Status.badInput.rawValue)
    }
    if isOurs(error) { refuse(line(for: error)) }
    switch GPUCheckCommand.exitCode(for: error) {
    case .success:
      print(GPUCheckCommand.fullMessage(for: error))
      Foundation.exit(ExitCode.success.rawValue)
    case .validationFailure: refuse(usage(GPUCheckCommand.message(for: error)))
    default: refuse(line(for: error))
    }
  }

  private static func refuse(_ line: String) -> Never {
    Terminal.tell(line)
    Foundation.exit(Status.badInput.rawValue)
  }

  private static func isOurs(_ error: any Error) -> Bool {
    error is InputError || error is OpenCLError || error is KernelTextError
  }

  /// An error in one line.
  static func line(for error: any Error) -> String { (error as? OpenCLError)?.line ?? "\(error)" }

  /// The parser's message with the way to the help.
  private static func usage(_ message: String) -> String {
    let first = CommandLine.arguments.dropFirst().first ?? ""
    let command = GPUCheckCommand.commandNames.contains(first) ? "gpucheck \(first)" : "gpucheck"
    var text = message.prefix(1).lowercased() + message.dropFirst()
    if text.hasSuffix(".") { text.removeLast() }
    return "\(text) (see \(command) --help)"
  }
}
