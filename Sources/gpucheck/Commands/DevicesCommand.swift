import ArgumentParser
import GPUCheck

/// `gpucheck devices`: what a check can run on.
struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "Lists the devices a check can run on.",
    discussion: """
      Every OpenCL device with the result of its self-test, and the CPU, on which checks run \
      without OpenCL. The self-test runs once per device, driver and version; --retest runs it \
      again. --device of gpucheck check takes the index or part of a name. A simulator \
      is never chosen automatically.

      Examples:
        gpucheck devices
        gpucheck devices --format json

      Exit status: 0, also where there is no OpenCL at all; then a line on stderr says why.
      """)

  @Option(
    help: .init("For people or for programs. (default: text)", valueName: "text|json"),
    completion: OptionValue.completion(OutputFormat.self), transform: OptionValue.choice)
  var format = OutputFormat.text

  @Flag(help: "Run the self-tests again, whatever is known from earlier times.")
  var retest = false

  func run() throws {
    let progress = ProgressLine(quiet: false)
    Interrupt.handle { progress.clear() }
    let listing = DeviceListing(again: retest) { progress.show("testing \($0)") }
    progress.clear()
    listing.problems.forEach { Terminal.tell($0) }
    switch format {
    case .text: try Terminal.write(listing.text)
    case .json: try Terminal.write(listing.json())
    }
  }
}
