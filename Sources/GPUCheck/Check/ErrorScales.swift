import Dispatch
import Synchronization

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

  /// How far dθ may be off, whatever its precision, since constants of the model were rounded;
  /// nil where none was.
  package private(set) var constants: [Double]?

  /// Given scales, `[parameters]` each.
  package init(gradient: [Double], lanes: [Double]) {
    self.gradient = gradient
    self.lanes = lanes
  }

  package init(_ baseline: Baseline) {
    let sources: [@Sendable ([[Double]?]) -> ErrorSource] = [
      { .backPropagation(inputVariances: $0) }, { _ in .lanes },
    ]
    let found = Mutex([[Double]](repeating: [], count: sources.count))
    let walk = { @Sendable (at: Int) in
      let deviations = Self.deviations(baseline, sources[at])
      found.withLock { $0[at] = deviations }
    }
    if baseline.graph.layout.count <= Self.mostAtOnce {
      DispatchQueue.concurrentPerform(iterations: sources.count, execute: walk)
    } else {
      sources.indices.forEach(walk)
    }
    (gradient, lanes) = found.withLock { ($0[0], $0[1]) }
  }

  /// Parameters up to which both are found at the same time. The products of larger networks take all
  /// cores anyway, and each walk takes memory.
  private static let mostAtOnce = 1 << 22

  /// The scales for a gradient of a precision: in float64 the rounding of constants matters.
  package init(_ baseline: Baseline, of gradient: ElementType) {
    self.init(baseline)
    if gradient == .float64 { constants = ConstantRounding.deviations(baseline) }
  }

  /// dθ, for what changes it.
  static func gradient(_ baseline: Baseline) -> [Double] {
    var gradient = [Double](repeating: 0, count: baseline.graph.layout.count)
    walk(baseline) { _ in
      .lanes
    } deliver: { i, value, _ in
      gradient[i] = value
    }
    return gradient
  }

  private static func deviations(
    _ baseline: Baseline, _ source: ([[Double]?]) -> ErrorSource
  ) -> [Double] {
    var deviations = [Double](repeating: 0, count: baseline.graph.layout.count)
    walk(baseline, source) { i, gradient, variance in
      deviations[i] = (variance + unitVariance * gradient * gradient).squareRoot()
    }
    return deviations
  }

  /// One backward pass, which hands on every component of θ with its gradient and its variance.
  private static func walk(
    _ baseline: Baseline, _ source: ([[Double]?]) -> ErrorSource,
    deliver: (_ component: Int, _ gradient: Double, _ variance: Double) -> Void
  ) {
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
    // A segment may stand in several nodes: it is done when the first of them is.
    var first: [Int: Graph.NodeID] = [:]
    for (id, node) in graph.nodes.enumerated().reversed() {
      if case .parameter(let segment) = node.definition { first[segment] = id }
    }
    for node in graph.nodes.indices.reversed() {
      guard let adjoint = adjoints[node] else { continue }
      adjoints[node] = nil
      switch graph.nodes[node].definition {
      case .constant: continue
      case .parameter(let segment):
        if let first = first[segment], first != node {
          add(adjoint, to: first)
          continue
        }
        for (at, i) in graph.layout.segments[segment].range.enumerated() {
          deliver(i, adjoint.gradient[at], adjoint.variance[at])
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
  }
}
