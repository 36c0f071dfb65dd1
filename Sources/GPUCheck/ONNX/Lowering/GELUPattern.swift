/// GELU written out, ½·x·(1 + erf(x / √2)), as exporters write it before opset 20: as one function it
/// keeps more digits.
struct GELUPattern {
  private let builder: GraphBuilder

  init(_ builder: GraphBuilder) {
    self.builder = builder
  }

  /// gelu(x) where a·b is that; nil where it is not.
  func match(_ a: LoweredValue, _ b: LoweredValue) throws -> LoweredValue? {
    for (one, other) in [(a, b), (b, a)] {
      // (½·x)·(1 + erf …) or ½·(x·(1 + erf …)).
      let found: Graph.NodeID? =
        if let x = gated(one) {
          factors(other, .multiply).contains { $0.moving == x && $0.constant == 0.5 } ? x : nil
        } else if constant(one) == 0.5, let (first, second) = operands(other, .multiply) {
          gated(node: first) == second ? second : gated(node: second) == first ? first : nil
        } else {
          nil
        }
      if let found {
        return try builder.element(.gelu, builder.value(of: found, a.elementType))
      }
    }
    return nil
  }

  /// x where a value is 1 + erf(x / √2).
  private func gated(_ value: LoweredValue) -> Graph.NodeID? {
    guard case .node(let id) = value.content, !value.isTransposed else { return nil }
    return gated(node: id)
  }

  private func gated(node: Graph.NodeID) -> Graph.NodeID? {
    for (one, erf) in factors(value(node), .add) where one == 1 {
      guard let (operation, inputs) = builder.definition(value(erf)),
        operation == .element(.erf), let argument = inputs.first
      else { continue }
      let quotients = factors(value(argument), .divide).filter {
        isNear($0.constant, 2.squareRoot())
      }
      let products = factors(value(argument), .multiply).filter {
        isNear($0.constant, 0.5.squareRoot())
      }
      if let x = (quotients + products).first?.moving { return x }
    }
    return nil
  }

  /// As near as float32 numbers are.
  private func isNear(_ a: Double, _ b: Double) -> Bool { abs(a / b - 1) < 1e-6 }

  /// The readings of a value as a function of a constant of one element and something that moves.
  private func factors(_ value: LoweredValue, _ function: CombineFunction)
    -> [(constant: Double, moving: Graph.NodeID)]
  {
    guard let (a, b) = operands(value, function) else { return [] }
    var readings: [(constant: Double, moving: Graph.NodeID)] = []
    if let constant = constant(self.value(b)) { readings.append((constant, a)) }
    if function != .divide, let constant = constant(self.value(a)) {
      readings.append((constant, b))
    }
    return readings
  }

  private func operands(_ value: LoweredValue, _ function: CombineFunction)
    -> (Graph.NodeID, Graph.NodeID)?
  {
    guard let (operation, inputs) = builder.definition(value), operation == .combine(function),
      inputs.count == 2
    else { return nil }
    return (inputs[0], inputs[1])
  }

  private func constant(_ value: LoweredValue) -> Double? {
    guard case .constant(let shared) = value.content, shared.tensor.count == 1 else { return nil }
    return shared.tensor.values.first
  }

  private func value(_ node: Graph.NodeID) -> LoweredValue { builder.value(of: node, .float32) }
}
