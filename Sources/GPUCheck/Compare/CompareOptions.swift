/// What a comparison is asked to do.
public struct CompareOptions: Sendable {
  /// `difference`, `direct` or both; the textbook is always asked.
  public var evaluators: [Evaluator] = [.difference]
  /// The precisions to run; `auto` is each that a device has.
  public var precisions: [PrecisionChoice] = [.auto]
  public var scheme = Scheme.central
  /// The step of all runs; nil for the largest of those that the runs would take by themselves.
  public var epsilon: Double?
  /// How many components to compare, drawn evenly from all tensors; nil for all.
  public var sample: Int?
  /// The seed of everything that is drawn.
  public var seed: UInt64 = 0
  /// How many of the worst components to list.
  public var top = 10

  public init() {}
}
