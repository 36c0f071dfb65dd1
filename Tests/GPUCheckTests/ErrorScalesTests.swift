import GPUCheck
import Kernels
import Testing

/// The backward pass that scales the error bars: what it takes for the gradient is the gradient, or
/// else the bars would be of the wrong size.
@Suite struct ErrorScalesTests {
  @Test("The error pass goes along the gradient, for every operator", arguments: everyLayer)
  func gradient(operation: Operator) throws {
    for shape in TableShape.all {
      let row = try TableRow(operation, shape)
      let baseline = Baseline(graph: row.graph, parameters: row.parameters)
      let theta = row.parameters.values
      let expected = theta.indices.map { i in
        let step = 0x1p-17
        let costs = [step, -step].map {
          Textbook.cost(row.graph, theta, component: i, movedTo: theta[i] + $0)
        }
        return (costs[0] - costs[1]) / (2 * step)
      }
      let size = expected.reduce(1) { max($0, $1.magnitude) }
      let lanes = adjoint(baseline) { _ in .lanes }
      let gradient = adjoint(baseline) { .backPropagation(inputVariances: $0) }
      for i in theta.indices {
        for found in [lanes.gradient[i], gradient.gradient[i]] {
          #expect(
            (found - expected[i]).magnitude <= 1e-6 * size,
            "\(operation) \(shape) [\(i)]: \(found), textbook \(expected[i])")
        }
        // Exact differences of a double baseline are never worse than a back-propagation.
        #expect(lanes.variance[i] <= 1.000001 * gradient.variance[i])
        #expect(lanes.variance[i] >= 0 && gradient.variance[i].isFinite)
      }
    }
  }

  @Test("The scales are the deviations that the pass finds", arguments: everyLayer)
  func scales(operation: Operator) throws {
    let row = try TableRow(operation, TableShape.all[1])
    let baseline = Baseline(graph: row.graph, parameters: row.parameters)
    let all = Array(0..<row.graph.layout.count)
    let scales = ErrorScales(baseline, at: nil)
    let some = all.filter { $0 % 3 == 1 }
    let sampled = ErrorScales(baseline, at: some)
    for i in some {
      #expect(sampled.lanes[i] == scales.lanes[i] && sampled.gradient[i] == scales.gradient[i])
    }
    for (scales, walked) in [
      (scales.lanes, adjoint(baseline) { _ in .lanes }),
      (scales.gradient, adjoint(baseline) { .backPropagation(inputVariances: $0) }),
    ] {
      for i in all {
        let rounded = walked.variance[i] + unitVariance * walked.gradient[i] * walked.gradient[i]
        #expect((scales[i] - rounded.squareRoot()).magnitude <= 1e-12 * rounded.squareRoot())
      }
    }
  }

  /// The adjoint of θ, by `Primitive.backward` alone.
  private func adjoint(_ baseline: Baseline, _ source: ([[Double]?]) -> ErrorSource) -> Adjoint {
    let graph = baseline.graph
    var adjoints = graph.nodes.map { Adjoint(count: $0.count) }
    for term in graph.terms {
      for i in adjoints[term.node].gradient.indices {
        adjoints[term.node].gradient[i] += term.factor
        adjoints[term.node].variance[i] += unitVariance * term.factor * term.factor
      }
    }
    var theta = Adjoint(count: graph.layout.count)
    for (id, node) in graph.nodes.enumerated().reversed() {
      switch node.definition {
      case .constant: continue
      case .parameter(let segment):
        for (at, i) in graph.layout.segments[segment].range.enumerated() {
          theta.gradient[i] += adjoints[id].gradient[at]
          theta.variance[i] += adjoints[id].variance[at]
        }
      case .apply(let operation, let inputs):
        let parts = operation.primitive.backward(
          baseline.nodeValues(id, inputs: inputs), adjoints[id],
          source(inputs.map { baseline.variances[$0] }))
        for (part, input) in zip(parts, inputs) {
          if let part { adjoints[input] += part }
        }
      }
    }
    return theta
  }
}
