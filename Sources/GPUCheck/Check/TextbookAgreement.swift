import Foundation

extension CheckRun {
  /// Has the textbook evaluate the worst, some failing and some random components with the steps
  /// that made their `numeric`: both are then the same difference of J, up to rounding. At least
  /// four, and more while they take less than a tenth of the evaluation's time.
  mutating func askTextbook(evaluationSeconds: Double) throws -> CheckReport.TextbookAgreement {
    guard let textbook else {
      return CheckReport.TextbookAgreement(components: 0, relativeDifference: 0, passed: true)
    }
    let chosen = componentsToAsk()
    var stage = progress.stage("textbook", total: chosen.count)
    var given: [Double] = []
    var judged: [Double] = []
    var agrees = true
    let start = ContinuousClock.now
    for group in stride(from: 0, to: chosen.count, by: 4) {
      if group > 0, (ContinuousClock.now - start).seconds > evaluationSeconds / 10 { break }
      for i in chosen[group..<min(group + 4, chosen.count)] {
        let (ours, bar) = try ownDifference(i)
        let judgement = try textbookDifference(i, textbook)
        given.append(ours)
        judged.append(judgement.value)
        if !((ours - judgement.value).magnitude <= bar + judgement.bar) { agrees = false }
        try stage.advance(1)
      }
    }
    return CheckReport.TextbookAgreement(
      components: given.count, relativeDifference: relativeDifference(given, judged),
      passed: agrees)
  }

  /// The worst two, up to 14 that fail, and random ones; without kinks as far as there are any,
  /// since their steps are too small for a textbook.
  private func componentsToAsk() -> [Int] {
    let plain = estimates.flags.indices.filter { estimates.flags[$0].isEmpty }
    let all = plain.count >= 4 ? plain : Array(estimates.flags.indices)
    var random = SplitMix64(seed: options.seed ^ 0x7465_7874_626f_6f6b)
    let failing = outside().filter { estimates.flags[$0].isEmpty || plain.count < 4 }
      .filter { deviation($0).isFinite }
    var chosen = worst(2, failing.isEmpty ? all : failing)
    chosen += draw(14, of: failing.indices, using: &random).map { failing[$0] }
    chosen += draw(48, of: all.indices, using: &random).map { all[$0] }.shuffled(using: &random)
    var seen: Set<Int> = []
    return chosen.filter { seen.insert($0).inserted }
  }

  /// The steps at which both are asked: those that made `numeric`, unless they are too small for a
  /// textbook to tell anything.
  private func question(_ i: Int) -> (scheme: Scheme, epsilon: Double, isOwn: Bool) {
    let best = StepSize.automatic(.textbook, .central, .f64)
    let own = estimates.epsilon[i].magnitude
    let least = estimates.scheme[i] == .central ? best / 100 : best / 1e4
    return own < least ? (.central, best, false) : (estimates.scheme[i], own, true)
  }

  /// What the check says of a component; where it asked the textbook itself, exact differences.
  private func ownDifference(_ i: Int) throws -> (value: Double, bar: Double) {
    let (scheme, epsilon, isOwn) = question(i)
    if isOwn, options.evaluator != .textbook {
      return (estimates.numeric[i], Self.gradientWidth * estimates.rounding[i] + scatter(i))
    }
    let source = options.evaluator == .difference ? perturbation : close
    return (
      try slope(i, source, scheme, epsilon),
      Self.gradientWidth * rounding(i, source, step: epsilon)
    )
  }

  /// Where costs are subtracted, what halving the step changed is rounding too.
  private func scatter(_ i: Int) -> Double {
    perturbation.mode == .value ? estimates.truncation[i] : 0
  }

  private func textbookDifference(_ i: Int, _ textbook: Perturbation) throws -> (
    value: Double, bar: Double
  ) {
    let (scheme, epsilon, _) = question(i)
    // Two costs are subtracted, each with the rounding error of a whole forward pass.
    let span = (scheme == .central ? 2 : 1) * epsilon
    return (
      try slope(i, textbook, scheme, epsilon),
      Self.gradientWidth * 2.0.squareRoot() * costDeviation / span
    )
  }

  private func slope(_ i: Int, _ source: Perturbation, _ scheme: Scheme, _ epsilon: Double) throws
    -> Double
  {
    let steps = scheme.steps.map { $0 * epsilon }
    return scheme.slope(try source.changes(of: [estimates.components[i]], .same(steps))[0])
  }
}

extension Duration {
  /// The duration in seconds.
  package var seconds: Double {
    Double(components.seconds) + 1e-18 * Double(components.attoseconds)
  }
}
