import ArgumentParser
import CMemory
import GPUCheck
import Kernels

/// The program: one file a subcommand.
@main
struct GPUCheckCommand: ParsableCommand {
  /// The one place where the version stands.
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "gpucheck",
    abstract: "Finds the bug in a back-propagation.",
    discussion: """
      Perturbs every parameter of a network by a small step, evaluates the cost for thousands of \
      perturbations at once, and says whether the gradient that your code computed is right and \
      which components are not.

      Examples:
        gpucheck check model.json --batch batch.npz \\
          --parameters theta.npz --gradient dtheta.npz
        gpucheck compare model.json --batch batch.npz --parameters theta.npz \
          --device cpu --device gpu
        gpucheck inspect model.onnx --batch batch.npz
        gpucheck devices
        gpucheck help check
        gpucheck --generate-completion-script bash    (or zsh, fish)
      """,
    version: version,
    subcommands: [
      CheckCommand.self, CompareCommand.self, InspectCommand.self, DevicesCommand.self,
      SelfTestCommand.self,
      CostWorkerCommand.self,
    ])

  static var commandNames: [String] {
    configuration.subcommands.compactMap { $0.configuration.commandName }
  }

  private static var shownNames: [String] {
    configuration.subcommands.filter { $0.configuration.shouldDisplay }
      .compactMap { $0.configuration.commandName }
  }

  static func main() {
    keep_memory_in_large_pages()
    do {
      // On Linux the standard library finds the arguments there; without it there is not even a name.
      guard CommandLine.argc > 0 else {
        throw InputError("the arguments cannot be read from /proc/self/cmdline; mount /proc")
      }
      // Only now: without arguments Foundation cannot say where the program is, and ends it.
      DriverProbe.program = SelfTestCommand.program
      try refuseUnknownCommand()
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Failure.exit(error)
    }
  }

  /// The parser would call a mistyped command an unexpected argument.
  private static func refuseUnknownCommand() throws {
    let names = shownNames + ["help"]
    guard let first = CommandLine.arguments.dropFirst().first, !first.hasPrefix("-"),
      !names.contains(first), !commandNames.contains(first)
    else { return }
    let near = nearestName(to: first, among: names).map { "; did you mean \($0)?" }
    throw InputError(
      "unknown command '\(first)'" + (near ?? ", expected \(names.joined(separator: ", "))"))
  }
}
