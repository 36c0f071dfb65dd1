import Kernels

extension Comparer {
  /// Has every run's device check dθ, as `gpucheck check` would.
  func check(
    _ problem: Problem, _ comparison: inout Comparison, _ options: CompareOptions,
    _ progress: (@Sendable (CheckProgress) -> Void)?
  ) throws {
    let given = comparison.components.map { problem.gradient.values[$0] }
    for (number, run) in comparison.runs.enumerated() {
      var check = CheckOptions()
      check.evaluator = run.evaluator
      check.precision = run.precision == .f64 ? .f64 : .f32
      check.scheme = options.scheme
      check.epsilon = options.epsilon
      check.sample = options.sample
      check.seed = options.seed
      let backend = devices.backends[run.device]
      let report = try naming(backend) {
        try Checker(backend).check(problem, check, progress: progress)
      }
      comparison.runs[number].verdict = report.verdict
      comparison.runs[number].passed = report.passed
      comparison.runs[number].distanceToGradient = relativeDifference(run.numeric, given)
    }
  }
}

extension Comparison {
  /// Finds the runs whose bars are too wide to tell anything, by the rule of a check: beyond a
  /// thousandth of what is measured and of the size of what was summed to make it.
  mutating func weighBars(_ scales: ErrorScales) {
    let summed = norm(components.map { scales.gradient[$0] })
    for (number, run) in runs.enumerated() {
      let bars = norm(run.bars)
      let sizes = 2 * norm(run.numeric)
      runs[number].noiseFloor = sizes > 0 ? bars / sizes : 0
      runs[number].isDecidable = !(bars > CheckRun.undecidable * (sizes + summed))
    }
  }

  /// Judges every run's dθ_approx as a check would judge a gradient, held to the reference's.
  mutating func judgeByReference() {
    for number in runs.indices {
      guard let pair = pair(number, reference) else { continue }
      let floor = runs[number].noiseFloor + runs[reference].noiseFloor
      runs[number].verdict = Verdict(
        distance: pair.relativeDifference, noiseFloor: floor, allWithinBars: pair.outside == 0,
        decidable: runs[number].isDecidable)
      runs[number].passed = [.right, .acceptable].contains(runs[number].verdict)
    }
    runs[reference].verdict = runs[reference].isDecidable ? .right : .undecidable
    runs[reference].passed = runs[reference].isDecidable
  }

  private func norm(_ values: [Double]) -> Double {
    var norm = ScaledNorm()
    values.forEach { norm.add($0) }
    return norm.value
  }
}
