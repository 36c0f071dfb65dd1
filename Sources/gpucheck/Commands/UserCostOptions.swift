import ArgumentParser
import GPUCheck

/// How a cost of the user's own is asked.
struct UserCostOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: .init(
      "Ask a cost of your own so often for each of its values, and take the mean. (default: 1)",
      valueName: "n"),
    transform: { try OptionValue.count($0, atLeast: 1) })
  var average = CheckOptions().average

  @Option(
    parsing: .unconditional,
    help: .init(
      "How long one evaluation of a --library may take. (default: 60)", valueName: "seconds"),
    transform: OptionValue.seconds)
  var costTimeout = 60.0
}
