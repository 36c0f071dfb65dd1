import GPUCheck
import Kernels

/// A lane that was off, with all that is needed to see it again.
struct Discrepancy: CustomStringConvertible {
  /// Operator, shape, backend, precision, mode, tensor and index.
  var lane = ""
  var step: Double
  var found: Double
  var expected: Double
  /// The error that lanes of this precision may have, and the textbook's own.
  var bar: Double
  var textbookBar: Double

  var description: String {
    "\(lane), step \(step): \(found) ± \(bar), textbook \(expected) ± \(textbookBar)"
  }
}

/// What a comparison saw.
struct Comparison {
  var lanes = 0
  var discrepancies: [Discrepancy] = []

  fileprivate mutating func note(_ lane: Discrepancy, called name: () -> String) {
    lanes += 1
    let error = (lane.found - lane.expected).magnitude
    let allowed = lane.bar + lane.textbookBar
    // Written so that NaN is a discrepancy.
    if !(error <= allowed) {
      discrepancies.append(lane)
      discrepancies[discrepancies.count - 1].lane = name()
    }
  }
}

/// The steps of the tables, of both signs, as float32 holds them: θ + step is exact in double.
let tableSteps = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1].flatMap { (size: Double) in
  [Double(Float(size)), -Double(Float(size))]
}

/// All lanes of one tensor of a row with what the textbook says of them.
private struct TensorLanes {
  var segment: Int
  var components: [Int32]
  /// Where θ_i is moved to, and by how much.
  var places: [Double] = []
  var steps: [Double] = []
  /// J(θ + step) − J(θ).
  var expected: [Double] = []

  /// Neighbouring lanes move different components.
  init(_ row: TableRow, _ segment: Int, _ steps: [Double], _ mode: LaneMode, _ precision: Precision)
  {
    let part = row.graph.layout.segments[segment]
    let theta = row.parameters.values
    let still = Textbook.cost(row.graph, theta)
    self.segment = segment
    components = steps.flatMap { _ in (0..<part.count).map { Int32($0) } }
    for (lane, component) in components.enumerated() {
      let at = part.offset + Int(component)
      let moved = theta[at] + steps[lane / part.count]
      // A value is moved to what its precision can hold.
      let place = mode == .value ? precision.rounded(moved) : moved
      places.append(place)
      self.steps.append(place - theta[at])
      expected.append(
        Textbook.cost(row.graph, theta, component: at, movedTo: place) - still)
    }
  }

  /// The steepest of the lanes.
  var slope: Double { zip(expected, steps).reduce(0) { max($0, ($1.0 / $1.1).magnitude) } }

  /// How far θ_i gets.
  var reach: Double { places.reduce(0) { max($0, $1.magnitude) } }
}

extension TableNetwork {
  /// Compares ΔJ of every component of every row and step with the textbook's J(θ + step) − J(θ),
  /// for a row after the other.
  ///
  /// The bars: `difference` in f64 may be off by 1e-12·max(|J|, |ΔJ|), J being the row's own. In
  /// f32 it may be off by two units of roundoff for each rounding on its way, relative to
  /// |step|·max |ΔJ/step| over the tensor's lanes: a lane whose parts cancel has the error of its
  /// parts. A `value` is J itself, so its error is relative to the terms of J and, each layer being
  /// as good as one whose weights were off by their roundoff, to Σ|θ_i|·|∂J/∂θ_i|. The textbook, a
  /// value in double, has the bar of a value in f64.
  func compare(
    _ backend: any Backend, _ precision: Precision, _ mode: LaneMode, steps: [Double] = tableSteps
  ) throws -> [Comparison] {
    let baseline = Baseline(graph: graph, parameters: parameters)
    let evaluator = try backend.prepare(
      baseline, mode: mode, precision: precision, tieRoundoff: precision.unitRoundoff)
    return try zip(rows, firstSegments).map { row, first in
      let still = Textbook.cost(row.graph, row.parameters.values)
      let tensors = row.graph.layout.segments.indices.map {
        TensorLanes(row, $0, steps, mode, precision)
      }
      let values =
        row.roundings * row.scaleOfValues(tensors)
        + (mode == .value ? baseline.scaleOfTerms : 0)
      let textbookBar = Precision.f64.unitRoundoff * values
      var comparison = Comparison()
      for tensor in tensors {
        let part = row.graph.layout.segments[tensor.segment]
        let batch = LaneBatch(
          segment: first + tensor.segment, components: tensor.components,
          moves: mode == .difference ? tensor.steps : tensor.places)
        let found = try evaluator.evaluate(batch).values
        for i in found.indices {
          let expected = tensor.expected[i]
          let bar =
            switch (mode, precision) {
            case (.difference, .f64): 1e-12 * max(still.magnitude, expected.magnitude)
            case (.difference, .f32):
              2 * row.roundings * precision.unitRoundoff * tensor.slope
                * tensor.steps[i].magnitude
            case (.value, _): precision.unitRoundoff * values
            }
          let lane = Discrepancy(
            step: tensor.steps[i], found: mode == .value ? found[i] - baseline.cost : found[i],
            expected: expected, bar: bar,
            textbookBar: mode == .difference && precision == .f64 ? 0 : textbookBar)
          comparison.note(lane) {
            "\(row.name) \(backend.name) \(precision) \(mode) "
              + "\(part.name)\(unravel(Int(tensor.components[i]), shape: part.shape))"
          }
        }
      }
      return comparison
    }
  }
}

extension TableRow {
  fileprivate func scaleOfValues(_ tensors: [TensorLanes]) -> Double {
    tensors.reduce(Baseline(graph: graph, parameters: parameters).scaleOfTerms) { scale, tensor in
      scale + Double(graph.layout.segments[tensor.segment].count) * tensor.slope * tensor.reach
    }
  }
}

extension Baseline {
  /// Σ|terms of J|.
  fileprivate var scaleOfTerms: Double {
    graph.terms.reduce(0) { total, term in
      total + values[term.node].reduce(0) { $0 + (term.factor * $1).magnitude }
    }
  }
}
