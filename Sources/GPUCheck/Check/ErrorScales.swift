/// The standard rounding error of every component, in units of u: of a back-propagation that
/// computes dθ, and of lanes of exact differences.
///
/// One backward pass takes to every component of θ the variances of all that is summed to make it
/// (docs/error-bars.md). It measures sizes only: what it knows of the gradient itself is never
/// compared with anything.
package struct ErrorScales: Sendable {
  /// Of dθ computed and stored at some precision, `[parameters]`.
  package let gradient: [Double]
  /// Of dθ_approx from lanes, `[parameters]`.
  package let lanes: [Double]

  /// Given scales, `[parameters]` each.
  package init(gradient: [Double], lanes: [Double]) {
    self.gradient = gradient
    self.lanes = lanes
  }

  package init(_ baseline: Baseline) {
    gradient = Self.deviations(baseline) { .backPropagation(inputVariances: $0) }
    lanes = Self.deviations(baseline) { _ in .lanes }
  }

  private static func deviations(
    _ baseline: Baseline, _ source: ([[Double]?]) -> ErrorSource
  ) -> [Double] {
    let graph = baseline.graph
    var adjoints = [Adjoint?](repeating: nil, count: graph.nodes.count)
    func add(_ adjoint: Adjoint, to node: Graph.NodeID) {
      if adjoints[node] == nil {
        adjoints[node] = adjoint
      } else {
        adjoints[node]? += adjoint
      }
    }
    for term in graph.terms where baseline.moving[term.node] {
      var adjoint = Adjoint(count: graph.nodes[term.node].count)
      for i in adjoint.gradient.indices {
        adjoint.gradient[i] = term.factor
        adjoint.variance[i] = unitVariance * term.factor * term.factor
      }
      add(adjoint, to: term.node)
    }
    var deviations = [Double](repeating: 0, count: graph.layout.count)
    for node in graph.nodes.indices.reversed() {
      guard let adjoint = adjoints[node] else { continue }
      adjoints[node] = nil
      switch graph.nodes[node].definition {
      case .constant: continue
      case .parameter(let segment):
        for (at, i) in graph.layout.segments[segment].range.enumerated() {
          let rounded =
            adjoint.variance[at] + unitVariance * adjoint.gradient[at] * adjoint.gradient[at]
          deviations[i] = rounded.squareRoot()
        }
      case .apply(let operation, let inputs):
        let parts = operation.primitive.backward(
          baseline.nodeValues(node, inputs: inputs), adjoint,
          source(inputs.map { baseline.variances[$0] }))
        for (part, input) in zip(parts, inputs) where baseline.moving[input] {
          if let part { add(part, to: input) }
        }
      }
    }
    return deviations
  }
}
