/// The values that names stand for while a graph is lowered; a body's scope looks further in that of
/// the graph around it.
final class Scope {
  private let outer: Scope?
  private let initializers: [String: ONNXTensor]
  private var values: [String: LoweredValue]

  init(_ graph: ONNXGraph, values: [String: LoweredValue] = [:], within outer: Scope? = nil) {
    initializers = graph.initializers
    self.values = values
    self.outer = outer
  }

  /// What a name stands for; nil where nothing was made of that name. Initialisers are decoded when
  /// they are first asked for.
  func value(_ name: String) throws -> LoweredValue? {
    if let value = values[name] { return value }
    if let tensor = initializers[name] {
      let value = LoweredValue(try tensor.tensor().intended)
      values[name] = value
      return value
    }
    return try outer?.value(name)
  }

  func define(_ name: String, _ value: LoweredValue) { values[name] = value }
}
