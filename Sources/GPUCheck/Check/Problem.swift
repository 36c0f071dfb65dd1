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

  /// The unit roundoff that decides what is tied at a kink: that of whoever computed dθ.
  var tieRoundoff: Double {
    max(gradient.elementType.unitRoundoff, ElementType.float64.unitRoundoff)
  }

  /// A problem whose gradient came from a file: one that holds float32 numbers only is judged as one
  /// that was computed in float32, whatever it was stored as.
  init(
    graph: Graph, parameters: ParameterVector, storedGradient: ParameterVector,
    warnings: [String]
  ) {
    self.init(graph: graph, parameters: parameters, gradient: storedGradient, warnings: warnings)
    guard gradient.isFloat32InFloat64 else { return }
    gradient.elementType = .float32
    self.warnings.append(
      "the gradient is stored as float64, but every value of it is a float32 number: it is "
        + "judged as one that was computed in float32")
  }
}
