import Foundation

/// A gradient that is off by a multiple of θ: the derivative of a penalty k/2·Σθ² that either the
/// gradient or the model lacks.
enum Penalty {
  /// The finding, if in every failing tensor what is wrong is one multiple of the parameters.
  static func finding(in report: CheckReport, of problem: Problem) -> Finding? {
    var factors: [Double] = []
    var names: [String] = []
    for (segment, tensor) in zip(problem.gradient.layout.segments, report.tensors)
    where !tensor.passed {
      guard let factor = factor(segment.range, report, problem) else { return nil }
      factors.append(factor)
      names.append(tensor.name)
    }
    guard let least = factors.min(), let most = factors.max(),
      most - least <= likeness * most.magnitude
    else { return nil }
    let factor = factors.reduce(0, +) / Double(factors.count)
    let size = String(format: "%.3g", factor.magnitude)
    let half = String(format: "%.3g", factor.magnitude / 2)
    let penalty = "the parameters themselves times \(size), the derivative of a penalty \(half)·Σθ²"
    return Finding(
      kind: "penalty",
      text: factor < 0
        ? "what J has and the gradient of \(listed(names)) lacks is \(penalty)"
        : "what the gradient of \(listed(names)) has and J lacks is \(penalty); if your code has "
          + "that penalty, the model has lost it: exporters fold one on constants into a number",
      tensors: names)
  }

  /// k with dθ − dθ_approx = k·θ over the components that were checked; nil where it is not so.
  private static func factor(_ range: Range<Int>, _ report: CheckReport, _ problem: Problem)
    -> Double?
  {
    var (cross, square, total) = (0.0, 0.0, 0.0)
    var count = 0
    for i in range where report.numeric[i].isFinite && problem.gradient.values[i].isFinite {
      let deviation = problem.gradient.values[i] - report.numeric[i]
      let theta = problem.parameters.values[i]
      cross += deviation * theta
      square += theta * theta
      total += deviation * deviation
      count += 1
    }
    guard count >= 3, square > 0, total > 0 else { return nil }
    let factor = cross / square
    // The rest of a least-squares fit: ‖d‖² − k·⟨d, θ⟩.
    return total - factor * cross <= likeness * likeness * total ? factor : nil
  }

  /// How much of what is wrong may be something else.
  private static let likeness = 0.01
}
