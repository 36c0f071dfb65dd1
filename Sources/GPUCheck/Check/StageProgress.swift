/// Tells whoever watches how far a check is; cancels it where its task was cancelled.
struct StageProgress: Sendable {
  let start: ContinuousClock.Instant
  let report: (@Sendable (CheckProgress) -> Void)?
  /// Times the stages, where somebody asked.
  var clock: PhaseClock?

  /// Since the check began.
  var seconds: Double { (ContinuousClock.now - start).seconds }

  /// A stage of so many components.
  func stage(_ name: String, total: Int) -> Stage {
    clock?.enter(name)
    return Stage(owner: self, name: name, total: total)
  }

  struct Stage {
    let owner: StageProgress
    let name: String
    let total: Int
    private var done = 0

    init(owner: StageProgress, name: String, total: Int) {
      self.owner = owner
      self.name = name
      self.total = total
    }

    /// So many more are done.
    mutating func advance(_ count: Int) throws {
      try Task.checkCancellation()
      done += count
      owner.report?(
        CheckProgress(
          stage: name, done: done, total: total,
          seconds: owner.seconds))
    }
  }
}

extension Baseline {
  /// The same with the moments that lanes of so many components share: a stage, where there are any.
  func formingMoments(
    for components: Int, tieRoundoff: Double, _ progress: StageProgress
  ) throws -> Baseline {
    var stage: StageProgress.Stage?
    return try formingMoments(for: components, tieRoundoff: tieRoundoff) { units, all in
      if stage == nil { stage = progress.stage("series of units", total: all) }
      try stage?.advance(units)
    }
  }
}
