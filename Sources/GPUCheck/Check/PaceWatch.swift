/// Whether a check will keep to its budget, told early on from the pace of its first lanes.
///
/// What devices say of themselves is off by some times; what they just did is not. The pace is judged
/// when a fiftieth of the budget has passed since the first lanes came back, by when batches have
/// their size, and until a tenth has. A check that is still under way afterwards is not ended for
/// being late.
package struct PaceWatch: Sendable {
  private let budget: Double
  private let work: CheckWork
  private let layout: ParameterLayout
  /// Whether `--directional` could be used instead.
  private let hasDirections: Bool
  /// Where the pace was first looked at: what came before is a device's start.
  private var first: (seconds: Double, done: Double)?
  private var components = 0
  private var isJudged = false

  package init(budget: Double, _ work: CheckWork, _ layout: ParameterLayout, hasDirections: Bool) {
    self.budget = budget
    self.work = work
    self.layout = layout
    self.hasDirections = hasDirections
  }

  /// So many more components are done, so many seconds after the check began. Throws an `InputError`
  /// where the rest would take it beyond its budget.
  package mutating func advance(_ count: Int, seconds: Double) throws {
    components += count
    guard let first else {
      first = (seconds, work.done(components))
      return
    }
    let passed = seconds - first.seconds
    guard passed >= budget / 50, passed <= budget / 10 || !isJudged else { return }
    let done = work.done(components)
    guard done > first.done else { return }
    isJudged = true
    let pace = (done - first.done) / passed
    let estimate = seconds + (work.total - done) / pace
    if estimate > budget { throw refusal(estimate: estimate, pace: pace) }
  }

  private func refusal(estimate: Double, pace: Double) -> InputError {
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
