/// What a layer of a chain needs at every unit and sample of a baseline, for whoever takes lanes through
/// it: tables `[samples, units]`.
struct ChainTerms {
  /// The coefficients of the element function's rule; none where there is no function.
  let coefficients: [[Double]]
  /// The terms of its series for small steps; none where it has none.
  let series: [[Double]]

  init(
    _ chain: LaneChain, layer number: Int, _ baseline: Baseline, tieRoundoff: Double
  ) {
    let layer = chain.layers[number]
    var coefficients: [[Double]] = []
    if let element = layer.element {
      for case .values(let values) in baseline.coefficients(
        element.node, mode: .difference, tieRoundoff: tieRoundoff)
      {
        coefficients.append(values)
      }
    }
    self.coefficients = coefficients
    series = layer.element?.function.series(baseline.values[layer.z]) ?? []
  }

  /// Of both.
  var all: [[Double]] { coefficients + series }

  /// All terms, element after element: `[samples, outs, terms]`.
  var elements: [Double] {
    let all = all
    var table: [Double] = []
    table.reserveCapacity(all.count * (all.first?.count ?? 0))
    for element in 0..<(all.first?.count ?? 0) {
      for term in all { table.append(term[element]) }
    }
    return table
  }

  /// All terms as lanes of neighbouring units read them, `[blocks, samples, terms, width]`, and 0 for
  /// units that are missing.
  func units(samples: Int, outs: Int, width: Int) -> [Double] {
    let all = all
    var table: [Double] = []
    table.reserveCapacity((outs + width) * samples * all.count)
    for first in stride(from: 0, to: outs, by: width) {
      for sample in 0..<samples {
        for term in all {
          for unit in first..<first + width {
            table.append(unit < outs ? term[sample * outs + unit] : 0)
          }
        }
      }
    }
    return table
  }
}
