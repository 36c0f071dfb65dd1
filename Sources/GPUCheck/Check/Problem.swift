/// What is checked: a cost as a graph, θ, and the gradient that somebody computed.
public struct Problem: Sendable {
  public var graph: Graph
  /// θ.
  public var parameters: ParameterVector
  /// dθ as given.
  public var gradient: ParameterVector
  /// What to know of how the problem was read.
  public var warnings: [String]

  public init(
    graph: Graph, parameters: ParameterVector, gradient: ParameterVector, warnings: [String] = []
  ) {
    self.graph = graph
    self.parameters = parameters
    self.gradient = gradient
    self.warnings = warnings
  }
}
