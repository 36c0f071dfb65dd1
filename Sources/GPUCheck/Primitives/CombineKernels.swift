import Kernels

extension Combine {
  /// The name of a rule function of combine_rules.cl.
  static func rule(_ function: String, _ mode: LaneMode) -> String {
    "of_two_\(function)_\(mode.rawValue)"
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] {
    CombineArguments.units(function.rawValue, mode, tables: Self.tables(function, mode), values: 1)
  }

  package func launches(_ call: KernelCall) -> [Launch] {
    CombineArguments.launches(function.rawValue, call, condition: nil, a: 0, b: 1)
  }
}

extension Select {
  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] {
    CombineArguments.units(name, mode, tables: mode == .value ? 3 : 2, values: 2)
  }

  package func launches(_ call: KernelCall) -> [Launch] {
    CombineArguments.launches(name, call, condition: 0, a: 1, b: 2)
  }
}

/// The arguments of combine.cl, in its order.
private struct CombineArguments: KernelArguments {
  var function: String
  var call: KernelCall
  var way: BroadcastLanes
  /// Which inputs are the condition and the two values.
  var condition: Int?
  var a: Int
  var b: Int

  var kernel: String { Self.name(function, call.mode) }

  static func name(_ function: String, _ mode: LaneMode) -> String {
    "combine_\(function)_\(mode.rawValue)"
  }

  /// - Parameter values: where the operand a stands among the tables of a value, from 1.
  static func units(_ function: String, _ mode: LaneMode, tables: Int, values: Int)
    -> [KernelUnit]
  {
    [
      KernelUnit(file: "combine_rules.cl"),
      KernelUnit(
        file: "combine.cl",
        defines: [
          ("KERNEL", name(function, mode)), ("RULE", Combine.rule(function, mode)),
          ("TABLES", "\(tables)"), ("VALUES", mode == .value ? "\(values)" : "0"),
        ]),
    ]
  }

  static func launches(_ function: String, _ call: KernelCall, condition: Int?, a: Int, b: Int)
    -> [Launch]
  {
    guard let way = BroadcastLanes(call.step.inputShapes, slice: call.step.output.slice) else {
      return []
    }
    return [
      Launch(
        arguments: CombineArguments(
          function: function, call: call, way: way, condition: condition, a: a, b: b),
        global: call.global(over: way.count))
    ]
  }

  var arguments: [KernelArgument] {
    let sizes: [KernelArgument] = [
      .int(call.laneVectors), .int(way.count), .int(way.slice?.axisLength ?? 0),
      .int(way.slice?.inner ?? 1), .int(Int(call.tiePolicy.rawValue)),
    ]
    let none = [Int](repeating: 0, count: BroadcastLanes.rank)
    let ways = [
      way.extents, way.strides[a], way.strides[b], condition.map { way.strides[$0] } ?? none,
    ]
    return sizes + ways.flatMap { $0.map { .int($0) } } + [
      call.index(0), call.coefficient(0), call.coefficient(1), call.coefficient(2),
      call.coefficient(3), condition.map { call.input($0) } ?? .none, call.input(a), call.input(b),
      .buffer(call.output), .buffer(call.flags),
    ]
  }
}
