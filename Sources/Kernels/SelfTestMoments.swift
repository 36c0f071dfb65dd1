extension SelfTest {
  /// Takes the components of a small layer through moments whose sums are exact in every precision, as a
  /// run and listed. One unit's moments serve no step in one sample: its lanes must come out as NaN. nil
  /// where all are right.
  static func momentFailure(
    _ program: Program, _ queue: CommandQueue, _ specialisation: Specialisation
  ) throws -> String? {
    let (precision, width) = (specialisation.precision, specialisation.vectorWidth)
    let context = program.context
    let (samples, ins, outs) = (3, 2, width + 1)
    let parts = MomentKernels.parts(precision)
    let x: [Double] = [1, 2, 0, 1, 1, 0]
    let moves = [0.25, -0.25]
    let unserved = (unit: 1, sample: 1)
    func moment(_ term: Int, _ unit: Int, _ sample: Int) -> Double {
      guard term == MomentKernels.terms - 1 else { return Double(1 + term + unit + sample) }
      return (unit, sample) == unserved ? 0.125 : 1
    }
    var table: [Double] = []
    for block in 0..<2 {
      for sample in 0..<samples {
        for term in 0..<MomentKernels.terms {
          table += (0..<width).map { moment(term, block * width + $0, sample) }
        }
      }
    }
    let expected = (0..<outs * ins * moves.count).map { lane -> Double in
      let (component, step) = (lane / moves.count, moves[lane % moves.count])
      let (unit, input) = (component / ins, component % ins)
      return (0..<samples).reduce(0) { sum, sample in
        let d = step * x[sample * ins + input]
        guard d.magnitude <= moment(MomentKernels.terms - 1, unit, sample) else { return .nan }
        var series = 0.0
        for term in (0..<MomentKernels.terms - 1).reversed() {
          series = (series + moment(term, unit, sample)) * d
        }
        return sum + series
      }
    }
    let layer = MomentKernels.Layer(
      samples: samples, ins: ins, outs: outs, unitStride: ins, inputStride: 1,
      x: .buffer(try Buffer(context, reals: x, precision)),
      moments: try Buffer(context, reals: table, precision))
    let lanes = (expected.count + width - 1) / width * width
    let filler = lanes - expected.count
    let components = try Buffer(
      context,
      integers: (0..<expected.count).map { Int32($0 / moves.count) }
        + [Int32](repeating: 0, count: filler))
    let steps = try Buffer(
      context,
      reals: expected.indices.map { moves[$0 % moves.count] }
        + [Double](repeating: 0, count: filler), precision)
    let out = try Buffer(context, realCount: parts * lanes, precision)
    let launches: [(arguments: any KernelArguments, global: [Int], lanes: Int)] = [
      (
        MomentKernels.Run(
          layer, firstBlock: 0, inputs: 0..<ins, origin: 0, lanes: expected.count, moves: moves,
          out: out, place: 0), [1, 2], expected.count
      ),
      (
        MomentKernels.List(
          layer, laneVectors: lanes / width, first: 0, components: components, moves: steps,
          out: out, place: 0),
        [lanes / width], lanes
      ),
    ]
    for launch in launches {
      let kernel = try Kernel(program, launch.arguments.kernel)
      try kernel.set(launch.arguments)
      // As lanes have it: drivers compile a kernel again for another size.
      try queue.enqueue(
        kernel, global: launch.global,
        local: context.device.description.workGroup(of: launch.global))
      let sums = try queue.reals(of: out, count: parts * launch.lanes, precision)
      for (lane, value) in expected.enumerated() {
        let found = (1..<parts).reduce(sums[lane]) { $0 + sums[$1 * launch.lanes + lane] }
        guard found == value || (found.isNaN && value.isNaN) else {
          return "\(launch.arguments.kernel) gives \(found) instead of \(value) in lane \(lane)"
        }
      }
    }
    return nil
  }
}
