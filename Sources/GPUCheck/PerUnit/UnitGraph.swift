/// A graph whose parameters are shifts of units: one for each output of each dense layer, added to the
/// unit's pre-activation z[s, o] in all samples. Weights and biases are constants of it.
///
/// W[o, k] enters the cost only through ε·a[s, k] added to z[s, o]. Where it is used once and samples
/// do not interact, the cost of a sample under shifts of unit o is all there is to know of row o of W.
package struct UnitGraph: Sendable {
  /// A segment of its θ for each of `layers`; its terms are the ones that depend on units.
  package let graph: Graph
  /// Its θ: what stands in the place of each layer's bias, or zeros.
  package let shifts: ParameterVector
  package let layers: [UnitLayer]
  /// J's other terms, over the parameters themselves: a penalty on the weights. nil where there are
  /// none.
  package let penalties: Graph?
  package let samples: Int
}

/// A dense layer, whose units are shifted.
package struct UnitLayer: Sendable {
  /// The name of its pre-activation's node.
  package let name: String
  /// The number of its outputs.
  package let units: Int
  /// The segment of the problem's θ that holds its weights, and the node that they are multiplied
  /// with, of the unit graph, `[samples, ins]`; nil where they are no parameters.
  package internal(set) var weights: (segment: Int, layout: WeightLayout, input: Graph.NodeID)?
  /// The segment of its bias; nil where that is no parameter.
  package internal(set) var bias: Int?
}

extension UnitGraph {
  /// Finds the layers of a graph. Throws an `InputError` that names the parameter or the operator where
  /// a parameter is no dense layer's, or used twice, or samples interact.
  package init(_ graph: Graph, _ parameters: ParameterVector) throws {
    var walk = UnitWalk(graph)
    try walk.run()
    let layout = ParameterLayout(
      walk.layers.map { (name: $0.layer.name, shape: [$0.layer.units]) })
    var result = Graph(layout: layout)
    var shifts = [Double](repeating: 0, count: layout.count)
    var layers = walk.layers.map(\.layer)
    let shifted = Dictionary(
      uniqueKeysWithValues: walk.layers.enumerated().map { ($1.node, $0) })
    var new: [Graph.NodeID] = []
    for (id, node) in graph.nodes.enumerated() {
      switch node.definition {
      case .constant(let tensor): new.append(result.constant(node.name, tensor))
      case .parameter(let segment):
        let tensor = Tensor(shape: node.shape, values: Array(parameters[segment: segment]))
        new.append(result.constant(node.name, tensor))
      case .apply(let operation, let inputs):
        var inputs = inputs.map { new[$0] }
        guard let number = shifted[id] else {
          new.append(try result.apply(operation, inputs, name: node.name))
          continue
        }
        let found = walk.layers[number]
        if let input = found.input { layers[number].weights?.input = new[input] }
        let shift = result.parameter(segment: number)
        if let bias = found.bias.map({ new[$0] }), let values = result.constantValues(bias) {
          // The shift takes the place of the bias.
          shifts.replaceSubrange(layout.segments[number].range, with: values)
          inputs = inputs.map { $0 == bias ? shift : $0 }
        } else if case .dense = operation, inputs.count == 2 {
          inputs.append(shift)
        } else {
          let value = try result.apply(operation, inputs, name: node.name)
          new.append(try result.apply(.combine(.add), [value, shift], name: node.name))
          continue
        }
        new.append(try result.apply(operation, inputs, name: node.name))
      }
    }
    for term in graph.terms where walk.parts[term.node] == .units {
      result.addToCost(new[term.node], factor: term.factor)
    }
    self.graph = result
    self.shifts = try ParameterVector(layout: layout, values: shifts)
    self.layers = layers
    let rest = graph.terms.filter { walk.parts[$0.node].isPenalty }
    penalties = rest.isEmpty ? nil : try graph.keeping(rest)
    samples = walk.samples ?? 1
  }
}

extension Graph {
  /// The values of a node that is a constant.
  fileprivate func constantValues(_ node: NodeID) -> [Double]? {
    if case .constant(let tensor) = nodes[node].definition { tensor.values } else { nil }
  }
}
