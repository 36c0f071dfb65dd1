import GPUCheck
import Kernels
import Testing

/// Steps that one kernel takes together are the steps one by one.
struct FusedStepsTests {
  private static let functions: [ElementFunction] = [.tanh, .relu, .square, .sigmoid, .softplus]
  private static let pairs: [CombineFunction] = [.add, .subtract, .multiply, .maximum, .divide]

  /// Element functions of what came before in any order: the same operand twice, several readers of
  /// one, rows that are repeated along an axis, and a product in the middle.
  private static func baseline(seed: UInt64) throws -> Baseline {
    let layout = ParameterLayout([("W", [6, 6])])
    var graph = Graph(layout: layout)
    var random = SplitMix64(seed: seed)
    let numbers = { (shape: [Int], size: Double) in
      Tensor(
        shape: shape,
        values: (0..<shape.reduce(1, *)).map { _ in Double.random(in: -size...size, using: &random)
        })
    }
    let product = Operator.matrixProduct(MatrixProductForm())
    let a = graph.constant("A", numbers([4, 6], 1))
    let b = graph.constant("B", numbers([6, 6], 1))
    let narrow = graph.constant("narrow", numbers([6, 1], 1))
    let still = graph.constant("still", numbers([4, 6], 1))
    let w = graph.parameter(segment: 0)
    let first = try graph.apply(product, [a, w], name: "first")
    // From here on all of it moves.
    var nodes = [try graph.apply(product, [first, b], name: "full")]
    var repeated = try graph.apply(product, [nodes[0], narrow], name: "repeated")
    for step in 0..<14 {
      let operand = { nodes[max(0, nodes.count - Int.random(in: 1...4, using: &random))] }
      switch Int.random(in: 0..<8, using: &random) {
      case 0...2:
        let function = functions[Int.random(in: functions.indices, using: &random)]
        nodes.append(try graph.apply(.element(function), [operand()], name: "f\(step)"))
      case 3:
        nodes.append(try graph.apply(.combine(.subtract), [operand(), repeated], name: "r\(step)"))
      case 4:
        nodes.append(try graph.apply(.combine(.multiply), [operand(), still], name: "s\(step)"))
      case 5 where step == 7:
        nodes.append(try graph.apply(product, [operand(), b], name: "p\(step)"))
        repeated = try graph.apply(product, [operand(), narrow], name: "n\(step)")
      default:
        let function = pairs[Int.random(in: pairs.indices, using: &random)]
        var (left, right) = (operand(), operand())
        if function == .divide {
          // Away from 0.
          right = try graph.apply(.element(.softplus), [right], name: "d\(step)")
          let one = graph.constant("one", Tensor(shape: [1], values: [1]))
          right = try graph.apply(.combine(.add), [right, one], name: "e\(step)")
          if Bool.random(using: &random) { left = repeated }
        }
        nodes.append(try graph.apply(.combine(function), [left, right], name: "c\(step)"))
      }
      // What grows is brought back.
      if step % 4 == 3, let last = nodes.last {
        nodes.append(try graph.apply(.element(.tanh), [last], name: "t\(step)"))
      }
    }
    graph.addToCost(nodes[nodes.count - 1], factor: 1)
    graph.addToCost(nodes[nodes.count / 2], factor: 0.5)
    return Baseline(
      graph: graph,
      parameters: try ParameterVector(layout: layout, values: numbers([36], 0.5).values))
  }

  @Test("The same differences and kinks, whatever is fused", arguments: UInt64(0)..<6)
  func sameAsOneByOne(seed: UInt64) throws {
    let baseline = try Self.baseline(seed: seed)
    let plan = try LanePlan(graph: baseline.graph, segment: 0, mode: .difference)
    let fused = FusedSteps.groups(of: plan, .difference).filter {
      if case .fused = $0 { true } else { false }
    }
    #expect(!fused.isEmpty)
    for precision in [Precision.f64, .f32] {
      let (device, cpu) = (try TestBackend.pocl.open(), CPUBackend(takesChains: false))
      let steps = [1e-4, -1e-4, 0.1, -0.5, 1]
      let batch = LaneBatch(
        segment: 0, components: (0..<36).flatMap { component in steps.map { _ in component } },
        moves: (0..<36).flatMap { _ in steps.map { precision.rounded($0) } })
      let (found, expected) = try (
        device.prepare(baseline, mode: .difference, precision: precision, tieRoundoff: 0)
          .evaluate(batch),
        cpu.prepare(baseline, mode: .difference, precision: precision, tieRoundoff: 0)
          .evaluate(batch)
      )
      #expect(found.flags == expected.flags)
      let size = baseline.cost.magnitude
      for (lane, (value, expected)) in zip(found.values, expected.values).enumerated() {
        let bar = 2000 * precision.unitRoundoff * max(expected.magnitude, 1e-3 * size)
        #expect((value - expected).magnitude <= bar, "lane \(lane), \(precision)")
      }
    }
  }

  @Test("A device takes a row of steps at once, and values one by one")
  func groups() throws {
    let layout = ParameterLayout([("W", [3, 3])])
    var graph = Graph(layout: layout)
    let x = graph.constant("x", Tensor(shape: [2, 3], values: [1, 2, 3, 4, 5, 6]))
    let w = graph.parameter(segment: 0)
    let product = Operator.matrixProduct(MatrixProductForm())
    var z = try graph.apply(product, [x, w], name: "z")
    z = try graph.apply(
      product, [z, graph.constant("y", Tensor(shape: [3, 3], values: x3))], name: "full")
    let square = try graph.apply(.element(.square), [z], name: "square")
    let cube = try graph.apply(.combine(.multiply), [square, z], name: "cube")
    let sum = try graph.apply(.combine(.add), [cube, z], name: "sum")
    graph.addToCost(try graph.apply(.element(.tanh), [sum], name: "tanh"), factor: 1)
    let names = { (mode: LaneMode) in
      try FusedSteps.groups(of: LanePlan(graph: graph, segment: 0, mode: mode), mode).map { group in
        switch group {
        case .single(let step): graph.nodes[step.node].name
        case .fused(let steps): String(steps.kernel.dropLast(9))
        }
      }
    }
    #expect(try names(.difference) == ["z", "full", "fused_4_square_multiply_add_tanh"])
    let values = try names(.value)
    #expect(values.suffix(4) == ["square", "cube", "sum", "tanh"])
  }

  private let x3: [Double] = [1, 0, 2, 0, 1, 0, 3, 0, 1]
}
