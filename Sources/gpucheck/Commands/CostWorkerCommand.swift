import ArgumentParser
import Foundation
import GPUCheck

/// `gpucheck cost-worker`: the process that a user's library runs in. One that crashes or hangs takes
/// this process and not the check.
struct CostWorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cost-worker",
    abstract: "Evaluates the cost of a library, and answers gpucheck itself.",
    shouldDisplay: false)

  @Argument(help: "The library.")
  var library: String

  @Argument(help: "A file that the library is told of.")
  var batch: String?

  func run() throws {
    // stdin and stdout are the library's; the pipes get numbers that its own children do not inherit.
    let input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
    let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    let nothing = open("/dev/null", O_RDONLY)
    dup2(nothing, STDIN_FILENO)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    CostLibrary.serve(library, batch: batch, input: input, output: output)
  }
}
