import Kernels

/// a where the condition is not 0, else b, broadcast as NumPy does. A condition that moves with θ is
/// a branch: the lanes say where it changed. Twin of kernels/combine_rules.cl.
package struct Select: Primitive {
  package init() {}

  package var name: String { "select" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 3 else {
      throw InputError("select: found \(inputs.count) inputs, expected a condition and two values")
    }
    return try Broadcast.shape(inputs)
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    let output = Broadcast.common(shapes)
    let at = shapes.map { BroadcastIndices($0, in: output) }
    return (0..<output.reduce(1, *)).map { e in
      inputs[0][at[0]?[e] ?? e] != 0 ? inputs[1][at[1]?[e] ?? e] : inputs[2][at[2]?[e] ?? e]
    }
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let at = values.shapes.map {
      BroadcastIndices($0, in: Broadcast.common(values.shapes))
    }
    return values.output.indices.map { e in
      let chosen = values.inputs[0][at[0]?[e] ?? e] != 0 ? 1 : 2
      return inputs[chosen]?[at[chosen]?[e] ?? e] ?? 0
    }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let at = values.shapes.map {
      BroadcastIndices($0, in: Broadcast.common(values.shapes))
    }
    var adjoints: [Adjoint?] = (0...2).map {
      $0 > 0 && values.moving[$0] ? Adjoint(count: values.inputs[$0].count) : nil
    }
    for e in values.output.indices {
      let chosen = values.inputs[0][at[0]?[e] ?? e] != 0 ? 1 : 2
      adjoints[chosen]?.gradient[at[chosen]?[e] ?? e] += output.gradient[e]
      adjoints[chosen]?.variance[at[chosen]?[e] ?? e] += output.variance[e]
    }
    return adjoints
  }
}
