import ArgumentParser
import GPUCheck

/// Which components are perturbed, and how far. Shared by the commands that perturb.
struct StepOptions: ParsableArguments {
  @Option(
    help: .init(
      "Which differences approximate the derivative. (default: central)",
      valueName: "central|forward|backward"),
    completion: OptionValue.completion(Scheme.self), transform: OptionValue.choice)
  var scheme = Scheme.central

  @Option(
    parsing: .unconditional,
    help: .init(
      "The step, a number above 0; auto by precision and scheme. (default: auto)",
      valueName: "auto|x"),
    transform: StepOption.parse)
  var epsilon = StepOption.automatic

  @Option(
    parsing: .unconditional,
    help: .init(
      "Check about so many components, drawn evenly, at least four of a tensor. (default: all)",
      valueName: "n"),
    transform: { try OptionValue.count($0, atLeast: 1) })
  var sample: Int?

  @Option(
    parsing: .unconditional, help: .init("The seed of what is drawn. (default: 0)", valueName: "s"),
    transform: OptionValue.seed)
  var seed: UInt64 = 0
}
