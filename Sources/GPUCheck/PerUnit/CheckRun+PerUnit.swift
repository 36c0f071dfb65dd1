import Kernels

extension CheckRun {
  /// The first differences of every component, and their truncation, from the units' curves.
  mutating func takeUnitDifferences(_ source: UnitSource) throws {
    let found = try UnitDifferences(source, layout: layout, epsilon: epsilon, progress: progress)
    let (lanes, host) = (perturbation.precision.unitRoundoff, Precision.f64.unitRoundoff)
    for (i, component) in estimates.components.enumerated() {
      estimates.numeric[i] = found.numeric[component]
      estimates.truncation[i] = found.truncation[component]
      estimates.epsilon[i] = found.epsilon[component]
      estimates.flags[i] = found.flags[component]
      // Lanes as everywhere, the parabola's weights, a sum over samples on the host, and what the
      // parabola misses.
      var error = ScaledNorm()
      error.add(Self.parabola * lanes * scales.lanes[component])
      error.add(host * scales.gradient[component])
      error.add(found.interpolation[component])
      estimates.rounding[i] = error.value
    }
  }

  /// By how much the parabola through two points makes their errors larger: √(1/9 + 16/9) at t = 0,
  /// less elsewhere up to h.
  private static let parabola = 1.4
}
