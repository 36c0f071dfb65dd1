/// Kinks in a user's own code, which nothing tells of.
extension CheckRun {
  /// Truncation far beyond the rounding tells of kinks: components of which that is so are tried again
  /// with smaller steps, as long as that makes their bars smaller.
  mutating func sharpen() throws {
    func blunt(_ i: Int) -> Bool {
      estimates.flags[i].isEmpty
        && estimates.truncation[i] > 32 * Self.numericWidth * estimates.rounding[i]
    }
    var left = estimates.flags.indices.filter(blunt)
    var step = epsilon / 16
    while !left.isEmpty, step > Self.smallestStep {
      let before = estimates
      var stage = progress.stage("smaller steps", total: left.count)
      _ = try closeLook(at: left, by: close, steps: left.map { _ in step }) {
        try stage.advance($0)
      }
      func bar(_ i: Int, _ estimates: Estimates) -> Double {
        Self.numericWidth * estimates.rounding[i] + estimates.truncation[i]
      }
      // The first look knows less of kinks than these do: it is not held against them.
      let worse = left.filter {
        before.epsilon[$0] < epsilon && !(bar($0, estimates) < bar($0, before))
      }
      for i in worse where !estimates.flags[i].contains(.lost) {
        estimates.restore(i, from: before)
      }
      left = Set(left).subtracting(worse).sorted().filter(blunt)
      step /= 16
    }
  }

  /// The jump of the slope at a kink nearer than the half step: what the second differences with the
  /// full step and its half, over their steps, do not have of a smooth function. With |full − half|
  /// it covers the half step's error at any place of the kink.
  func kink(_ changes: [Perturbation.Change]) -> Double {
    let full = (changes[0].value + changes[1].value) / changes[0].step
    let half = (changes[2].value + changes[3].value) / changes[2].step
    return (2 * half - full).magnitude
  }
}
