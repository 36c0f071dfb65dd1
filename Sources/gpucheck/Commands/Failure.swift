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
  /// on stderr, with the compiler's log under it where a kernel does not build.
  static func exit(_ error: any Error) -> Never {
    if let status = error as? ExitCode { Foundation.exit(status.rawValue) }
    if error is DeviceHang {
      // The driver would keep the program from ending.
      Terminal.tell(line(for: error))
      _exit(Status.badInput.rawValue)
    }
    if isOurs(error) { refuse(line(for: error), log: log(of: error)) }
    switch GPUCheckCommand.exitCode(for: error) {
    case .success:
      print(GPUCheckCommand.fullMessage(for: error))
      Foundation.exit(ExitCode.success.rawValue)
    case .validationFailure: refuse(usage(GPUCheckCommand.message(for: error)))
    default: refuse(line(for: error))
    }
  }

  private static func refuse(_ line: String, log: [String] = []) -> Never {
    Terminal.tell(line)
    for line in log { Terminal.draw("  \(TextFormat.plain(line))\n") }
    Foundation.exit(Status.badInput.rawValue)
  }

  private static func isOurs(_ error: any Error) -> Bool {
    error is InputError || error is OpenCLError || error is KernelTextError
      || error is CostBuildError
  }

  /// An error in one line.
  static func line(for error: any Error) -> String { (error as? OpenCLError)?.line ?? "\(error)" }

  /// The first lines of a build log.
  private static func log(of error: any Error) -> [String] {
    if let error = error as? CostBuildError { return shown(error.log) }
    guard let detail = (error as? OpenCLError)?.detail else { return [] }
    let lines = detail.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    return lines.count > 1 ? shown(lines) : []
  }

  private static func shown(_ lines: [String]) -> [String] {
    let left = lines.count - logLines
    return lines.prefix(logLines) + (left > 0 ? ["… and \(left) more lines"] : [])
  }

  private static let logLines = 40

  /// The parser's message with the way to the help.
  private static func usage(_ message: String) -> String {
    let first = CommandLine.arguments.dropFirst().first ?? ""
    let command = GPUCheckCommand.commandNames.contains(first) ? "gpucheck \(first)" : "gpucheck"
    var text = message.prefix(1).lowercased() + message.dropFirst()
    if text.hasSuffix(".") { text.removeLast() }
    return "\(text) (see \(command) --help)"
  }
}
