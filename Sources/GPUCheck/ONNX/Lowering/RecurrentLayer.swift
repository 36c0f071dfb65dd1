/// What a recurrent cell carries from step to step; nil stands for zeros.
struct RecurrentState {
  /// `[batch, units]`.
  var hidden: LoweredValue?
  var cell: LoweredValue?
}

/// The weights of a recurrent layer in one direction.
struct RecurrentDirection {
  let builder: GraphBuilder
  let units: Int
  /// Rᵀ, `[units, gates · units]`.
  let recurrence: LoweredValue
  /// The same in a GRU's parts; nil for other cells.
  let gru: GRURecurrence?
  /// For i, o and f, `[units]` each.
  let peepholes: [LoweredValue]?
  let activations: [(LoweredValue) throws -> LoweredValue]
  let clip: Double?

  /// What the steps of the input give, and H·Rᵀ.
  func recurrent(_ input: LoweredValue, _ hidden: LoweredValue?) throws -> LoweredValue {
    guard let hidden else { return input }
    return try builder.add(input, builder.matrixProduct(hidden, recurrence))
  }

  /// The activation of a number, of what is cut off at ±clip.
  func activate(_ number: Int, _ x: LoweredValue) throws -> LoweredValue {
    try activations[number](clip.map { try builder.clip(x, -$0, $0) } ?? x)
  }
}

/// What a GRU adds by itself: R and R's half of the bias, of the gates z and r and of the candidate h.
struct GRURecurrence {
  /// Rᵀ, `[units, 2 · units]` and `[units, units]`.
  let gates: LoweredValue
  let candidate: LoweredValue
  let gatesBias: LoweredValue?
  let candidateBias: LoweredValue?

  /// - Parameter weights: R, `[3 · units, units]`.
  init(weights: LoweredValue, bias: LoweredValue?, units: Int, _ builder: GraphBuilder) throws {
    let parts = try builder.split(weights, axis: 0, [2 * units, units])
    gates = try builder.permuted(parts[0], [1, 0])
    candidate = try builder.permuted(parts[1], [1, 0])
    let biases = try bias.map { try builder.split($0, axis: 0, [2 * units, units]) }
    (gatesBias, candidateBias) = (biases?[0], biases?[1])
  }
}

/// A recurrent layer: X `[steps, batch, in]`, W `[directions, gates · units, in]`,
/// R `[directions, gates · units, units]`, B `[directions, 2 · gates · units]`.
struct RecurrentLayer {
  private let call: OperatorCall
  private let builder: GraphBuilder
  private let gates: Int
  private let x: LoweredValue
  private let directions: Int
  private let units: Int
  private let isBatchFirst: Bool
  /// The length of each sequence, where not all are full.
  private let lengths: [Int]?

  init(_ call: OperatorCall, _ builder: GraphBuilder, gates: Int) throws {
    self.call = call
    self.builder = builder
    self.gates = gates
    isBatchFirst = try call.flag("layout")
    let input = try call.input(0)
    guard input.rank == 3 else {
      throw call.error("found X of shape \(input.shape), expected [steps, batch, in]")
    }
    x = try builder.materialised(isBatchFirst ? builder.permuted(input, [1, 0, 2]) : input)
    let (w, r) = (try call.input(1), try call.input(2))
    let way = try call.string("direction", "forward")
    guard ["forward", "reverse", "bidirectional"].contains(way) else {
      throw call.error("found direction '\(way)', expected forward, reverse or bidirectional")
    }
    directions = way == "bidirectional" ? 2 : 1
    units = try call.int("hidden_size") ?? r.shape.last ?? 0
    guard units > 0, w.shape == [directions, gates * units, x.shape[2]],
      r.shape == [directions, gates * units, units]
    else {
      throw call.error(
        "found W \(w.shape) and R \(r.shape), expected \([directions, gates * units, x.shape[2]]) "
          + "and \([directions, gates * units, units])")
    }
    let given = try call.optional(4).map {
      try builder.atTheta($0, "the sequences' lengths").values.map(Int.init(clamping:))
    }
    lengths = given.flatMap { [steps = x.shape[0]] in $0.allSatisfy { $0 >= steps } ? nil : $0 }
    guard lengths?.count ?? x.shape[1] == x.shape[1] else {
      throw call.error("found \(lengths?.count ?? 0) lengths for \(x.shape[1]) sequences")
    }
  }

  /// Y `[steps, directions, batch, units]`, the last H and, where there is one, the last C.
  func run(
    _ cell: (RecurrentDirection, LoweredValue, RecurrentState) throws -> RecurrentState
  ) throws -> [LoweredValue?] {
    var (outputs, hidden, cells): ([LoweredValue], [LoweredValue], [LoweredValue]) = ([], [], [])
    let way = try call.string("direction", "forward")
    for number in 0..<directions {
      let isReverse = way == "reverse" || number == 1
      let (steps, last) = try run(direction: number, isReverse: isReverse, cell)
      outputs.append(steps)
      hidden.append(last.hidden ?? zeros)
      cells.append(last.cell ?? zeros)
    }
    var y = try builder.stack(outputs, axis: 1)
    var (h, c) = (try builder.stack(hidden, axis: 0), try builder.stack(cells, axis: 0))
    if isBatchFirst {
      y = try builder.permuted(y, [2, 0, 1, 3])
      h = try builder.permuted(h, [1, 0, 2])
      c = try builder.permuted(c, [1, 0, 2])
    }
    return [y, h, c]
  }

  private var zeros: LoweredValue {
    builder.constant(
      [x.shape[1], units], [Double](repeating: 0, count: x.shape[1] * units), x.elementType)
  }

  private func run(
    direction number: Int, isReverse: Bool,
    _ cell: (RecurrentDirection, LoweredValue, RecurrentState) throws -> RecurrentState
  ) throws -> (LoweredValue, RecurrentState) {
    let (steps, batch) = (x.shape[0], x.shape[1])
    let width = gates * units
    // The bias has W's half and R's; only a GRU keeps them apart.
    var bias = try part(3, number, [2 * width]).map {
      try builder.split($0, axis: 0, [width, width])
    }
    if gates != 3, let both = bias { bias = [try builder.add(both[0], both[1])] }
    let recurrence = try require(part(2, number, [width, units]))
    let direction = RecurrentDirection(
      builder: builder, units: units, recurrence: try builder.permuted(recurrence, [1, 0]),
      gru: try gates == 3
        ? GRURecurrence(weights: recurrence, bias: bias?[1], units: units, builder) : nil,
      peepholes: try gates == 4
        ? part(7, number, [3 * units]).map {
          try builder.split($0, axis: 0, [units, units, units])
        } : nil,
      activations: try activations(number), clip: try call.float("clip"))
    // All steps' x·Wᵀ at once.
    let weights = try builder.permuted(require(part(1, number, [width, x.shape[2]])), [1, 0])
    var inputs = try builder.reshape(
      builder.matrixProduct(builder.reshape(x, [steps * batch, x.shape[2]]), weights),
      [steps, batch, width])
    if let bias { inputs = try builder.add(inputs, bias[0]) }
    var state = RecurrentState(
      hidden: try initial(5, number), cell: try gates == 4 ? initial(6, number) : nil)
    var outputs = [LoweredValue](repeating: zeros, count: steps)
    for step in isReverse ? (0..<steps).reversed() : Array(0..<steps) {
      let input = try builder.reshape(
        builder.slice(inputs, axis: 0, step..<step + 1), [batch, width])
      let next = try cell(direction, input, state)
      (outputs[step], state) = try ended(step, next, state)
    }
    return (try builder.stack(outputs, axis: 0), state)
  }

  /// What a step gives and carries on: sequences that have ended give zeros and keep their state.
  private func ended(_ step: Int, _ next: RecurrentState, _ before: RecurrentState) throws
    -> (LoweredValue, RecurrentState)
  {
    guard let hidden = next.hidden else { return (zeros, next) }
    guard let lengths, lengths.contains(where: { $0 <= step }) else { return (hidden, next) }
    let mask = builder.constant([lengths.count, 1], lengths.map { step < $0 ? 1 : 0 }, .bool)
    var kept = next
    kept.hidden = try builder.select(mask, hidden, before.hidden ?? zeros)
    kept.cell = try next.cell.map { try builder.select(mask, $0, before.cell ?? zeros) }
    return (try builder.select(mask, hidden, zeros), kept)
  }

  /// One direction's part of an input, in a shape; nil where the input is omitted.
  private func part(_ index: Int, _ direction: Int, _ shape: [Int]) throws -> LoweredValue? {
    guard let value = call.optional(index) else { return nil }
    guard value.shape == [directions] + shape else {
      throw call.error(
        "found input \(index) of shape \(value.shape), expected \([directions] + shape)")
    }
    return try builder.reshape(
      builder.slice(value, axis: 0, direction..<direction + 1), shape)
  }

  private func require(_ value: LoweredValue?) throws -> LoweredValue {
    guard let value else { throw call.error("found no weights") }
    return value
  }

  /// The state that a direction begins with; nil where it is zeros.
  private func initial(_ index: Int, _ direction: Int) throws -> LoweredValue? {
    guard var value = call.optional(index) else { return nil }
    if isBatchFirst { value = try builder.materialised(builder.permuted(value, [1, 0, 2])) }
    guard value.shape == [directions, x.shape[1], units] else {
      throw call.error(
        "found an initial state of shape \(value.shape), expected "
          + "\([directions, x.shape[1], units])")
    }
    if let tensor = try builder.tensor(value), tensor.values.allSatisfy({ $0 == 0 }) { return nil }
    return try builder.reshape(
      builder.slice(value, axis: 0, direction..<direction + 1), [x.shape[1], units])
  }

  // MARK: Activations

  private func activations(_ direction: Int) throws
    -> [(LoweredValue) throws -> LoweredValue]
  {
    let count = gates == 4 ? 3 : gates == 3 ? 2 : 1
    let usual = gates == 1 ? ["Tanh"] : ["Sigmoid", "Tanh", "Tanh"]
    let names = try call.strings("activations") ?? []
    let (alphas, betas) = (
      try call.floats("activation_alpha") ?? [], try call.floats("activation_beta") ?? []
    )
    // α and β are listed for the activations that have one.
    var (alpha, beta) = (alphas.makeIterator(), betas.makeIterator())
    var all: [(LoweredValue) throws -> LoweredValue] = []
    for place in 0..<directions * count {
      let name = names.indices.contains(place) ? names[place] : usual[place % count]
      all.append(try activation(name, &alpha, &beta))
    }
    return Array(all[(direction * count)..<(direction + 1) * count])
  }

  private func activation(
    _ name: String, _ alpha: inout IndexingIterator<[Double]>,
    _ beta: inout IndexingIterator<[Double]>
  ) throws -> (LoweredValue) throws -> LoweredValue {
    let builder = self.builder
    switch name.lowercased() {
    case "relu": return { try builder.element(.relu, $0) }
    case "tanh": return { try builder.element(.tanh, $0) }
    case "sigmoid": return { try builder.element(.sigmoid, $0) }
    case "softplus": return { try builder.element(.softplus, $0) }
    case "softsign":
      return { try builder.divide($0, builder.add(builder.element(.absolute, $0), 1)) }
    case "elu":
      let a = alpha.next() ?? 1
      return { try builder.element(.elu(alpha: a), $0) }
    case "leakyrelu":
      let a = alpha.next() ?? 0.01
      return { try builder.element(.leakyRelu(slope: a), $0) }
    case "affine":
      let (a, b) = (alpha.next() ?? 1, beta.next() ?? 0)
      return { try builder.add(builder.scale($0, a), b) }
    case "scaledtanh":
      let (a, b) = (alpha.next() ?? 1, beta.next() ?? 1)
      return { try builder.scale(builder.element(.tanh, builder.scale($0, b)), a) }
    case "hardsigmoid":
      let (a, b) = (alpha.next() ?? 0.2, beta.next() ?? 0.5)
      return { try ActivationOperators.hardSigmoid($0, alpha: a, beta: b, builder) }
    default:
      throw call.error(
        "found the activation '\(name)'", remedy: "export the model with another activation")
    }
  }
}
