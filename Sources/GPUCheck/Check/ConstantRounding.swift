/// What the rounding of a model's constants does to the gradient. A √2 that the model stores as
/// float32 is off by up to 2⁻²⁴ of its size from the one in the user's code, and so is every
/// component of dθ that it scales: in float64 that is far more than all other rounding.
enum ConstantRounding {
  /// How far each of some components of dθ, ascending (nil: of all), may be off; nil where no constant
  /// was rounded.
  ///
  /// Constants of the same value are the same number of the user's code; each such group is moved
  /// by one unit of its roundoff, and the changes of the gradient add up.
  static func deviations(_ baseline: Baseline, at components: [Int]?) -> ComponentValues? {
    let groups = groups(of: baseline.graph)
    guard !groups.isEmpty else { return nil }
    let gradient = ErrorScales.gradient(baseline, at: components)
    var deviations = [Double](repeating: 0, count: gradient.values.count)
    for group in groups {
      let graph = baseline.graph.replacingConstants { node, tensor in
        guard group.contains(node) else { return nil }
        return Tensor(
          shape: tensor.shape,
          values: tensor.values.map { $0 + $0 * tensor.elementType.unitRoundoff },
          elementType: tensor.elementType)
      }
      let moved = ErrorScales.gradient(
        Baseline(graph: graph, parameters: baseline.parameters), at: components
      ).values
      for i in deviations.indices { deviations[i] += (moved[i] - gradient.values[i]).magnitude }
    }
    return gradient.replaced(by: deviations)
  }

  /// The constants of one element that were rounded when they were stored, by value; beyond a few
  /// values the rest is one group.
  private static func groups(of graph: Graph) -> [Set<Graph.NodeID>] {
    var byValue: [Double: Set<Graph.NodeID>] = [:]
    for (id, node) in graph.nodes.enumerated() {
      guard case .constant(let tensor) = node.definition, tensor.count == 1,
        [.float32, .float16, .bfloat16].contains(tensor.elementType),
        let value = tensor.values.first, value.isFinite, isRounded(value, tensor.elementType)
      else { continue }
      byValue[value, default: []].insert(id)
    }
    guard !byValue.isEmpty else { return [] }
    let sorted = byValue.sorted { $0.key < $1.key }.map(\.value)
    guard sorted.count > most else { return sorted }
    return Array(sorted.prefix(most - 1))
      + [sorted.dropFirst(most - 1).reduce(into: Set()) { $0.formUnion($1) }]
  }

  private static let most = 8

  /// Whether a number can only be the rounding of another one: it uses nearly all digits of its type,
  /// and no more.
  private static func isRounded(_ value: Double, _ type: ElementType) -> Bool {
    let digits = value.significandWidth
    let all = type == .float32 ? 23 : type == .float16 ? 10 : 7
    return digits <= all && digits > all / 2
  }
}
