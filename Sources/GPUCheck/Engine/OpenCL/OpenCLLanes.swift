import Foundation
import Kernels

/// Everything that lanes on an OpenCL device need of a baseline: the program, the tables, and
/// buffers for one batch at a time.
///
/// `@unchecked Sendable`: all of it is used under the lock.
package final class OpenCLLanes: LaneEvaluator, @unchecked Sendable {
  package let mode: LaneMode
  package let precision: Precision
  private let graph: Graph
  private let plans: [LanePlan]
  private let vectorWidth: Int
  private let sizing: LaneSizing
  private let context: Context
  private let queue: CommandQueue
  private let program: Program
  private let tables: LaneTables
  private let chain: ChainTables?
  private let termSums: [Double]
  private let profile: LaneProfile?
  /// Launches of a batch that are still to be asked for their time.
  private var timed: [(event: Event, kernel: String, step: LaneStep?)] = []
  private let lock = NSLock()
  private var kernels: [String: Kernel] = [:]
  /// Given up while memory is looked for: the old buffers must go before smaller ones can come.
  private var buffers: LaneBuffers?
  /// `[samples, lanes]`, from the first time on that a chain's samples are asked for.
  private var samples: Buffer?
  /// Lanes of a batch, for each segment; halved each time memory runs out.
  private var capacities: [Int]
  /// What the last call failed with for want of memory.
  private var shortage: OpenCLError?

  init(
    _ baseline: Baseline, _ mode: LaneMode, chain way: LaneChain?,
    _ specialisation: Specialisation, programs: ProgramCache, tieRoundoff: Double,
    memoryLimit: Int?, profile: LaneProfile? = nil
  ) throws {
    self.profile = profile
    self.mode = mode
    let precision = specialisation.precision
    self.precision = precision
    graph = baseline.graph
    context = programs.context
    let device = context.device.description
    vectorWidth = specialisation.vectorWidth
    let sizing = LaneSizing(device, vectorWidth: vectorWidth, memoryLimit: memoryLimit)
    self.sizing = sizing
    plans = try Self.plans(of: graph, mode, way)
    program = try Self.program(of: plans, mode: mode, way, specialisation, from: programs)
    queue = try CommandQueue(context, profiling: profile != nil)
    let tables = try LaneTables(
      context, baseline, mode, moving: Set(plans.flatMap { $0.steps.map(\.node) }), precision,
      tieRoundoff: tieRoundoff, limit: sizing.memoryLimit)
    self.tables = tables
    let chain = try way.map {
      try ChainTables(
        $0, programs.context, baseline, precision, vectorWidth: specialisation.vectorWidth,
        tieRoundoff: tieRoundoff)
    }
    self.chain = chain
    let tableBytes = tables.byteCount + (chain?.byteCount ?? 0)
    capacities = try zip(plans, graph.layout.segments).map { plan, part in
      try sizing.lanes(
        plan, precision, components: part.count, beside: tableBytes,
        chain: plan.chain.flatMap { chain?.cost($0) })
    }
    termSums = graph.terms.map { baseline.values[$0.node].reduce(0, +) }
    buffers = try allocate()
  }

  /// The way of every segment's lanes.
  static func plans(of graph: Graph, _ mode: LaneMode, _ chain: LaneChain?) throws -> [LanePlan] {
    try graph.layout.segments.indices.map {
      try LanePlan(graph: graph, segment: $0, mode: mode, chain: chain)
    }
  }

  /// The program of the parts of kernels/ that the plans need.
  static func program(
    of plans: [LanePlan], mode: LaneMode, _ chain: LaneChain?, _ specialisation: Specialisation,
    from programs: ProgramCache
  ) throws -> Program {
    var units = [KernelUnit(file: "lanes.cl"), KernelUnit(file: "reduce.cl")]
    units += chain?.kernelUnits ?? []
    for plan in plans {
      for step in plan.steps {
        if case .apply(let operation) = step.action {
          units += operation.primitive.kernelUnits(mode)
        }
      }
    }
    return try programs.program(units, specialisation)
  }

  /// Two vectors a work-item are the least that a launch takes.
  package var laneUnit: Int { 2 * vectorWidth }

  package func wantedLanes(segment: Int) -> Int { lock.withLock { capacities[segment] } }

  /// A chain's lanes are counted by their work.
  package func isPaced(segment: Int) -> Bool {
    plans[segment].chain != nil && plans[segment].steps.isEmpty
  }

  package var notes: [String] {
    lock.withLock {
      guard let shortage else { return [] }
      let lanes = TextFormat.count(capacities.max() ?? 0, "lane")
      return [
        "memory ran out on \(context.device.description.name) (\(shortage.line)): batches were halved "
          + "to at most \(lanes)"
      ]
    }
  }

  // MARK: Memory

  /// Buffers for the capacities, which are halved as long as memory runs out and there is more than
  /// the least a launch takes.
  private func allocate() throws -> LaneBuffers {
    while true {
      do {
        return try LaneBuffers(
          context, plans, capacities: capacities, terms: graph.terms.count, precision)
      } catch let error as OpenCLError where error.isOutOfMemory {
        guard halve(for: error) else { throw error }
      }
    }
  }

  /// Halves every capacity; false where all are at their least.
  private func halve(for error: OpenCLError) -> Bool {
    let least = 2 * vectorWidth
    guard capacities.contains(where: { $0 > least }) else { return false }
    capacities = capacities.map { least * LaneSizing.spread(max(1, $0 / 2 / least)) }
    shortage = error
    return true
  }

  /// Sends one lane of every segment on its way.
  func warmUp() throws {
    for (segment, part) in graph.layout.segments.enumerated() where part.count > 0 {
      _ = try evaluate(LaneBatch(segment: segment, components: [0], moves: [0]))
    }
  }

  package func evaluate(_ batch: LaneBatch) throws -> LaneResults {
    try inParts(batch) { try run(batch, $0, $1) }
  }

  package func evaluateTerms(_ batch: LaneBatch) throws -> TermResults {
    let plan = plans[batch.segment]
    var found = TermResults(plan, samples: chain?.samples ?? 0)
    found.flags = try inParts(batch) { range, buffers in
      let lanes = LaneSizing.padded(range.count, unit: laneUnit, isChain: plan.chain != nil)
      let samples = try plan.chain == nil ? nil : sampleBuffer(lanes: lanes)
      let results = try run(batch, range, buffers, samples: samples)
      // What a lane's last steps wrote is still in its buffers.
      let arrays = try plan.terms.enumerated().map { term, operand -> [Double] in
        if let chain, let samples, plan.chain?.term == term {
          return try queue.reals(of: samples, count: chain.samples * lanes, precision)
        }
        guard let operand else { return [] }
        let stored = operand.layout.stored(of: graph.nodes[operand.node].count)
        return try queue.reals(
          of: buffers.buffer(operand.place), count: stored * lanes, precision)
      }
      for (term, array) in arrays.enumerated() {
        found.append(term: term, array, width: lanes, count: range.count)
      }
      return results
    }.flags
    return found
  }

  /// Where a chain leaves the sums of single samples, for so many lanes.
  private func sampleBuffer(lanes: Int) throws -> Buffer {
    let count = (chain?.samples ?? 0) * lanes
    if let known = samples, known.byteCount >= count * precision.bytes { return known }
    samples = nil
    let made = try Buffer(context, realCount: count, precision)
    samples = made
    return made
  }

  /// Evaluates a batch in parts that fit the buffers, each by `evaluate`.
  private func inParts(
    _ batch: LaneBatch, evaluate: (Range<Int>, LaneBuffers) throws -> LaneResults
  ) throws -> LaneResults {
    try lock.withLock {
      var results = LaneResults(values: [], flags: [])
      while results.values.count < batch.count {
        do {
          let first = results.values.count
          let buffers = try buffers ?? allocate()
          self.buffers = buffers
          let capacity = buffers.capacities[batch.segment]
          let part = try evaluate(first..<min(first + capacity, batch.count), buffers)
          if part.values.count == batch.count { return part }
          results.values += part.values
          results.flags += part.flags
        } catch let error as OpenCLError where error.isOutOfMemory {
          // Drivers that allocate at the first use say so only now.
          buffers = nil
          samples = nil
          kernels = [:]
          guard halve(for: error) else { throw error }
        }
      }
      return results
    }
  }

  /// One batch that fits the buffers.
  ///
  /// - Parameter samples: for what a chain makes of single samples; it then makes no sum over them.
  private func run(
    _ batch: LaneBatch, _ range: Range<Int>, _ buffers: LaneBuffers, samples: Buffer? = nil
  ) throws -> LaneResults {
    let plan = plans[batch.segment]
    let lanes = LaneSizing.padded(range.count, unit: laneUnit, isChain: plan.chain != nil)
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
        units: positions[entry.unit], inputs: positions[entry.input], width: vectorWidth)
    }
    // Writes wait. While they did not, kernels crashed now and then on PoCL 3.1 with many queues at
    // work: what they read as positions looked like moves. Nobody has found out why.
    for (buffer, positions) in zip(buffers.indices[batch.segment], positions) {
      let arranged = try staging.piece(Int32.self, count: lanes)
      order.arrange(positions, in: arranged)
      try queue.write(buffer, UnsafeRawBufferPointer(arranged))
    }
    let moves = try StagedReals(staging, count: lanes, precision)
    moves.arrange(batch.moves, order)
    try queue.write(buffers.moves, UnsafeRawBufferPointer(moves.bytes))
    let noFlags = try staging.piece(UInt32.self, count: lanes)
    noFlags.update(repeating: 0)
    try queue.write(buffers.flags, UnsafeRawBufferPointer(noFlags))
    for step in plan.steps {
      try launch(step, batch.segment, lanes / vectorWidth, batch.tiePolicy, buffers)
    }
    if let chain, let entry = plan.chain {
      try enqueue(
        chain.launch(
          entry, laneVectors: lanes / vectorWidth, tiePolicy: batch.tiePolicy,
          indices: buffers.indices[batch.segment], moves: buffers.moves,
          sums: buffers.sums[entry.term], parts: samples, flags: buffers.flags))
    }
    var values = [Double](repeating: 0, count: range.count)
    for (number, operand) in plan.terms.enumerated() {
      guard let operand else { continue }
      try launchSum(plan, number, operand, lanes / vectorWidth, buffers)
    }
    let sums = try graph.terms.indices.map { number -> StagedReals? in
      guard plan.terms[number] != nil || plan.chain?.term == number else { return nil }
      let sums = try StagedReals(staging, count: 2 * lanes, precision)
      try queue.read(buffers.sums[number], into: sums.bytes, blocking: false)
      return sums
    }
    let flags = try staging.piece(UInt32.self, count: lanes)
    // All that was queued before is done with it.
    try queue.read(buffers.flags, into: UnsafeMutableRawBufferPointer(flags))
    isDone = true
    for (number, term) in graph.terms.enumerated() {
      if let sums = sums[number] {
        sums.addSums(term.factor, lanes: lanes, order, to: &values)
      } else if mode == .value {
        for lane in values.indices { values[lane] += term.factor * termSums[number] }
      }
    }
    try noteTimes(lanes: lanes, plan)
    return LaneResults(
      values: values,
      flags: order.picked(flags, count: range.count) { LaneFlags(rawValue: $0) })
  }

  private func launch(
    _ step: LaneStep, _ segment: Int, _ laneVectors: Int, _ policy: TiePolicy,
    _ buffers: LaneBuffers
  ) throws {
    let call = KernelCall(
      mode: mode, step: step, tiePolicy: policy, laneVectors: laneVectors,
      wantedWorkItems: sizing.workItems, indices: step.indices.map { buffers.indices[segment][$0] },
      inputs: step.inputs.map { $0.map { buffers.buffer($0.place) } },
      coefficients: tables.coefficients[step.node], integers: tables.integers[step.node],
      output: buffers.buffer(step.output.place),
      flags: buffers.flags)
    switch step.action {
    case .apply(let operation):
      for launch in operation.primitive.launches(call) { try enqueue(launch, for: step) }
    case .expand: try enqueue(expandLaunch(call, base: tables.base[step.node]), for: step)
    }
  }

  private func expandLaunch(_ call: KernelCall, base: Buffer?) -> Launch {
    let elements = call.step.outputElements
    return Launch(
      arguments: SliceArguments(
        kernel: "expand_slice", laneVectors: call.laneVectors, elements: elements,
        slice: call.step.inputs[0]?.slice, useBase: mode == .value, index: call.index(0),
        base: base, input: call.input(0), output: call.output),
      global: call.global(over: elements))
  }

  private func launchSum(
    _ plan: LanePlan, _ term: Int, _ operand: LaneOperand, _ laneVectors: Int,
    _ buffers: LaneBuffers
  ) throws {
    let count = graph.nodes[operand.node].count
    let input = KernelArgument.buffer(buffers.buffer(operand.place))
    let arguments: any KernelArguments
    if mode == .value, let slice = operand.slice {
      arguments = SliceArguments(
        kernel: "term_sum_slice_value", laneVectors: laneVectors, elements: count,
        slice: slice, useBase: nil,
        index: .buffer(buffers.indices[plan.segment][plan.number(of: slice)]),
        base: tables.base[operand.node], input: input, output: buffers.sums[term])
    } else {
      arguments = TermSumArguments(
        laneVectors: laneVectors, elements: operand.layout.stored(of: count), input: input,
        output: buffers.sums[term])
    }
    try enqueue(Launch(arguments: arguments, global: [laneVectors]))
  }

  /// Adds the launches of a batch to the profile.
  private func noteTimes(lanes: Int, _ plan: LanePlan) throws {
    guard let profile else { return }
    defer { timed = [] }
    for (event, kernel, step) in timed {
      let isChain = step == nil && plan.chain != nil && kernel == ChainTables.kernel
      let work = isChain ? plan.chain.flatMap { chain?.cost($0).work } ?? 0 : step?.work ?? 0
      let moved = step.map { step in
        step.outputElements
          + zip(step.inputs, step.inputShapes).reduce(0) { sum, input in
            sum + (input.0.map { $0.layout.stored(of: input.1.reduce(1, *)) } ?? 0)
          }
      }
      profile.add(
        kernel, seconds: try event.seconds(), multiplyAdds: work * Double(lanes),
        bytes: Double((moved ?? 0) * lanes * precision.bytes))
    }
  }

  private func enqueue(_ launch: Launch, for step: LaneStep? = nil) throws {
    let name = launch.arguments.kernel
    let kernel: Kernel
    if let known = kernels[name] {
      kernel = known
    } else {
      kernel = try Kernel(program, name)
      kernels[name] = kernel
    }
    try kernel.set(launch.arguments)
    let local = sizing.workGroup(dimensions: launch.global.count)
    guard profile != nil else {
      return try queue.enqueue(kernel, global: launch.global, local: local)
    }
    if let event = try queue.enqueueWithEvent(kernel, global: launch.global, local: local) {
      timed.append((event, name, step))
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
