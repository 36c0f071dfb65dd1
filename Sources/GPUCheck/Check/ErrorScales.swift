import Dispatch

/// The standard rounding error of every component, in units of u: of a back-propagation that
/// computes dθ, and of lanes of exact differences.
///
/// One backward pass takes to every component of θ the variances of all that is summed to make it
/// (docs/error-bars.md). It measures sizes only: what it knows of the gradient itself is never
/// compared with anything.
package struct ErrorScales: Sendable {
  /// Of dθ computed and stored at some precision.
  package let gradient: ComponentValues
  /// Of dθ_approx from lanes.
  package let lanes: ComponentValues

  /// How far dθ may be off, whatever its precision, since constants of the model were rounded;
  /// nil where none was.
  package private(set) var constants: ComponentValues?

  /// Given scales.
  package init(gradient: ComponentValues, lanes: ComponentValues) {
    self.gradient = gradient
    self.lanes = lanes
  }

  /// The scales of some components, ascending; nil for all.
  package init(_ baseline: Baseline, at components: [Int]?) {
    let sources: [@Sendable ([[Double]?]) -> ErrorSource] = [
      { .backPropagation(inputVariances: $0) }, { _ in .lanes },
    ]
    let none = ComponentValues(components, of: baseline.graph.layout.count)
    let found = [ComponentValues](unsafeUninitializedCapacity: sources.count) { found, count in
      // Each walk fills a place of its own.
      nonisolated(unsafe) let places = found
      let walk = { @Sendable (at: Int) in
        var deviations = none
        Self.walk(baseline, sources[at]) { segment, adjoint in
          adjoint.gradient.withUnsafeBufferPointer { gradient in
            adjoint.variance.withUnsafeBufferPointer { variance in
              deviations.fill(segment) {
                (variance[$0] + unitVariance * gradient[$0] * gradient[$0]).squareRoot()
              }
            }
          }
        }
        places.initializeElement(at: at, to: deviations)
      }
      if baseline.graph.layout.count <= Self.mostAtOnce {
        DispatchQueue.concurrentPerform(iterations: sources.count, execute: walk)
      } else {
        sources.indices.forEach(walk)
      }
      count = sources.count
    }
    (gradient, lanes) = (found[0], found[1])
  }

  /// Parameters up to which both are found at the same time. The products of larger networks take all
  /// cores anyway, and each walk takes memory.
  private static let mostAtOnce = 1 << 22

  /// The scales for a gradient of a precision: in float64 the rounding of constants matters.
  package init(_ baseline: Baseline, at components: [Int]?, of gradient: ElementType) {
    self.init(baseline, at: components)
    if gradient == .float64 {
      constants = ConstantRounding.deviations(baseline, at: components)
    }
  }

  /// dθ of some components, ascending (nil: of all), for what changes it.
  static func gradient(_ baseline: Baseline, at components: [Int]?) -> ComponentValues {
    var gradient = ComponentValues(components, of: baseline.graph.layout.count)
    walk(baseline) { _ in
      .lanes
    } deliver: { segment, adjoint in
      gradient.fill(segment) { adjoint.gradient[$0] }
    }
    return gradient
  }

  /// One backward pass, which hands on every segment of θ with its adjoint.
  private static func walk(
    _ baseline: Baseline, _ source: ([[Double]?]) -> ErrorSource,
    deliver: (_ segment: Range<Int>, _ adjoint: Adjoint) -> Void
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
    var first = [Graph.NodeID](repeating: 0, count: graph.layout.segments.count)
    for (id, node) in graph.nodes.enumerated().reversed() {
      if case .parameter(let segment) = node.definition { first[segment] = id }
    }
    for node in graph.nodes.indices.reversed() {
      guard let adjoint = adjoints[node] else { continue }
      adjoints[node] = nil
      switch graph.nodes[node].definition {
      case .constant: continue
      case .parameter(let segment):
        if first[segment] != node {
          add(adjoint, to: first[segment])
          continue
        }
        deliver(graph.layout.segments[segment].range, adjoint)
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
