import Dispatch
import GPUCheck
import Kernels
import Synchronization
import Testing

/// Products of every number of rows that blocks make a difference to, over more samples and depths than a
/// work-item takes at a time, by kernels of a CPU and of a GPU; and batches that go side by side.
struct RowBlockTests {
  enum Net: CaseIterable { case products, convolutions }

  private static func baseline(_ net: Net) throws -> Baseline {
    var random = SplitMix64(seed: 21)
    let numbers = { (count: Int, size: Double) in
      (0..<count).map { _ in Double.random(in: -size...size, using: &random) }
    }
    let widths = 1...(net == .products ? 20 : 14)
    let layout = ParameterLayout(
      widths.map { width in
        let ins = max(1, width - 1)
        return ("W\(width)", net == .products ? [width, ins] : [width, ins, 3, 3])
      })
    var graph = Graph(layout: layout)
    let shape = net == .products ? [70, 1] : [2, 1, 9, 9]
    var z = graph.constant(
      "x", Tensor(shape: shape, values: numbers(shape.reduce(1, *), 1)))
    for segment in layout.segments.indices {
      let w = graph.parameter(segment: segment)
      let form = ConvolutionForm(
        strides: [1, 1], dilations: [1, 1], padding: [(1, 1), (1, 1)], groups: 1)
      z = try graph.apply(
        net == .products ? .dense(.outIn) : .convolution(form), [z, w], name: "z\(segment)")
      z = try graph.apply(.element(.tanh), [z], name: "a\(segment)")
    }
    var ends = [z]
    if net == .products {
      // Both factors move: 70 by 70 over 20, and 20 by 20 over 70.
      ends = try [MatrixProductForm(transposeB: true), MatrixProductForm(transposeA: true)]
        .enumerated().map {
          try graph.apply(.matrixProduct($1), [z, z], name: "p\($0)")
        }
    }
    for (number, end) in ends.enumerated() {
      graph.addToCost(
        try graph.apply(.element(.square), [end], name: "cost\(number)"), factor: 1)
    }
    return Baseline(
      graph: graph,
      parameters: try ParameterVector(layout: layout, values: numbers(layout.count, 0.8)))
  }

  private static let backends = Result {
    let device = try TestBackend.poclDevice()
    return try ["", "width=1,-tiles,"].map {
      try OpenCLBackend(
        device, text: KernelText(), cache: nil, choice: KernelChoice($0 + "-chains,-moments"))
    }
  }

  @Test(
    "Every number of rows, as on the CPU; the same bits side by side",
    arguments: Net.allCases, [LaneMode.difference, .value])
  func everyNumber(net: Net, mode: LaneMode) throws {
    let baseline = try Self.baseline(net)
    let device = try TestBackend.poclDevice().description
    for precision in [Precision.f64, .f32] {
      let evaluators = try Self.backends.get().map {
        try $0.prepare(baseline, mode: mode, precision: precision, tieRoundoff: 0)
      }
      let cpu = try CPUBackend(takesChains: false).prepare(
        baseline, mode: mode, precision: precision, tieRoundoff: 0)
      for (segment, part) in baseline.graph.layout.segments.enumerated() {
        let batch = LaneBatch.spread(40, segment: segment, of: baseline, mode, precision)
        let expected = try cpu.evaluate(batch).values
        for evaluator in evaluators {
          let found = try evaluator.evaluate(batch).values
          expectNear(found, expected, precision, part.name)
          let atOnce = evaluator.batchesAtOnce(batch)
          #expect(atOnce >= device.cores, "a batch for every core")
          let beside = Mutex<[[Double]?]>([])
          DispatchQueue.concurrentPerform(iterations: 2 * atOnce) { _ in
            let values = try? evaluator.evaluate(batch).values
            beside.withLock { $0.append(values) }
          }
          #expect(beside.withLock { $0.allSatisfy { $0 == found } }, "\(part.name), \(precision)")
        }
      }
    }
  }
}
