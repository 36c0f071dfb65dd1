import Foundation

extension DirectionalRun {
  /// Everything the run found; times and devices are left to the caller.
  func report(
    _ judged: [[JudgedRay]], _ places: [Int: [WrongPlace]],
    _ agreement: CheckReport.TextbookAgreement
  ) -> CheckReport {
    let layout = problem.graph.layout
    let all = judged.flatMap(\.self)
    let nonFinite = NonFinite.finding(in: problem.gradient)
    let standings = judged.map { Standing($0) }
    let bars = norm(all) { $0.bar }
    let sizes = norm(all) { $0.accepted } + norm(all) { $0.ray.analytic }
    // The size of what is summed: slopes that cancel are no reason to doubt the check.
    let summed = norm(all) { $0.ray.gradientScale }
    let floor = sizes > 0 ? bars / sizes : 0
    let isNoisy = bars > CheckRun.undecidable * (sizes + summed)
    let distance = Self.distance(all)
    let isWrong = standings.contains(.wrong) || nonFinite != nil
    let isDecidable = !isNoisy && !standings.contains(.undecided)
    var verdict = Verdict(
      distance: distance, noiseFloor: floor, allWithinBars: !isWrong, decidable: isDecidable)
    var passed = !isWrong && isDecidable && distance <= max(options.tolerance, floor)
    var warnings: [String] = []
    if let expected = options.expectedCost, !expected.agrees(with: baseline.cost) {
      (passed, verdict) = (false, .wrong)
      warnings.append(
        "the cost is \(baseline.cost) here and \(expected.value) in your code: the gradients cannot "
          + "agree; compare the model file, the batch, the loss's reduction and the regularisation "
          + "first")
    } else if !agreement.passed {
      (passed, verdict) = (false, .undecidable)
      warnings.append(
        "the textbook evaluator disagrees with this result along some of \(agreement.components) "
          + "directions: gpucheck or this device computes wrongly; try --device cpu and report it")
    } else if isNoisy, !isWrong {
      warnings.append(
        "errors of this evaluation alone can make a distance of \(TextFormat.rough(floor)), too much "
          + "to tell right from wrong; use --precision f64")
    }
    for (part, standing) in zip(layout.segments, standings) where standing == .undecided {
      warnings.append(
        "\(part.name) cannot be told right from wrong: elements stand on a kink along its directions; "
          + "look at its components with --sample")
    }
    let flags = all.map(\.measurement.flags)
    var kinks = CheckReport.Kinks()
    kinks.tied = flags.filter { $0.contains(.tied) }.count
    kinks.crossed = flags.filter { !$0.isEmpty }.count - kinks.tied
    var report = CheckReport(
      passed: passed, verdict: verdict, relativeDifference: distance, noiseFloor: floor,
      cost: baseline.cost, parameters: layout.count,
      checked: all.isEmpty ? 0 : layout.count, evaluator: .difference,
      precision: precision.rawValue, scheme: .central, epsilon: epsilon, device: "",
      seconds: .init(), tensors: zip(layout.segments, judged).map(tensor), worst: [],
      wrong: all.filter { !$0.isWithinBar }.count,
      kinks: kinks,
      textbookAgreement: agreement, findings: [nonFinite].compactMap(\.self), warnings: warnings,
      numeric: [], uncertainty: [])
    report.directional = DirectionalReport(
      directions: directions,
      tensors: layout.segments.indices.map {
        directional(layout.segments[$0], judged[$0], standings[$0], places[$0] ?? [])
      })
    return report
  }

  private func norm(_ rays: [JudgedRay], _ value: (JudgedRay) -> Double) -> Double {
    var norm = ScaledNorm()
    for ray in rays where value(ray).isFinite { norm.add(value(ray)) }
    return norm.value
  }

  private static func distance(_ rays: [JudgedRay]) -> Double {
    relativeDifference(rays.map(\.accepted), rays.map(\.ray.analytic))
  }

  private func tensor(_ part: ParameterLayout.Segment, _ rays: [JudgedRay]) -> TensorReport {
    let wrong = rays.filter { !$0.isWithinBar }.count
    return TensorReport(
      name: part.name, shape: part.shape, checked: rays.isEmpty ? 0 : part.count, wrong: wrong,
      relativeDifference: Self.distance(rays), passed: wrong == 0,
      kinks: rays.filter { !$0.measurement.flags.isEmpty }.count, worst: nil)
  }

  private func directional(
    _ part: ParameterLayout.Segment, _ rays: [JudgedRay], _ standing: Standing,
    _ places: [WrongPlace]
  ) -> DirectionalReport.Tensor {
    let squares = rays.reduce(0) { $0 + $1.measurement.numeric * $1.measurement.numeric }
    return DirectionalReport.Tensor(
      name: part.name, shape: part.shape,
      slopes: rays.map {
        DirectionalReport.Slope(
          analytic: $0.ray.analytic, numeric: $0.accepted, uncertainty: $0.bar,
          passed: $0.isWithinBar)
      },
      passed: standing == .right, isUndecided: standing == .undecided,
      detectable: Self.detectable(rays),
      typical: rays.isEmpty ? 0 : (squares / Double(rays.count)).squareRoot(), places: places)
  }

  /// An error of one component that would have been seen along some ray: there it is moved by a
  /// Gaussian v, and what the bar lets pass may hide as much again.
  static func detectable(_ rays: [JudgedRay]) -> Double {
    guard let deviation = rays.first?.ray.direction.deviation else { return 0 }
    let hidden = rays.map { 2 * $0.bar + $0.kinkWidth }.max() ?? 0
    return hidden / (deviation * leastGaussian(rays.count))
  }

  /// What the largest of so many Gaussians exceeds with the report's probability.
  static func leastGaussian(_ count: Int) -> Double {
    let allBelow = pow(1 - DirectionalReport.probability, 1 / Double(count))
    var (low, high) = (0.0, 8.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if erf(middle / 2.0.squareRoot()) < allBelow { low = middle } else { high = middle }
    }
    return low
  }
}

extension JudgedRay {
  /// What was measured; at a kink the accepted slope that is nearest to dθ·v.
  var accepted: Double { deviation.isNaN ? measurement.numeric : ray.analytic - deviation }
}
