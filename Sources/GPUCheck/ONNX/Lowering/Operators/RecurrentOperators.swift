// Recurrent layers, unrolled over their steps.

enum RecurrentOperators {
  static let operators: [OperatorLowering] = [
    .outputs("RNN", "its cell, step by step") { call, builder in
      try RecurrentLayer(call, builder, gates: 1).run(rnn)
    },
    .outputs("LSTM", "its cell, step by step") { call, builder in
      let layer = try RecurrentLayer(call, builder, gates: 4)
      let inputForget = try call.flag("input_forget")
      return try layer.run { try lstm($0, $1, $2, inputForget: inputForget, builder) }
    },
    .outputs("GRU", "its cell, step by step") { call, builder in
      let layer = try RecurrentLayer(call, builder, gates: 3)
      let linearFirst = try call.flag("linear_before_reset")
      return try layer.run { try gru($0, $1, $2, linearFirst: linearFirst, builder) }
    },
  ]

  /// H = f(x·Wᵀ + H·Rᵀ + b).
  private static func rnn(
    _ direction: RecurrentDirection, _ input: LoweredValue, _ state: RecurrentState
  ) throws -> RecurrentState {
    RecurrentState(
      hidden: try direction.activate(0, direction.recurrent(input, state.hidden)), cell: nil)
  }

  /// i, o, f, c: C = f·C + i·c, H = o·h(C); peepholes look at C.
  private static func lstm(
    _ direction: RecurrentDirection, _ input: LoweredValue, _ state: RecurrentState,
    inputForget: Bool, _ builder: GraphBuilder
  ) throws -> RecurrentState {
    var gates = try builder.split(
      direction.recurrent(input, state.hidden), axis: 1,
      [Int](repeating: direction.units, count: 4))
    func peep(_ gate: Int, _ peephole: Int, at cell: LoweredValue?) throws {
      guard let weights = direction.peepholes?[peephole], let cell else { return }
      gates[gate] = try builder.add(gates[gate], builder.multiply(weights, cell))
    }
    try peep(0, 0, at: state.cell)
    try peep(2, 2, at: state.cell)
    let i = try direction.activate(0, gates[0])
    let f = try inputForget ? builder.complement(i) : direction.activate(0, gates[2])
    var cell = try builder.multiply(i, direction.activate(1, gates[3]))
    if let before = state.cell { cell = try builder.add(builder.multiply(f, before), cell) }
    try peep(1, 1, at: cell)
    let o = try direction.activate(0, gates[1])
    return RecurrentState(
      hidden: try builder.multiply(o, direction.activate(2, cell)), cell: cell)
  }

  /// z, r, h: H = (1 − z)·h + z·H, where h sees H through r.
  private static func gru(
    _ direction: RecurrentDirection, _ input: LoweredValue, _ state: RecurrentState,
    linearFirst: Bool, _ builder: GraphBuilder
  ) throws -> RecurrentState {
    let units = direction.units
    let parts = try builder.split(input, axis: 1, [2 * units, units])
    var gates = parts[0]
    guard let recurrence = direction.gru else { return state }
    if let hidden = state.hidden {
      gates = try builder.add(gates, builder.matrixProduct(hidden, recurrence.gates))
    }
    if let bias = recurrence.gatesBias { gates = try builder.add(gates, bias) }
    let both = try builder.split(direction.activate(0, gates), axis: 1, [units, units])
    let (z, r) = (both[0], both[1])
    var candidate = parts[1]
    if linearFirst {
      var inner = try state.hidden.map { try builder.matrixProduct($0, recurrence.candidate) }
      if let bias = recurrence.candidateBias {
        inner = try inner.map { try builder.add($0, bias) } ?? bias
      }
      if let inner { candidate = try builder.add(candidate, builder.multiply(r, inner)) }
    } else {
      if let hidden = state.hidden {
        candidate = try builder.add(
          candidate, builder.matrixProduct(builder.multiply(r, hidden), recurrence.candidate))
      }
      if let bias = recurrence.candidateBias { candidate = try builder.add(candidate, bias) }
    }
    candidate = try direction.activate(1, candidate)
    var hidden = try builder.multiply(builder.complement(z), candidate)
    if let before = state.hidden { hidden = try builder.add(hidden, builder.multiply(z, before)) }
    return RecurrentState(hidden: hidden, cell: nil)
  }
}
