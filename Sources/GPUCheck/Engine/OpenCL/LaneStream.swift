import Foundation
import Kernels

/// What all batches of lanes on a device share: the lanes' ways, the program and the tables.
struct LaneSetup {
  let mode: LaneMode
  let precision: Precision
  let graph: Graph
  let plans: [LanePlan]
  /// The steps of each plan, those together that one kernel takes.
  let groups: [[FusedSteps.Group]]
  let vectorWidth: Int
  let sizing: LaneSizing
  let usesTiles: Bool
  let context: Context
  let program: Program
  let tables: LaneTables
  let chain: ChainTables?
  /// What the terms of J sum up to at θ.
  let termSums: [Double]
  let profile: LaneProfile?

  /// The lanes of a launch for so many.
  func padded(_ count: Int, _ plan: LanePlan) -> Int {
    sizing.padded(count, isChain: plan.chain != nil)
  }
}

/// The way of one batch after the other over a device, with a queue, kernels and buffers of its own:
/// beside another one the host's part of a batch goes on while the device works at another.
///
/// `@unchecked Sendable`: used by one batch at a time.
final class LaneStream: @unchecked Sendable {
  private let setup: LaneSetup
  /// Of the whole device, and of a core of it where it is divided.
  private let queues: (whole: CommandQueue, core: CommandQueue)
  /// Whether the next batch is the only one on its way, and may have more than a core.
  var hasWholeDevice = true
  private var queue: CommandQueue { hasWholeDevice ? queues.whole : queues.core }
  private var kernels: [String: Kernel] = [:]
  /// Given up while memory is looked for: the old buffers must go before smaller ones can come.
  private var buffers: LaneBuffers?
  /// `[samples, lanes]`, from the first time on that a chain's samples are asked for.
  private var samples: Buffer?
  /// Launches of a batch that are still to be asked for their time, with the multiply-adds of a lane and
  /// the elements that it reads and writes.
  private var timed: [(event: Event, kernel: String, work: Double, moved: Int)] = []

  /// - Parameter core: the number of a core, of any there are.
  init(_ setup: LaneSetup, core: Int) throws {
    self.setup = setup
    let profiling = setup.profile != nil
    queues = (
      try CommandQueue(setup.context, profiling: profiling),
      try CommandQueue(setup.context, core: core, profiling: profiling)
    )
  }

  /// Gives all memory back: drivers that allocate at the first use say only then that there is none.
  func release() {
    buffers = nil
    samples = nil
    kernels = [:]
  }

  /// Makes buffers for so many lanes of each segment, unless there are.
  func prepare(capacities: [Int]) throws { _ = try buffers(capacities) }

  private func buffers(_ capacities: [Int]) throws -> LaneBuffers {
    if let buffers, buffers.capacities == capacities { return buffers }
    buffers = nil
    let made = try LaneBuffers(
      setup.context, setup.plans, capacities: capacities, terms: setup.graph.terms.count,
      setup.precision)
    buffers = made
    return made
  }

  /// ΔJ or J of some lanes of a batch, no more than the capacity of its segment.
  func evaluate(_ batch: LaneBatch, _ range: Range<Int>, capacities: [Int]) throws -> LaneResults {
    try run(batch, range, buffers(capacities))
  }

  /// The same, and the terms' elements in every lane, which are added to those found before.
  func evaluateTerms(
    _ batch: LaneBatch, _ range: Range<Int>, capacities: [Int], _ found: inout TermResults
  ) throws -> LaneResults {
    let buffers = try buffers(capacities)
    let plan = setup.plans[batch.segment]
    let lanes = setup.padded(range.count, plan)
    let samples = try plan.chain == nil ? nil : sampleBuffer(lanes: lanes)
    let results = try run(batch, range, buffers, samples: samples)
    // What a lane's last steps wrote is still in its buffers.
    let arrays = try plan.terms.enumerated().map { term, operand -> [Double] in
      if let chain = setup.chain, let samples, plan.chain?.term == term {
        return try queue.reals(of: samples, count: chain.samples * lanes, setup.precision)
      }
      guard let operand else { return [] }
      let stored = operand.layout.stored(of: setup.graph.nodes[operand.node].count)
      return try queue.reals(
        of: buffers.buffer(operand.place), count: stored * lanes, setup.precision)
    }
    for (term, array) in arrays.enumerated() {
      found.append(term: term, array, width: lanes, count: range.count)
    }
    return results
  }

  /// Where a chain leaves the sums of single samples, for so many lanes.
  private func sampleBuffer(lanes: Int) throws -> Buffer {
    let count = (setup.chain?.samples ?? 0) * lanes
    if let known = samples, known.byteCount >= count * setup.precision.bytes { return known }
    samples = nil
    let made = try Buffer(setup.context, realCount: count, setup.precision)
    samples = made
    return made
  }

  /// One batch that fits the buffers.
  ///
  /// - Parameter samples: for what a chain makes of single samples; it then makes no sum over them.
  private func run(
    _ batch: LaneBatch, _ range: Range<Int>, _ buffers: LaneBuffers, samples: Buffer? = nil
  ) throws -> LaneResults {
    let plan = setup.plans[batch.segment]
    let lanes = setup.padded(range.count, plan)
    let staging = buffers.staging
    // The last batch ended with a read that waited. Should a driver not have done so, its commands would
    // write over what is put here now.
    try queue.finish()
    staging.clear()
    var isDone = false
    // Commands must not outlive what they read and write.
    defer { if !isDone { try? queue.finish() } }
    let batch = batch[range]
    let positions = plan.indices.map { $0.positions(batch.components) }
    var order = LaneOrder.asTheyCome
    if let entry = plan.chain, samples == nil {
      order = LaneOrder(
        units: positions[entry.unit], inputs: positions[entry.input], width: setup.vectorWidth)
    }
    // Writes wait. While they did not, kernels crashed now and then on PoCL 3.1 with many queues at
    // work: what they read as positions looked like moves. Nobody has found out why.
    for (buffer, positions) in zip(buffers.indices[batch.segment], positions) {
      let arranged = try staging.piece(Int32.self, count: lanes)
      order.arrange(positions, in: arranged)
      try queue.write(buffer, UnsafeRawBufferPointer(arranged))
    }
    let moves = try StagedReals(staging, count: lanes, setup.precision)
    moves.arrange(batch.moves, order)
    try queue.write(buffers.moves, UnsafeRawBufferPointer(moves.bytes))
    let noFlags = try staging.piece(UInt32.self, count: lanes)
    noFlags.update(repeating: 0)
    try queue.write(buffers.flags, UnsafeRawBufferPointer(noFlags))
    for group in setup.groups[batch.segment] {
      let call = { [self] in
        self.call($0, batch.segment, lanes / setup.vectorWidth, batch.tiePolicy, buffers)
      }
      switch group {
      case .single(let step): try launch(step, call(step))
      case .fused(let steps):
        if let launch = steps.launch(call) {
          try enqueue(launch, work: steps.work, moved: steps.moved)
        }
      }
    }
    if let chain = setup.chain, let entry = plan.chain {
      try enqueue(
        chain.launch(
          entry, laneVectors: lanes / setup.vectorWidth, tiePolicy: batch.tiePolicy,
          indices: buffers.indices[batch.segment], moves: buffers.moves,
          sums: buffers.sums[entry.term], parts: samples, flags: buffers.flags),
        work: chain.cost(entry).work)
    }
    var values = [Double](repeating: 0, count: range.count)
    for (number, operand) in plan.terms.enumerated() {
      guard let operand else { continue }
      try launchSum(plan, number, operand, lanes / setup.vectorWidth, buffers)
    }
    let sums = try setup.graph.terms.indices.map { number -> StagedReals? in
      guard plan.terms[number] != nil || plan.chain?.term == number else { return nil }
      let sums = try StagedReals(staging, count: 2 * lanes, setup.precision)
      try queue.read(buffers.sums[number], into: sums.bytes, blocking: false)
      return sums
    }
    let flags = try staging.piece(UInt32.self, count: lanes)
    // All that was queued before is done with it.
    try queue.read(buffers.flags, into: UnsafeMutableRawBufferPointer(flags))
    isDone = true
    for (number, term) in setup.graph.terms.enumerated() {
      if let sums = sums[number] {
        sums.addSums(term.factor, lanes: lanes, order, to: &values)
      } else if setup.mode == .value {
        for lane in values.indices { values[lane] += term.factor * setup.termSums[number] }
      }
    }
    try noteTimes(lanes: lanes)
    return LaneResults(
      values: values,
      flags: order.picked(flags, count: range.count) { LaneFlags(rawValue: $0) })
  }

  private func call(
    _ step: LaneStep, _ segment: Int, _ laneVectors: Int, _ policy: TiePolicy,
    _ buffers: LaneBuffers
  ) -> KernelCall {
    KernelCall(
      mode: setup.mode, step: step, tiePolicy: policy, laneVectors: laneVectors,
      vectorWidth: setup.vectorWidth, wantedWorkItems: setup.sizing.workItems,
      precision: setup.precision, usesTiles: setup.usesTiles,
      indices: step.indices.map { buffers.indices[segment][$0] },
      inputs: step.inputs.map { $0.map { buffers.buffer($0.place) } },
      coefficients: setup.tables.coefficients[step.node],
      integers: setup.tables.integers[step.node],
      output: buffers.buffer(step.output.place), flags: buffers.flags)
  }

  private func launch(_ step: LaneStep, _ call: KernelCall) throws {
    let moved = zip(step.inputs, step.inputShapes).reduce(step.outputElements) { sum, input in
      sum + (input.0.map { $0.layout.stored(of: input.1.reduce(1, *)) } ?? 0)
    }
    switch step.action {
    case .apply(let operation):
      for launch in operation.primitive.launches(call) {
        try enqueue(launch, work: step.work, moved: moved)
      }
    case .expand:
      try enqueue(
        expandLaunch(call, base: setup.tables.base[step.node]), work: step.work, moved: moved)
    }
  }

  private func expandLaunch(_ call: KernelCall, base: Buffer?) -> Launch {
    let elements = call.step.outputElements
    return Launch(
      arguments: SliceArguments(
        kernel: "expand_slice", laneVectors: call.laneVectors, elements: elements,
        slice: call.step.inputs[0]?.slice, useBase: setup.mode == .value, index: call.index(0),
        base: base, input: call.input(0), output: call.output),
      global: call.global(over: elements))
  }

  private func launchSum(
    _ plan: LanePlan, _ term: Int, _ operand: LaneOperand, _ laneVectors: Int,
    _ buffers: LaneBuffers
  ) throws {
    let count = setup.graph.nodes[operand.node].count
    let input = KernelArgument.buffer(buffers.buffer(operand.place))
    let arguments: any KernelArguments
    if setup.mode == .value, let slice = operand.slice {
      arguments = SliceArguments(
        kernel: "term_sum_slice_value", laneVectors: laneVectors, elements: count,
        slice: slice, useBase: nil,
        index: .buffer(buffers.indices[plan.segment][plan.number(of: slice)]),
        base: setup.tables.base[operand.node], input: input, output: buffers.sums[term])
    } else {
      arguments = TermSumArguments(
        laneVectors: laneVectors, elements: operand.layout.stored(of: count), input: input,
        output: buffers.sums[term])
    }
    try enqueue(Launch(arguments: arguments, global: [laneVectors]))
  }

  /// Adds the launches of a batch to the profile.
  private func noteTimes(lanes: Int) throws {
    guard let profile = setup.profile else { return }
    defer { timed = [] }
    for launch in timed {
      profile.add(
        launch.kernel, seconds: try launch.event.seconds(),
        multiplyAdds: launch.work * Double(lanes),
        bytes: Double(launch.moved * lanes * setup.precision.bytes))
    }
  }

  private func enqueue(_ launch: Launch, work: Double = 0, moved: Int = 0) throws {
    let name = launch.arguments.kernel
    let kernel: Kernel
    if let known = kernels[name] {
      kernel = known
    } else {
      kernel = try Kernel(setup.program, name)
      kernels[name] = kernel
    }
    try kernel.set(launch.arguments)
    let local = launch.local ?? setup.context.device.description.workGroup(of: launch.global)
    guard setup.profile != nil else {
      return try queue.enqueue(kernel, global: launch.global, local: local)
    }
    if let event = try queue.enqueueWithEvent(kernel, global: launch.global, local: local) {
      timed.append((event, name, work, moved))
    }
  }
}

/// The arguments of `term_sum`.
private struct TermSumArguments: KernelArguments {
  let kernel = "term_sum"
  var laneVectors: Int
  var elements: Int
  var input: KernelArgument
  var output: Buffer

  var arguments: [KernelArgument] {
    [.int(laneVectors), .int(elements), input, .buffer(output)]
  }
}

/// The arguments of `term_sum_slice_value` and, with `useBase`, of `expand_slice`.
private struct SliceArguments: KernelArguments {
  var kernel: String
  var laneVectors: Int
  var elements: Int
  var slice: LaneLayout.Slice?
  var useBase: Bool?
  var index: KernelArgument
  var base: Buffer?
  var input: KernelArgument
  var output: Buffer

  var arguments: [KernelArgument] {
    [
      .int(laneVectors), .int(elements), .int(slice?.axisLength ?? 1), .int(slice?.inner ?? 1),
    ] + (useBase.map { [.int($0 ? 1 : 0)] } ?? [])
      + [index, base.map { .buffer($0) } ?? .none, input, .buffer(output)]
  }
}
