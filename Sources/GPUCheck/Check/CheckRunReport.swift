import Foundation

extension CheckRun {
  /// Everything the run found, as a report; times and device are left to the caller.
  func report(_ agreement: CheckReport.TextbookAgreement) -> CheckReport {
    let all = estimates.components.indices
    let wrong = outside()
    let distance = distance(all)
    let bars = norm(all) { bar($0) }
    // NaN and infinities have a finding of their own; they say nothing of the noise.
    let nonFinite = NonFinite.finding(in: gradient)
    let finite = nonFinite == nil ? Array(all) : all.filter { analytic($0).isFinite }
    let sizes = norm(finite) { accepted($0) }.value + norm(finite) { analytic($0) }.value
    let floor = sizes > 0 ? bars.value / sizes : 0
    // The size of what is summed: a gradient that is zero because its terms cancel is no reason to
    // doubt the check.
    let summed = norm(all) { max(scales.gradient[estimates.components[$0]], nearbySlope) }.value
    let isNoisy = bars.value > Self.undecidable * (sizes + summed)
    let decidable = !isNoisy && lost.isEmpty
    var verdict = Verdict(
      distance: distance, noiseFloor: floor, allWithinBars: wrong.isEmpty && nonFinite == nil,
      decidable: decidable)
    var warnings: [String] = []
    var passed =
      wrong.isEmpty && nonFinite == nil && decidable && distance <= max(options.tolerance, floor)
    if let expected = options.expectedCost, !expected.agrees(with: cost) {
      passed = false
      verdict = .wrong
      warnings.append(
        "the cost is \(cost) here and \(expected.value) in your code: the gradients cannot agree; "
          + "compare the model file, the batch, the loss's reduction and the regularisation first")
    } else if !agreement.passed {
      passed = false
      verdict = .undecidable
      warnings.append(
        "the textbook evaluator disagrees with this result on some of \(agreement.components) "
          + "components: gpucheck or this device computes wrongly; try --device cpu and report it")
    } else if verdict == .undecidable, isNoisy {
      warnings.append(
        "errors of this evaluation alone can make a distance of \(short(floor)), too much to tell "
          + "right from wrong; " + remedy)
    }
    if !wrong.isEmpty, wrong.allSatisfy({ isSingleRounding($0) }) {
      warnings.append(
        "every difference has the size of float32 rounding: if this gradient was computed in "
          + "float32, save it as float32 and it will be judged as one")
    }
    let tensors = tensors()
    let asked = estimates.count + lost.count
    if estimates.count > 0, asked < layout.count {
      let confidence = SampleConfidence.sentence(tensors).map { ": \($0)" } ?? ""
      warnings.append("\(asked) of \(layout.count) components were sampled" + confidence)
    }
    var report = CheckReport(
      passed: passed, verdict: verdict, relativeDifference: distance, noiseFloor: floor,
      cost: cost, parameters: layout.count, checked: estimates.count,
      evaluator: options.evaluator, precision: perturbation.precision.rawValue,
      scheme: options.scheme, epsilon: epsilon, device: "", seconds: .init(),
      tensors: tensors, worst: worst(options.top, all).map(component),
      wrong: wrong.count, kinks: kinks, textbookAgreement: agreement,
      findings: [nonFinite].compactMap(\.self),
      warnings: warnings, numeric: scattered { accepted($0) }, uncertainty: scattered { bar($0) })
    report.costNoise = costNoise
    report.lost = lost.map {
      let (segment, at) = layout.locate($0)
      let part = layout.segments[segment]
      return CheckReport.Lost(
        tensor: part.name, index: unravel(at, shape: part.shape), reason: "it did not come back")
    }
    return report
  }

  /// Beyond this share of what is measured, noise hides the difference between right and wrong.
  static let undecidable = 1e-3

  /// What would decide it.
  private var remedy: String {
    if costNoise != nil {
      return "compute the cost in double, or average what is random in it with --average"
    }
    if options.evaluator != .difference { return "use --evaluator difference" }
    if perturbation.precision == .f32 { return "use --precision f64, or --device cpu" }
    return "use --epsilon auto"
  }

  /// Whether a component outside its bar would be within it, had dθ been computed in float32.
  private func isSingleRounding(_ i: Int) -> Bool {
    let single = ElementType.float32.unitRoundoff * scales.gradient[estimates.components[i]]
    return deviation(i).magnitude <= bar(i) + Self.gradientWidth * single
  }

  private func short(_ value: Double) -> String { String(format: "%.1e", value) }

  // MARK: Components

  private func analytic(_ i: Int) -> Double { gradient.values[estimates.components[i]] }

  /// dθ_approx; at a tie the accepted slope that is nearest to dθ.
  private func accepted(_ i: Int) -> Double {
    guard let slopes = estimates.slopes[i], !analytic(i).isNaN else { return estimates.numeric[i] }
    return min(max(analytic(i), slopes.lowerBound), slopes.upperBound)
  }

  func norm(_ range: some Sequence<Int>, _ value: (Int) -> Double) -> ScaledNorm {
    var norm = ScaledNorm()
    for i in range { norm.add(value(i)) }
    return norm
  }

  private func distance(_ range: some Collection<Int>) -> Double {
    relativeDifference(range.map { accepted($0) }, range.map { analytic($0) })
  }

  /// By how far outside its bar a component is; NaN first.
  private func excess(_ i: Int) -> Double {
    let deviation = deviation(i).magnitude
    if deviation.isNaN { return .infinity }
    let bar = bar(i)
    return bar > 0 ? deviation / bar : (deviation > 0 ? .infinity : 0)
  }

  /// So many components that are farthest outside, worst first.
  func worst(_ count: Int, _ range: some Collection<Int>) -> [Int] {
    var worst: [(i: Int, excess: Double)] = []
    func isBefore(_ a: (i: Int, excess: Double), _ b: (i: Int, excess: Double)) -> Bool {
      (b.excess, a.i) < (a.excess, b.i)
    }
    // The last of the worst when they were last sorted: what is not before it is none of them.
    var limit: (i: Int, excess: Double)?
    for i in range {
      let next = (i, excess(i))
      if let limit, !isBefore(next, limit) { continue }
      worst.append(next)
      guard worst.count >= 2 * count + 64 else { continue }
      worst = Array(worst.sorted(by: isBefore).prefix(count))
      limit = worst.last
    }
    return worst.sorted(by: isBefore).prefix(count).map(\.i)
  }

  private func component(_ i: Int) -> ComponentReport {
    let (segment, at) = layout.locate(estimates.components[i])
    let part = layout.segments[segment]
    return ComponentReport(
      tensor: part.name, index: unravel(at, shape: part.shape), analytic: analytic(i),
      numeric: accepted(i), uncertainty: bar(i), passed: isWithinBar(i))
  }

  private func scattered(_ value: (Int) -> Double) -> [Double] {
    var all = [Double](repeating: .nan, count: layout.count)
    for i in estimates.components.indices { all[estimates.components[i]] = value(i) }
    return all
  }

  // MARK: Tensors

  private func tensors() -> [TensorReport] {
    var first = 0
    return layout.segments.map { part in
      var last = first
      while last < estimates.count, part.range.contains(estimates.components[last]) { last += 1 }
      let range = first..<last
      first = last
      let wrong = range.filter { !isWithinBar($0) }.count
      return TensorReport(
        name: part.name, shape: part.shape, checked: range.count, wrong: wrong,
        relativeDifference: distance(range), passed: wrong == 0,
        kinks: range.filter { !estimates.flags[$0].isEmpty }.count,
        worst: range.max { (excess($0), $1) < (excess($1), $0) }.map(component))
    }
  }

  private var kinks: CheckReport.Kinks {
    var kinks = CheckReport.Kinks()
    for flags in estimates.flags {
      if flags.contains(.tied) {
        kinks.tied += 1
      } else if flags.contains(.crossed) {
        kinks.crossed += 1
      }
    }
    return kinks
  }
}
