import ArgumentParser
import Foundation
import GPUCheck

/// Where and how a result is written. Shared by the commands that perturb.
struct OutputOptions: ParsableArguments {
  @Option(
    help: .init("For people or for programs. (default: text)", valueName: "text|json"),
    completion: OptionValue.completion(OutputFormat.self), transform: OptionValue.choice)
  var format = OutputFormat.text

  @OptionGroup var destination: DestinationOptions

  var output: String? { destination.output }
  var quiet: Bool { destination.quiet }
  var takesColour: Bool { destination.takesColour }
  var path: OutputPath? { destination.path }

  /// Writes the result.
  func write(_ text: String) throws { try destination.write(text) }
}

/// Where a result goes, in whatever form.
struct DestinationOptions: ParsableArguments {
  @Option(
    help: .init("Write the result to this file instead of stdout.", valueName: "file"),
    completion: .file())
  var output: String?

  @Flag(help: "Nothing on stderr but errors.")
  var quiet = false

  /// Whether text may hold escape sequences for colour.
  var takesColour: Bool { output == nil && Terminal.takesColour }

  /// The file to write, to be looked at before the work; nil for stdout.
  var path: OutputPath? { output.map { OutputPath(option: "--output", path: $0) } }

  /// Writes the result.
  func write(_ text: String) throws {
    if let output {
      try OutputFile.write(Data(text.utf8), to: output)
    } else {
      try Terminal.write(text)
    }
  }
}
