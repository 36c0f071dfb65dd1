import Foundation

/// Everything that CPU lanes of one precision need of a baseline. Batches are cut into chunks that
/// fit a core's cache, and the chunks are shared among the cores.
///
/// `@unchecked Sendable`: immutable but for the pool of scratch memory, which has a lock.
package final class CPULanes<T: LaneReal>: @unchecked Sendable {
  private let graph: Graph
  private let mode: LaneMode
  private let plans: [LanePlan]
  private let chain: ChainLanes<T>?
  /// The ways without the chain, on which all of a term's elements are met.
  private let longPlans: [LanePlan]
  /// Each node's tables, rounded once; empty where a place stays so.
  private let tables: [[[T]]]
  private let integers: [[[Int32]]]
  /// Each node's value at the baseline, for what does not move in `value` mode.
  private let base: [[T]]
  /// J's terms at the baseline.
  private let termSums: [Double]
  private let pool = ScratchPool<T>()

  package init(
    _ baseline: Baseline, _ mode: LaneMode, chain: LaneChain?, tieRoundoff: Double
  ) throws {
    graph = baseline.graph
    self.mode = mode
    let ways = { (chain: LaneChain?) in
      try baseline.graph.layout.segments.indices.map {
        try LanePlan(graph: baseline.graph, segment: $0, mode: mode, chain: chain)
      }
    }
    longPlans = try ways(nil)
    plans = try chain.map { try ways($0) } ?? longPlans
    self.chain = chain.map { ChainLanes($0, baseline, tieRoundoff: tieRoundoff) }
    // Doubles are shared with the baseline, not copied.
    let base = baseline.values.map { ($0 as? [T]) ?? $0.map { T($0) } }
    self.base = base
    let moving = Set(longPlans.flatMap { $0.steps.map(\.node) })
    tables = baseline.graph.nodes.indices.map { node in
      guard moving.contains(node) else { return [] }
      return baseline.coefficients(node, mode: mode, tieRoundoff: tieRoundoff).map { table in
        switch table {
        case .value(let of): base[of]
        case .values(let values): (values as? [T]) ?? values.map { T($0) }
        case .none: []
        }
      }
    }
    integers = baseline.graph.nodes.indices.map {
      moving.contains($0) ? baseline.integerTables($0) : []
    }
    termSums = baseline.graph.terms.map { baseline.values[$0.node].reduce(0, +) }
  }

  /// Lanes of a chunk: as many as keep its widest buffer in about 256 KiB, an odd number of the least:
  /// elements that lie a power of two apart would push each other out of the caches.
  private func chunkLanes(_ plan: LanePlan) -> Int {
    let least = CPUChunk.leastBytes / MemoryLayout<T>.stride
    let fit = 262_144 / (max(plan.widestSlot, 1) * CPUChunk.leastBytes)
    let times = max(1, min(15, fit))
    return least * (times.isMultiple(of: 2) ? times - 1 : times)
  }

  /// How many chunks a batch is cut into.
  func chunks(_ batch: LaneBatch) -> Int {
    let chunk = chunkLanes(plans[batch.segment])
    return max(1, (batch.count + chunk - 1) / chunk)
  }

  /// ΔJ or J of every lane.
  package func run(_ batch: LaneBatch) -> LaneResults {
    let plan = plans[batch.segment]
    var results = run(batch, plan) { _, _ in }
    if let chain, let entry = plan.chain {
      let sums = chain.run(batch, plan, entry, flags: &results.flags)
      let factor = graph.terms[entry.term].factor
      for (lane, sum) in sums.enumerated() { results.values[lane] += factor * sum }
    }
    return results
  }

  /// The elements of J's terms in every lane.
  package func runTerms(_ batch: LaneBatch) -> TermResults {
    let plan = longPlans[batch.segment]
    let lock = NSLock()
    // Chunks come in any order.
    nonisolated(unsafe) var parts: [(first: Int, arrays: [[Double]])] = []
    let results = run(batch, plan) { range, scratch in
      let arrays = plan.terms.map { operand -> [Double] in
        guard let operand else { return [] }
        let stored = operand.layout.stored(of: self.base[operand.node].count)
        let source = scratch.pointer(operand.place)
        return (0..<stored * CPUChunk.padded(range.count, T.self)).map { Double(source[$0]) }
      }
      lock.withLock { parts.append((range.lowerBound, arrays)) }
    }
    var found = TermResults(plan)
    parts.sort { $0.first < $1.first }
    for (part, next) in zip(parts, parts.dropFirst().map(\.first) + [batch.count]) {
      let count = next - part.first
      for (term, array) in part.arrays.enumerated() {
        found.append(term: term, array, width: CPUChunk.padded(count, T.self), count: count)
      }
    }
    found.flags = results.flags
    return found
  }

  /// As above; `read` is given each chunk's lanes and its buffers as they were left, on the thread
  /// that worked on it.
  private func run(
    _ batch: LaneBatch, _ plan: LanePlan, read: @Sendable (Range<Int>, Scratch<T>) -> Void
  ) -> LaneResults {
    let chunk = chunkLanes(plan)
    let chunks = (batch.count + chunk - 1) / chunk
    var values = [Double](repeating: 0, count: batch.count)
    var flags = [LaneFlags](repeating: [], count: batch.count)
    values.withUnsafeMutableBufferPointer { values in
      flags.withUnsafeMutableBufferPointer { flags in
        // Each chunk writes a range of its own.
        nonisolated(unsafe) let (values, flags) = (values, flags)
        DispatchQueue.concurrentPerform(iterations: chunks) { number in
          let range = number * chunk..<min((number + 1) * chunk, batch.count)
          let scratch = self.pool.take()
          self.run(batch, range, plan, scratch, values, flags)
          read(range, scratch)
          self.pool.put(scratch)
        }
      }
    }
    return LaneResults(values: values, flags: flags)
  }

  private func run(
    _ batch: LaneBatch, _ range: Range<Int>, _ plan: LanePlan, _ scratch: Scratch<T>,
    _ values: UnsafeMutableBufferPointer<Double>, _ flags: UnsafeMutableBufferPointer<LaneFlags>
  ) {
    // Lanes that fill the last vector do not move.
    let lanes = CPUChunk.padded(range.count, T.self)
    scratch.prepare(plan: plan, lanes: lanes)
    let chunk = batch[range]
    let (components, moves) = (chunk.components, chunk.moves)
    for lane in 0..<lanes {
      scratch.moves[lane] = lane < range.count ? T(moves[lane]) : 0
      scratch.flags[lane] = 0
    }
    for (number, index) in plan.indices.enumerated() {
      for lane in 0..<lanes {
        scratch.indices[number][lane] = Int32(index(components[min(lane, range.count - 1)]))
      }
    }
    for step in plan.steps {
      apply(step, lanes, batch.tiePolicy, scratch)
    }
    for lane in range { values[lane] = 0 }
    for (number, operand) in plan.terms.enumerated() {
      let factor = graph.terms[number].factor
      guard let operand else {
        if mode == .value {
          for at in range { values[at] += factor * termSums[number] }
        }
        continue
      }
      let source = scratch.pointer(operand.place)
      let index = operand.slice.map { scratch.indices[plan.number(of: $0)] }
      for lane in 0..<range.count {
        values[range.lowerBound + lane] +=
          factor * sum(operand, source, lane, lanes, at: Int(index?[lane] ?? 0))
      }
    }
    for lane in 0..<range.count {
      flags[range.lowerBound + lane] = LaneFlags(rawValue: scratch.flags[lane])
    }
  }

  private func apply(
    _ step: LaneStep, _ lanes: Int, _ policy: TiePolicy, _ scratch: Scratch<T>
  ) {
    let inputs = step.inputs.map { operand -> UnsafePointer<T>? in
      operand.map { scratch.pointer($0.place) }
    }
    let output = scratch.output(step.output.place)
    switch step.action {
    case .expand:
      expand(step, lanes, scratch, output)
    case .apply(let operation):
      Self.withPointers(tables[step.node]) { coefficients in
        Self.withPointers(integers[step.node]) { integers in
          operation.lanes(
            LaneCall(
              lanes: lanes, mode: mode, step: step,
              indices: step.indices.map { UnsafePointer(scratch.indices[$0]) }, inputs: inputs,
              coefficients: coefficients, integers: integers, output: output, flags: scratch.flags,
              tiePolicy: policy))
        }
      }
    }
  }

  private static func withPointers<E>(_ tables: [[E]], _ body: ([UnsafePointer<E>]) -> Void) {
    func add(_ number: Int, _ pointers: [UnsafePointer<E>]) {
      guard number < tables.count else { return body(pointers) }
      tables[number].withUnsafeBufferPointer { table in
        // An empty table is never read: any address serves.
        let address = table.baseAddress ?? UnsafePointer(bitPattern: MemoryLayout<E>.alignment)
        if let address { add(number + 1, pointers + [address]) }
      }
    }
    add(0, [])
  }

  /// A slice becomes the whole tensor: what did not move is 0, or the baseline's value.
  private func expand(
    _ step: LaneStep, _ lanes: Int, _ scratch: Scratch<T>, _ output: UnsafeMutablePointer<T>
  ) {
    guard let operand = step.inputs[0], case .slice(let slice) = operand.layout else { return }
    let input = scratch.pointer(operand.place)
    let index = scratch.indices[step.indices[0]]
    for element in 0..<base[step.node].count {
      let stored = element / (slice.axisLength * slice.inner) * slice.inner + element % slice.inner
      let still: T = mode == .value ? base[step.node][element] : 0
      for lane in 0..<lanes {
        let moved = element / slice.inner % slice.axisLength == Int(index[lane])
        output[element * lanes + lane] = moved ? input[stored * lanes + lane] : still
      }
    }
  }

  /// The sum of a term's elements in one lane, compensated.
  private func sum(
    _ operand: LaneOperand, _ source: UnsafePointer<T>, _ lane: Int, _ lanes: Int,
    at index: Int
  ) -> Double {
    var total = CompensatedSum<T>()
    let count = base[operand.node].count
    if mode == .value, case .slice(let slice) = operand.layout {
      for element in 0..<count {
        let stored =
          element / (slice.axisLength * slice.inner) * slice.inner + element % slice.inner
        let moved = element / slice.inner % slice.axisLength == index
        total.add(moved ? source[stored * lanes + lane] : base[operand.node][element])
      }
    } else {
      for element in 0..<operand.layout.stored(of: count) {
        total.add(source[element * lanes + lane])
      }
    }
    return total.value
  }
}

/// The size of a chunk of CPU lanes.
enum CPUChunk {
  /// What the least chunk has of an element: two vectors of the machine, which is what the loops of CLanes
  /// take at a time.
  static let leastBytes = max(64, 32 << Int(laneInstructionSet))

  /// So many lanes and those that fill their last vector: loops over single lanes take as long as over all
  /// of a vector.
  static func padded<T: LaneReal>(_ lanes: Int, _ type: T.Type) -> Int {
    let vector = leastBytes / 2 / MemoryLayout<T>.stride
    return (lanes + vector - 1) / vector * vector
  }
}

/// A sum with the rounding errors of its additions (Knuth, The Art of Computer Programming,
/// volume 2, section 4.2.2, theorem B); the twin of `add_compensated` in kernels/common.cl.
struct CompensatedSum<T: LaneReal> {
  private var high: T = 0
  private var low: T = 0

  @inline(__always)
  mutating func add(_ term: T) {
    let sum = high + term
    let second = sum - high
    low += (high - (sum - second)) + (term - second)
    high = sum
  }

  var value: Double { Double(high) + Double(low) }
}

/// The buffers of one chunk of lanes.
final class Scratch<T: LaneReal> {
  private var slots: [UnsafeMutablePointer<T>] = []
  private var sizes: [Int] = []
  private var lanes = 0
  /// The positions of the plan's indices.
  private(set) var indices: [UnsafeMutablePointer<Int32>] = []
  private(set) var moves = UnsafeMutablePointer<T>.allocate(capacity: 0)
  private(set) var flags = UnsafeMutablePointer<UInt32>.allocate(capacity: 0)

  /// Makes every buffer large enough for a plan.
  func prepare(plan: LanePlan, lanes wanted: Int) {
    if wanted > lanes {
      for index in indices { index.deallocate() }
      indices = []
      moves.deallocate()
      flags.deallocate()
      moves = .allocate(capacity: wanted)
      flags = .allocate(capacity: wanted)
      lanes = wanted
    }
    while indices.count < plan.indices.count { indices.append(.allocate(capacity: lanes)) }
    for (number, elements) in plan.slots.enumerated() {
      let size = elements * wanted
      if number == slots.count {
        slots.append(.allocate(capacity: size))
        sizes.append(size)
      } else if size > sizes[number] {
        slots[number].deallocate()
        slots[number] = .allocate(capacity: size)
        sizes[number] = size
      }
    }
  }

  func pointer(_ place: LaneOperand.Place) -> UnsafePointer<T> {
    switch place {
    case .moves: UnsafePointer(moves)
    case .slot(let number): UnsafePointer(slots[number])
    }
  }

  func output(_ place: LaneOperand.Place) -> UnsafeMutablePointer<T> {
    switch place {
    case .moves: moves
    case .slot(let number): slots[number]
    }
  }

  deinit {
    for slot in slots { slot.deallocate() }
    for index in indices { index.deallocate() }
    moves.deallocate()
    flags.deallocate()
  }
}

/// Scratch memory for as many chunks as run at a time.
final class ScratchPool<T: LaneReal>: @unchecked Sendable {
  private let lock = NSLock()
  private var free: [Scratch<T>] = []

  func take() -> Scratch<T> { lock.withLock { free.popLast() } ?? Scratch() }

  func put(_ scratch: Scratch<T>) { lock.withLock { free.append(scratch) } }
}
