/// A table of a node's lanes: some node's value, or numbers of its own.
package enum NodeTable: Sendable {
  case value(of: Graph.NodeID)
  case values([Double])
  case none
}

/// One forward pass at θ, in double: every node's value, and how exact it is.
package struct Baseline: Sendable {
  package let graph: Graph
  package let parameters: ParameterVector
  /// The value of every node.
  package let values: [[Double]]
  /// Whether each node depends on θ.
  package let moving: [Bool]
  /// The variance of each node's rounding error in units of u², in whatever precision it is
  /// computed; nil for what is given, which is exact.
  package let variances: [[Double]?]
  /// What lanes share that enter a layer of the graph's chain; none where nothing was formed.
  private(set) var moments: [Int: CostMoments] = [:]

  /// Runs the forward pass.
  package init(graph: Graph, parameters: ParameterVector) {
    var values: [[Double]] = []
    var moving: [Bool] = []
    var variances: [[Double]?] = []
    for node in graph.nodes {
      switch node.definition {
      case .constant(let tensor):
        values.append(tensor.values)
        moving.append(false)
        variances.append(nil)
      case .parameter(let segment):
        values.append(Array(parameters[segment: segment]))
        moving.append(true)
        variances.append(nil)
      case .apply(let operation, let inputs):
        let shapes = inputs.map { graph.nodes[$0].shape }
        let primitive = operation.primitive
        let output = primitive.forward(inputs.map { values[$0] }, shapes: shapes)
        let known = NodeValues(
          inputs: inputs.map { values[$0] }, shapes: shapes, output: output,
          moving: inputs.map { moving[$0] })
        values.append(output)
        moving.append(inputs.contains { moving[$0] })
        variances.append(
          primitive.forwardVariance(known, inputs: inputs.map { variances[$0] }))
      }
    }
    self.init(
      graph: graph, parameters: parameters, values: values, moving: moving, variances: variances)
  }

  /// The same without one of J's terms, and without moments.
  func leavingOut(term: Int) -> Baseline {
    Baseline(
      graph: graph.leavingOut(term: term), parameters: parameters, values: values, moving: moving,
      variances: variances)
  }

  private init(
    graph: Graph, parameters: ParameterVector, values: [[Double]], moving: [Bool],
    variances: [[Double]?]
  ) {
    self.graph = graph
    self.parameters = parameters
    self.values = values
    self.moving = moving
    self.variances = variances
  }

  /// The same with moments.
  func taking(_ moments: [Int: CostMoments]) -> Baseline {
    var baseline = self
    baseline.moments = moments
    return baseline
  }

  /// J: the sum of the terms.
  package var cost: Double {
    graph.terms.reduce(0) { $0 + $1.factor * values[$1.node].reduce(0, +) }
  }

  /// The variance of J's rounding error in units of u².
  package var costVariance: Double {
    graph.terms.reduce(0) { total, term in
      var sum = RoundedSum()
      for value in values[term.node] { sum.add(value) }
      let inherited = variances[term.node]?.reduce(0, +) ?? 0
      return total + term.factor * term.factor * (inherited + sum.variance)
    }
  }

  /// A node's inputs and output.
  package func nodeValues(_ node: Graph.NodeID, inputs: [Graph.NodeID]) -> NodeValues {
    NodeValues(
      inputs: inputs.map { values[$0] }, shapes: inputs.map { graph.nodes[$0].shape },
      output: values[node], moving: inputs.map { moving[$0] })
  }

  /// The tables that a node's lanes need.
  package func coefficients(_ node: Graph.NodeID, mode: LaneMode, tieRoundoff: Double)
    -> [NodeTable]
  {
    guard case .apply(let operation, let inputs) = graph.nodes[node].definition else { return [] }
    return operation.primitive.coefficients(
      nodeValues(node, inputs: inputs), mode: mode,
      ties: TieTolerances(roundoff: tieRoundoff, variances: inputs.map { variances[$0] })
    ).map { table in
      switch table {
      case .input(let number): .value(of: inputs[number])
      case .output: .value(of: node)
      case .values(let values): .values(values)
      case .none: .none
      }
    }
  }

  /// The numbers of a table; nil where there are none.
  func numbers(_ table: NodeTable) -> [Double]? {
    switch table {
    case .value(let of): values[of]
    case .values(let values): values
    case .none: nil
    }
  }

  /// The tables of integers that a node's lanes need.
  package func integerTables(_ node: Graph.NodeID) -> [[Int32]] {
    guard case .apply(let operation, let inputs) = graph.nodes[node].definition else { return [] }
    return operation.primitive.integerTables(shapes: inputs.map { graph.nodes[$0].shape })
  }
}
