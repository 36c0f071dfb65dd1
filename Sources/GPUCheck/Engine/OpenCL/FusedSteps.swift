import Kernels

/// Steps of a plan, one after the other, that go element by element through outputs of one shape: a device
/// takes them as one kernel (kernels/fused.cl), in which what one gives the next never leaves registers.
package struct FusedSteps {
  private let members: [(step: LaneStep, rule: FusedRule)]
  private let inputs: [Input]
  /// Members whose output others read.
  private let stored: [Int]
  /// The kernel's name: the steps', and a number that stands for all of the text.
  package let kernel: String
  private let parameters: String
  private let body: String

  /// How many steps and pointers one kernel takes: registers and arguments are few.
  private static let (mostMembers, mostPointers) = (12, 24)

  /// The parts of kernels/ it needs.
  var units: [KernelUnit] {
    members.flatMap(\.rule.units) + [
      KernelUnit(
        file: "fused.cl",
        defines: [("KERNEL", kernel), ("PARAMETERS", parameters), ("BODY", body)])
    ]
  }

  /// Multiply-adds of one lane, and elements that it reads and writes.
  var work: Double { members.reduce(0) { $0 + $1.step.work } }
  var moved: Int {
    inputs.reduce(0) { $0 + $1.operand.layout.stored(of: elements) }
      + stored.count * elements
  }

  private var elements: Int { members.first?.step.outputElements ?? 0 }

  /// What comes from outside.
  private struct Input {
    var operand: LaneOperand
    /// Where it stands for an element e of the output, in OpenCL C.
    var place: String
    /// A member that reads it, and as which of its inputs.
    var member: Int
    var number: Int
  }

  // MARK: Finding them

  /// The steps of a plan in order: those that go together, and the others by themselves.
  package static func groups(of plan: LanePlan, _ mode: LaneMode, fuses: Bool = true) -> [Group] {
    var groups: [Group] = []
    var at = 0
    while at < plan.steps.count {
      var end = at
      if fuses, mode == .difference {
        while end < plan.steps.count, end - at < mostMembers,
          plan.steps[end].joins(rowOf: plan.steps[at])
        {
          end += 1
        }
      }
      // As long as its stores would spoil what it reads elsewhere, the group gives its last step away.
      while end - at > 1 {
        if let fused = FusedSteps(plan, at..<end) {
          groups.append(.fused(fused))
          break
        }
        end -= 1
      }
      if end - at <= 1 {
        groups.append(.single(plan.steps[at]))
        end = at + 1
      }
      at = end
    }
    return groups
  }

  package enum Group {
    case single(LaneStep)
    case fused(FusedSteps)
  }

  /// Nil where the steps cannot be one kernel.
  private init?(_ plan: LanePlan, _ range: Range<Int>) {
    let steps = plan.steps[range]
    var members: [(step: LaneStep, rule: FusedRule)] = []
    var inputs: [Input] = []
    var lines: [String] = []
    var parameters: [String] = []
    var names: [String] = []
    for (number, step) in steps.enumerated() {
      guard case .apply(let operation) = step.action, let rule = operation.fusedRule else {
        return nil
      }
      var operands: [String] = []
      for (input, operand) in step.inputs.prefix(rule.operands).enumerated() {
        guard let operand else {
          operands.append("(realv)(0)")
          continue
        }
        // Nodes that pass their input on stand where it does.
        if let own = members.lastIndex(where: { $0.step.output.place == operand.place }) {
          guard step.inputShapes[input] == step.outputShape else { return nil }
          operands.append("v\(own)")
          continue
        }
        guard let place = Self.place(of: input, in: step) else { return nil }
        let known = inputs.firstIndex { $0.operand == operand && $0.place == place }
        if known == nil {
          inputs.append(Input(operand: operand, place: place, member: number, number: input))
        }
        operands.append("x\(known ?? inputs.count - 1)")
      }
      let tables = (0..<rule.tables).map { "(realv)(t\(number)_\($0)[e])" }
      parameters += (0..<rule.tables).map { "global const real *t\(number)_\($0)," }
      parameters += rule.attributes.indices.map { "real a\(number)_\($0)," }
      let attributes = rule.attributes.indices.map { "a\(number)_\($0)" }
      lines.append(
        "realv v\(number); { const realv c[] = {\((tables + ["(realv)(0)"]).joined(separator: ", "))};"
          + (attributes.isEmpty
            ? "" : " const real a[] = {\(attributes.joined(separator: ", "))};")
          + " v\(number) = \(rule.call(operands)); }")
      members.append((step, rule))
      names.append(operation.primitive.name)
    }
    let stored = members.indices.filter {
      Self.isRead(range.lowerBound + $0, after: range, of: plan)
    }
    // What is read from other places than it is written to must not be where something is stored.
    let spoilt = inputs.contains { input in
      input.place != "e" && stored.contains { members[$0].step.output.place == input.operand.place }
    }
    let pointers = inputs.count + stored.count + members.reduce(0) { $0 + $1.rule.tables }
    guard !spoilt, pointers <= Self.mostPointers else { return nil }
    let loads = inputs.indices.map {
      "const realv x\($0) = LOAD((size_t)(\(inputs[$0].place)) * lane_vectors + g, i\($0));"
    }
    let stores = stored.map { "STORE(v\($0), (size_t)e * lane_vectors + g, o\($0));" }
    parameters += inputs.indices.map { "global const real *i\($0)," }
    parameters += stored.map { "global real *o\($0)," }
    self.members = members
    self.inputs = inputs
    self.stored = stored
    self.parameters = parameters.joined(separator: " ")
    body = (loads + lines + stores).joined(separator: " ")
    kernel = Self.name(names, StableHash.digits(of: self.parameters + body))
  }

  /// A name that says what is fused, without repeating itself, and differs where the text does.
  private static func name(_ steps: [String], _ digits: String) -> String {
    var known: Set<String> = []
    let kinds = steps.filter { known.insert($0).inserted }.prefix(4).joined(separator: "_")
    return "fused_\(steps.count)_\(kinds.replacingOccurrences(of: "-", with: "_"))_"
      + digits.suffix(8)
  }

  /// Where an input's element stands for element e of the output, in OpenCL C; nil where there are too
  /// many axes to say it.
  private static func place(of input: Int, in step: LaneStep) -> String? {
    if step.inputShapes[input] == step.outputShape { return "e" }
    guard let way = BroadcastLanes(step.inputShapes, slice: nil) else { return nil }
    var behind = 1
    var terms: [String] = []
    for (extent, stride) in zip(way.extents, way.strides[input]) {
      let last = behind * extent == step.outputElements
      if stride != 0, extent > 1 {
        let digit = last ? "e / \(behind)" : "e / \(behind) % \(extent)"
        terms.append("\(digit) * \(stride)")
      }
      behind *= extent
    }
    return terms.isEmpty ? "0" : terms.joined(separator: " + ")
  }

  /// Whether somebody behind a group reads what one of its steps leaves in its buffer.
  private static func isRead(_ step: Int, after range: Range<Int>, of plan: LanePlan) -> Bool {
    let place = plan.steps[step].output.place
    for later in step + 1..<plan.steps.count {
      if later >= range.upperBound, plan.steps[later].inputs.contains(where: { $0?.place == place })
      {
        return true
      }
      if plan.steps[later].output.place == place { return false }
    }
    return plan.terms.contains { $0?.place == place }
  }

  // MARK: Launching them

  /// The launch; `call` gives each step what its own kernel would be given.
  func launch(_ call: (LaneStep) -> KernelCall) -> Launch? {
    let calls = members.map { call($0.step) }
    guard let first = calls.first else { return nil }
    var arguments: [KernelArgument] = [
      .int(first.laneVectors), .int(elements), .int(Int(first.tiePolicy.rawValue)),
    ]
    for (call, member) in zip(calls, members) {
      arguments += (0..<member.rule.tables).map { call.coefficient($0) }
      arguments += member.rule.attributes.map { .real($0) }
    }
    arguments += inputs.map { calls[$0.member].input($0.number) }
    arguments += stored.map { .buffer(calls[$0].output) }
    arguments.append(.buffer(first.flags))
    return Launch(
      arguments: FusedArguments(kernel: kernel, arguments: arguments),
      global: first.global(over: elements))
  }
}

/// The arguments of fused.cl.
private struct FusedArguments: KernelArguments {
  let kernel: String
  let arguments: [KernelArgument]
}
