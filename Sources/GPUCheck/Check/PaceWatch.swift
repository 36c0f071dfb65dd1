/// Whether a check will keep to its budget, told early on from the pace of its first lanes.
///
/// What devices say of themselves is off by some times; what they just did is not. The pace is judged
/// when a fiftieth of the budget has passed since the first lanes came back, by when batches have
/// their size, and until a tenth has. A check that is still under way afterwards is not ended for
/// being late.
package struct PaceWatch: Sendable {
  private let budget: Double
  private let tellWork: @Sendable () -> CheckWork
  private lazy var work = tellWork()
  private let layout: ParameterLayout
  /// Whether `--directional` could be used instead.
  private let hasDirections: Bool
  /// Where the pace was first looked at: what came before is a device's start.
  private var first: (seconds: Double, components: Int)?
  private var components = 0
  private var isJudged = false

  /// - Parameter work: asked for when the pace is judged; most checks are done by then.
  package init(
    budget: Double, _ work: @escaping @Sendable () -> CheckWork, _ layout: ParameterLayout,
    hasDirections: Bool
  ) {
    self.budget = budget
    tellWork = work
    self.layout = layout
    self.hasDirections = hasDirections
  }

  /// So many more components are done, so many seconds after the check began. Throws an `InputError`
  /// where the rest would take it beyond its budget.
  package mutating func advance(_ count: Int, seconds: Double) throws {
    components += count
    guard let first else {
      first = (seconds, components)
      return
    }
    let passed = seconds - first.seconds
    guard passed >= budget / 50, passed <= budget / 10 || !isJudged else { return }
    let done = work.done(components)
    let sinceFirst = done - work.done(first.components)
    guard sinceFirst > 0 else { return }
    isJudged = true
    let pace = sinceFirst / passed
    let estimate = seconds + (work.total - done) / pace
    if estimate > budget { throw refusal(estimate: estimate, pace: pace) }
  }

  private mutating func refusal(estimate: Double, pace: Double) -> InputError {
    // A tenth is left for what is not known before: kinks, and components to be looked at again.
    let sample = work.sample(of: layout, within: 0.9 * budget * pace)
    let ways =
      (sample.map { ["--sample \($0), which fits"] } ?? [])
      + (hasDirections ? ["--directional 2"] : [])
    return InputError(
      "this check would take about \(TextFormat.seconds(estimate)), and --budget allows "
        + TextFormat.seconds(budget),
      remedy: "use " + (ways + ["--full to insist"]).joined(separator: ", or "))
  }
}
