import Foundation
import Kernels

/// One check, stage by stage: evaluate every component, try again where a kink was crossed, measure
/// truncation, look again at what seems wrong, and ask the textbook.
struct CheckRun {
  let layout: ParameterLayout
  /// J(θ), and the standard rounding error of evaluating it in f64.
  let cost: Double
  let costDeviation: Double
  let options: CheckOptions
  let epsilon: Double
  let gradient: ParameterVector
  /// Sends components through the evaluator that was asked for.
  let perturbation: Perturbation
  /// For components that deserve a closer look: exact differences in f64, where there are any.
  let close: Perturbation
  /// The judge; nil where it is the textbook itself that is asked.
  let textbook: Perturbation?
  let scales: ErrorScales
  var estimates: Estimates
  let progress: StageProgress
  /// Whether the check keeps to its budget; nil where it has none.
  var pace: PaceWatch?
  /// The standard error of one cost, where it was measured: of a user's own code.
  var costNoise: Double?
  /// The size of a component of the gradient some way off θ, where it was measured.
  var nearbySlope = 0.0
  /// Where the first differences come from, unless from lanes of every component.
  var units: UnitSource?
  /// Components of which a lane never came back: nothing is known of them.
  private(set) var lost: [Int] = []
  /// What the subtraction of two costs leaves of their rounding, as the standard error of dθ_approx
  /// times its step; 0 for exact differences.
  private(set) var subtraction = 0.0

  /// How many standard errors a bar leaves for the rounding of dθ_approx and of dθ. Of 400,000
  /// components in f32 the worst came to 2.4 and 2.4 (docs/error-bars.md); dθ has more room, since
  /// nobody knows in which order its sums were formed.
  static let numericWidth = 4.0
  static let gradientWidth = 6.0

  private var scheme: Scheme { options.scheme }

  /// The whole check, and its report; device and set-up are left to the caller. Where the user's cost
  /// is another one nothing is evaluated: the gradients cannot agree.
  mutating func complete() throws -> CheckReport {
    if let expected = options.expectedCost, !expected.agrees(with: cost) {
      estimates = Estimates([], scheme: scheme)
    } else {
      try evaluate()
      try lookAgain()
    }
    let evaluation = progress.seconds
    lost = estimates.removeLost()
    let agreement = try askTextbook(evaluationSeconds: evaluation)
    progress.clock?.enter("report")
    var report = report(agreement)
    report.seconds.evaluation = evaluation
    report.seconds.total = progress.seconds
    return report
  }

  /// Evaluates all components, and settles kinks and truncation.
  private mutating func evaluate() throws {
    if let units { try takeUnitDifferences(units) } else { try firstDifferences() }
    // Exact differences lose nothing with a smaller step, in either precision.
    try settleKinks(
      estimates.flags.indices.filter { metKink($0) },
      by: perturbation.mode == .difference ? perturbation : close)
    if units == nil { try measureTruncation() }
    if costNoise != nil { try sharpen() }
  }

  /// Whether a component's lanes met a kink, and all came back.
  private func metKink(_ i: Int) -> Bool {
    !estimates.flags[i].isEmpty && !estimates.flags[i].contains(.lost)
  }

  // MARK: Stages

  private mutating func firstDifferences() throws {
    let (scheme, epsilon, progress) = (self.scheme, self.epsilon, self.progress)
    let (roundoff, perStep) = (perturbation.precision.unitRoundoff, 1 / epsilon)
    let deviations = scales.lanes
    var pace = pace
    var stage = progress.stage("evaluating", total: estimates.count)
    let components = estimates.components
    // Taken out, so that nothing is copied to be written on.
    var (numeric, bend, flags) = estimates.takeFirst()
    try numeric.withUnsafeMutableBufferPointer { numeric in
      try bend.withUnsafeMutableBufferPointer { bend in
        try flags.withUnsafeMutableBufferPointer { flags in
          try perturbation.forEach(
            of: components, .same(scheme.steps.map { $0 * epsilon }),
            advance: {
              try stage.advance($0)
              try pace?.advance($0, seconds: progress.seconds)
            }
          ) { i, list in
            numeric[i] = scheme.slope(list)
            flags[i] = list.flags
            if scheme == .central { bend[i] = (list[0].value + list[1].value).magnitude * perStep }
          }
        }
      }
    }
    estimates.numeric = numeric
    estimates.bend = bend
    estimates.flags = flags
    // What subtracted costs add to it is not known yet.
    estimates.note(step: epsilon) { roundoff * deviations[$0] }
  }

  /// The standard rounding error of a component's difference with a step.
  func rounding(_ i: Int, _ source: Perturbation, step: Double) -> Double {
    let lanes = source.precision.unitRoundoff * scales.lanes[estimates.components[i]]
    let costs = source.mode == .value ? subtraction / step.magnitude : 0
    return (lanes * lanes + costs * costs).squareRoot()
  }

  /// Components that crossed a kink are tried again with smaller steps; at ties the slopes on both
  /// sides, and those of either branch taken throughout, bound what is accepted.
  private mutating func settleKinks(_ met: [Int], by source: Perturbation) throws {
    var crossing = met.filter { estimates.flags[$0].contains(.crossed) }
    var step = epsilon
    while !crossing.isEmpty, step > Self.smallestStep {
      step /= Self.retryDivisor
      var stage = progress.stage("kinks", total: crossing.count)
      crossing = try closeLook(at: crossing, by: source, steps: crossing.map { _ in step }) {
        try stage.advance($0)
      }
    }
    // What crosses even at the smallest step stands at its kink for all purposes.
    for i in crossing { estimates.flags[i].insert(.tied) }
    let unsettled = Set(crossing)
    let tied = met.filter { estimates.flags[$0].contains(.tied) }
    try settleTies(
      tied, by: source, steps: tied.map { unsettled.contains($0) ? step : estimates.epsilon[$0] })
  }

  static let smallestStep = 1e-13
  /// Of the components that cross a kink hardly one in so many does so again.
  private static let retryDivisor = 256.0

  private mutating func settleTies(
    _ tied: [Int], by source: Perturbation, steps: [Double]
  ) throws {
    let slopes = { [self] (policy: TiePolicy) in
      try fourChanges(of: tied, by: source, steps: steps, tiePolicy: policy)
    }
    let (natural, low, high) = (try slopes(.natural), try slopes(.low), try slopes(.high))
    for (at, i) in tied.enumerated() {
      let branches = [low[at], high[at]].map { list in
        (full: Scheme.central.slope(list[0...1]), half: Scheme.central.slope(list[2...3]))
      }
      let sides = natural[at][2...3].map { $0.value / $0.step }
      let bounds = (sides + branches.map(\.half)).filter(\.isFinite)
      estimates.numeric[i] = Scheme.central.slope(natural[at][2...3])
      estimates.epsilon[i] = natural[at][2].step
      estimates.scheme[i] = .central
      estimates.rounding[i] = rounding(i, source, step: estimates.epsilon[i])
      estimates.truncation[i] = branches.map { ($0.full - $0.half).magnitude }.max() ?? 0
      if let least = bounds.min(), let most = bounds.max() { estimates.slopes[i] = least...most }
    }
  }

  /// The slope of a component at half the step.
  private typealias HalfStep = (at: Int, slope: Double)

  /// Truncation is what halving the step changes. It is measured on all components of small
  /// tensors and, elsewhere, on some, from which the rest is scaled by its second difference.
  private mutating func measureTruncation() throws {
    var random = SplitMix64(seed: options.seed ^ 0x7472_756e_6361_7465)
    let isSample = estimates.count < layout.count
    var tensors: [Range<Int>] = []
    var chosen: [Int] = []
    var first = 0
    for part in perturbation.layout.segments {
      let last = estimates.components.firstPlace(notBelow: part.range.upperBound)
      let wanted =
        scheme == .central
        ? Self.truncationSample(of: last - first, isSample: isSample) : last - first
      chosen += draw(wanted, of: first..<last, using: &random).filter {
        estimates.flags[$0].isEmpty
      }
      tensors.append(first..<last)
      first = last
    }
    // Once may be the machine's fault, which happens: what hides right and wrong is measured twice.
    if try !halveSteps(chosen, of: tensors) { _ = try halveSteps(chosen, of: tensors) }
  }

  /// Measures truncation on the chosen components, and spreads it over the others of their tensors.
  /// Returns whether it is small beside what was measured; where costs are subtracted that is not asked,
  /// since those scatter by themselves.
  private mutating func halveSteps(_ chosen: [Int], of tensors: [Range<Int>]) throws -> Bool {
    var stage = progress.stage("second step", total: chosen.count)
    let scheme = scheme
    var halves: [HalfStep] = []
    var lost: [Int] = []
    try perturbation.forEach(
      of: chosen.map { estimates.components[$0] }, .same(scheme.steps.map { $0 * epsilon / 2 }),
      advance: { try stage.advance($0) }
    ) { number, list in
      if list.flags.contains(.lost) {
        lost.append(chosen[number])
      } else {
        halves.append((chosen[number], scheme.slope(list)))
      }
    }
    for i in lost { estimates.flags[i].insert(.lost) }
    if perturbation.mode == .value { measureNoise(halves) }
    var rest = halves[...]
    for tensor in tensors {
      let own = rest.prefix { tensor.contains($0.at) }
      spread(own, over: tensor)
      rest = rest[own.endIndex...]
    }
    guard perturbation.mode == .difference else { return true }
    let measured = halves.map(\.at)
    let error = norm(measured) { estimates.truncation[$0] }.value
    let slopes = norm(measured) { scales.gradient[estimates.components[$0]] }.value
    // `spread` gives others up to twelve times what is typical.
    return error <= Self.undecidable / 12 * slopes
  }

  /// What the subtraction of two costs leaves of their rounding, from how much halving the step
  /// scatters the differences. Components that do not move J at all say nothing.
  private mutating func measureNoise(_ halves: [HalfStep]) {
    let scatter = halves.filter { estimates.numeric[$0.at] != 0 || $0.slope != 0 }
      .map { estimates.numeric[$0.at] - $0.slope }
    subtraction = max(
      epsilon * SubtractionNoise.standardError(ofHalving: scatter, scheme),
      SubtractionNoise.standardError(ofCost: costNoise ?? 0, scheme),
      SubtractionNoise.least(cost: cost, perturbation.precision))
    for i in estimates.flags.indices where estimates.flags[i].isEmpty {
      estimates.rounding[i] = rounding(i, perturbation, step: epsilon)
    }
  }

  /// On how many of a tensor's checked components truncation is measured: on all of few, and on a
  /// quarter of a sample, in which components are few because each takes long.
  static func truncationSample(of count: Int, isSample: Bool) -> Int {
    min(count, 256, isSample ? max(2, count / 4) : .max)
  }

  private mutating func spread(_ halves: ArraySlice<HalfStep>, over all: Range<Int>) {
    guard !halves.isEmpty else { return }
    // Halving the step divides the error by 2^order (Richardson); half as much again for the orders that
    // are left out.
    let (numeric, factor) = (estimates.numeric, 1.5 / (1 - 1 / Double(1 << scheme.order)))
    let measured = halves.map { factor * (numeric[$0.at] - $0.slope).magnitude }
    if halves.count < all.count {
      let (bend, flags) = (estimates.bend, estimates.flags)
      let typical = 3 * typicalSize(measured)
      let typicalBend = typicalSize(halves.map { bend[$0.at] })
      estimates.truncation.withUnsafeMutableBufferPointer { truncation in
        for i in all where flags[i].isEmpty {
          let weight = typicalBend > 0 ? min(3, bend[i] / typicalBend) : 1
          truncation[i] = typical * (1 + weight)
        }
      }
    }
    estimates.truncation.withUnsafeMutableBufferPointer { truncation in
      for (half, error) in zip(halves, measured) { truncation[half.at] = error }
    }
  }

  /// The root mean square; where nothing tells of kinks, from the median, which they do not move.
  private func typicalSize(_ sizes: [Double]) -> Double {
    guard costNoise == nil else { return 2 * sizes.sorted()[sizes.count / 2] }
    var norm = ScaledNorm()
    for size in sizes { norm.add(size) }
    return norm.value / Double(sizes.count).squareRoot()
  }

  // MARK: Bars

  /// The error bar of a component: rounding and truncation of dθ_approx, and the rounding of dθ.
  func bar(_ i: Int) -> Double {
    let stored = gradient.elementType.unitRoundoff * scales.gradient[estimates.components[i]]
    return Self.numericWidth * estimates.rounding[i] + Self.gradientWidth * stored
      + estimates.truncation[i] + (scales.constants?[estimates.components[i]] ?? 0)
  }

  /// dθ less what dθ_approx allows: 0 between the slopes at a tie.
  func deviation(_ i: Int) -> Double {
    let analytic = gradient.values[estimates.components[i]]
    guard !estimates.slopes.isEmpty, let slopes = estimates.slopes[i] else {
      return analytic - estimates.numeric[i]
    }
    if analytic < slopes.lowerBound { return analytic - slopes.lowerBound }
    if analytic > slopes.upperBound { return analytic - slopes.upperBound }
    return analytic.isNaN ? .nan : 0
  }

  /// Whether a component lies within its bar. NaN does not.
  func isWithinBar(_ i: Int) -> Bool { deviation(i).magnitude <= bar(i) }

  /// The components outside their bars, ascending: `isWithinBar` of all, at the speed of a loop over
  /// arrays.
  func outside() -> [Int] {
    let roundoff = Self.gradientWidth * gradient.elementType.unitRoundoff
    let constants = scales.constants
    var outside: [Int] = []
    estimates.numeric.withUnsafeBufferPointer { numeric in
      estimates.rounding.withUnsafeBufferPointer { rounding in
        estimates.truncation.withUnsafeBufferPointer { truncation in
          for (i, component) in estimates.components.enumerated() {
            let bar =
              Self.numericWidth * rounding[i] + roundoff * scales.gradient[component]
              + truncation[i] + (constants?[component] ?? 0)
            // Most of the bar is enough for most. Not for NaN, and not for ties, which have slopes
            // that are accepted and only the long way knows: it decides.
            let deviation = (gradient.values[component] - numeric[i]).magnitude
            if !(deviation < 0.999 * bar), !isWithinBar(i) { outside.append(i) }
          }
        }
      }
    }
    return outside
  }

  // MARK: A closer look

  /// Evaluates what seems wrong again, by exact differences in f64 at two steps, worst last: a
  /// component is called wrong only with the sharpest bar there is. Where a whole batch of them
  /// stays wrong the rest is taken at its word.
  private mutating func lookAgain() throws {
    let suspects = outside().filter { !estimates.flags[$0].contains(.lost) }
      .filter { gradient.values[estimates.components[$0]].isFinite }
      .sorted { deviation($0).magnitude / bar($0) < deviation($1).magnitude / bar($1) }
    var stage = progress.stage("looking again", total: suspects.count)
    for group in stride(from: 0, to: suspects.count, by: Self.suspectGroup) {
      let chosen = suspects[group..<min(group + Self.suspectGroup, suspects.count)].sorted()
      try lookAgain(at: chosen)
      try stage.advance(chosen.count)
      if chosen.allSatisfy({ !isWithinBar($0) }) { return }
    }
  }

  private static let suspectGroup = 256

  private mutating func lookAgain(at chosen: [Int]) throws {
    let smooth = chosen.filter { estimates.slopes[$0] == nil }
    let crossed = try closeLook(
      at: smooth, by: close,
      steps: smooth.map { StepSize.closeLook(close.mode, after: estimates.epsilon[$0]) })
    for i in crossed { estimates.flags[i].insert(.crossed) }
    // The textbook's lanes tell nothing of kinks, so this can be the first that is heard of one.
    try settleKinks(smooth.filter { metKink($0) && estimates.slopes[$0] == nil }, by: close)
  }

  /// Evaluates components again, by central differences with a step and its half; the half step's is
  /// kept. Returns those that crossed a kink, which stay as they were.
  mutating func closeLook(
    at chosen: [Int], by source: Perturbation, steps: [Double],
    advance: (Int) throws -> Void = { _ in }
  ) throws -> [Int] {
    var crossed: [Int] = []
    let changes = try fourChanges(of: chosen, by: source, steps: steps, advance: advance)
    for (i, list) in zip(chosen, changes) {
      let flags = list.reduce(into: LaneFlags()) { $0.formUnion($1.flags) }
      if flags.contains(.lost) {
        estimates.flags[i].insert(.lost)
        continue
      }
      if flags.contains(.tied) { estimates.flags[i].insert(.tied) }
      if flags.contains(.crossed) {
        crossed.append(i)
        continue
      }
      let full = Scheme.central.slope(list[0...1])
      let half = Scheme.central.slope(list[2...3])
      estimates.numeric[i] = half
      estimates.epsilon[i] = list[2].step
      estimates.scheme[i] = .central
      // A third of this is left after halving the step; the rest is for higher orders.
      estimates.truncation[i] = (full - half).magnitude + (costNoise == nil ? 0 : kink(list))
      estimates.rounding[i] = rounding(i, source, step: list[2].step)
    }
    return crossed
  }

  /// The changes of each component's own step, its opposite, and the halves of both.
  private func fourChanges(
    of chosen: [Int], by source: Perturbation, steps: [Double], tiePolicy: TiePolicy = .natural,
    advance: (Int) throws -> Void = { _ in }
  ) throws -> [[Perturbation.Change]] {
    let components = chosen.map { estimates.components[$0] }
    // Where θ itself is moved no step may vanish beside it.
    let least = source.mode == .value ? 16 * source.precision.unitRoundoff : 0
    let sizes = Dictionary(
      uniqueKeysWithValues: zip(components, steps).map {
        ($0, max($1, least * source.theta[$0].magnitude))
      })
    return try source.changes(
      of: components,
      .own { component in
        let size = sizes[component] ?? epsilon
        return [size, -size, size / 2, -size / 2]
      }, tiePolicy: tiePolicy, advance: advance)
  }
}
