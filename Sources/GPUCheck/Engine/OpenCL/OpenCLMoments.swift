import Kernels

/// Lanes from moments on an OpenCL device, by kernels/moments.cl.
final class OpenCLMoments: MomentEngine {
  fileprivate struct Layer {
    /// What the layer reads, `[samples, ins]`.
    var inputs: Buffer
    /// `CostMoments.table`.
    var moments: Buffer
  }

  private let layers: [Int: Layer]
  private let precision: Precision
  private let vectorWidth: Int
  private let sizing: LaneSizing
  private let streams: StreamPool<MomentStream>

  init(
    _ baseline: Baseline, _ chain: LaneChain, _ specialisation: Specialisation,
    programs: ProgramCache, memoryLimit: Int?, profile: LaneProfile?
  ) throws {
    let (context, precision) = (programs.context, specialisation.precision)
    let program = try programs.program(MomentKernels.units, specialisation)
    self.precision = precision
    vectorWidth = specialisation.vectorWidth
    var layers: [Int: Layer] = [:]
    for (number, moments) in baseline.moments {
      let table = moments.table(precision, width: vectorWidth)
      layers[number] = Layer(
        inputs: try Buffer(context, reals: baseline.values[chain.layers[number].x], precision),
        moments: try Buffer(context, reals: table, precision))
    }
    self.layers = layers
    sizing = LaneSizing(
      context.device.description, vectorWidth: vectorWidth, memoryLimit: memoryLimit)
    streams = StreamPool(most: Quirks.allowsThreads(context.device.description) ? 2 : 1) {
      [sizing, vectorWidth] _ in
      try MomentStream(program, precision, vectorWidth, sizing, profile)
    }
  }

  /// Bytes of the tables that moments of a baseline take on a device.
  static func byteCount(
    _ baseline: Baseline, _ chain: LaneChain, _ specialisation: Specialisation
  ) -> Int {
    baseline.moments.keys.reduce(0) { bytes, number in
      let layer = chain.layers[number]
      let units = LaneSizing.roundUp(layer.outs, to: specialisation.vectorWidth)
      let numbers = chain.samples * (layer.ins + units * MomentKernels.terms)
      return bytes + numbers * specialisation.precision.bytes
    }
  }

  /// Builds the kernels and launches each once without any lanes: drivers that finish compiling at the
  /// first launch have then done so.
  static func warmUp(_ specialisation: Specialisation, _ programs: ProgramCache) throws {
    let program = try programs.program(MomentKernels.units, specialisation)
    let sizing = LaneSizing(
      programs.context.device.description, vectorWidth: specialisation.vectorWidth,
      memoryLimit: nil)
    let stream = try MomentStream(
      program, specialisation.precision, specialisation.vectorWidth, sizing, nil)
    let entry = MomentLayout.Entry(
      layer: 0, isBias: true, ins: 1, outs: 1, unitStride: 1, inputStride: 1, samples: 0, factor: 0,
      movesOthers: false, components: 1)
    let table = try Buffer(
      programs.context, realCount: MomentKernels.terms * specialisation.vectorWidth,
      specialisation.precision)
    let batches = [
      LaneBatch(segment: 0, components: [0], moves: [0]),
      LaneBatch(segment: 0, run: ComponentRun(0..<1, moves: [0])),
    ]
    _ = try stream.values(
      batches.map {
        (MomentLayout.Batch(lanes: $0, entry: entry), Layer(inputs: table, moments: table))
      })
  }

  var laneUnit: Int { 2 * vectorWidth }
  var batchesAtOnce: Int { streams.most }

  func wantedLanes(_ entry: MomentLayout.Entry) -> Int { sizing.lanes(entry, precision) }

  /// What takes some tenths of a millisecond, as long as it takes to begin.
  var lanesTogether: Int { 1 << 15 }

  func evaluate(_ batches: [MomentLayout.Batch]) throws -> [[Double]] {
    let fit = batches.allSatisfy { $0.lanes.count <= wantedLanes($0.entry) }
    guard batches.count > 1, fit, batches.reduce(0, { $0 + $1.lanes.count }) <= lanesTogether else {
      return try batches.map { try evaluate($0) }
    }
    return try values(batches)
  }

  /// One batch after the other, each as many launches as it needs.
  private func evaluate(_ batch: MomentLayout.Batch) throws -> [Double] {
    let (count, most) = (batch.lanes.count, wantedLanes(batch.entry))
    if count <= most { return try values([batch])[0] }
    return try stride(from: 0, to: count, by: most).flatMap { first in
      let part = batch.lanes[first..<min(first + most, count)]
      return try values([MomentLayout.Batch(lanes: part, entry: batch.entry)])[0]
    }
  }

  private func values(_ batches: [MomentLayout.Batch]) throws -> [[Double]] {
    let served = batches.compactMap { batch in layers[batch.entry.layer].map { (batch, $0) } }
    guard served.count == batches.count, batches.allSatisfy({ $0.lanes.count > 0 }) else {
      return batches.map { [Double](repeating: .nan, count: $0.lanes.count) }
    }
    return try streams.use { stream, _ in try stream.values(served) }
  }
}

/// What takes some batches at a time over a device.
///
/// `@unchecked Sendable`: used by one thread at a time.
private final class MomentStream: @unchecked Sendable {
  private let queue: CommandQueue
  private let run: Kernel
  private let listed: Kernel
  private let precision: Precision
  private let width: Int
  private let sizing: LaneSizing
  private let profile: LaneProfile?
  /// Grown where they must be, as is the host's memory.
  private var staging = LaneStaging(pieces: [])
  private var out: Buffer?
  private var components: Buffer?
  private var moves: Buffer?

  init(
    _ program: Program, _ precision: Precision, _ vectorWidth: Int, _ sizing: LaneSizing,
    _ profile: LaneProfile?
  ) throws {
    queue = try CommandQueue(program.context, profiling: profile != nil)
    run = try Kernel(program, "moments_run")
    listed = try Kernel(program, "moments_listed")
    self.precision = precision
    width = vectorWidth
    self.sizing = sizing
    self.profile = profile
  }

  /// A batch on its way.
  private struct Part {
    var lanes: LaneBatch
    var entry: MomentLayout.Entry
    var layer: MomentKernels.Layer
    /// Nil where lanes are listed.
    var rectangle: MomentRectangle?
    /// The first of its lane vectors in `components` and `moves`.
    var first: Int
    /// Where its numbers begin in `out`.
    var place: Int
    /// Those that the kernel takes: of listed ones whole vectors.
    var count: Int
  }

  /// The sums of all lanes of some batches, with their factors.
  func values(_ batches: [(lanes: MomentLayout.Batch, layer: OpenCLMoments.Layer)]) throws
    -> [[Double]]
  {
    var parts: [Part] = []
    var (components, moves, place): ([Int32], [Double], Int) = ([], [], 0)
    for (batch, layer) in batches {
      let part = part(batch, layer, first: components.count / width, place: place)
      if part.rectangle == nil {
        let filler = part.count - batch.lanes.count
        components += batch.lanes.components + [Int32](repeating: 0, count: filler)
        moves += batch.lanes.moves + [Double](repeating: 0, count: filler)
      }
      place += numbers * LaneSizing.roundUp(part.count, to: width)
      parts.append(part)
    }
    let out = try buffer(&out, place * precision.bytes) {
      try Buffer(queue.context, byteCount: place * precision.bytes)
    }.buffer
    if !components.isEmpty {
      let bytes = components.count * MemoryLayout<Int32>.stride
      let (held, isNew) = try buffer(&self.components, bytes) {
        try Buffer(queue.context, integers: components)
      }
      if !isNew { try components.withUnsafeBytes { try queue.write(held, $0) } }
      let (steps, areNew) = try buffer(&self.moves, moves.count * precision.bytes) {
        try Buffer(queue.context, reals: moves, precision)
      }
      if !areNew { try queue.write(steps, reals: moves, precision) }
    }
    for part in parts { try launch(part, out) }
    if staging.byteCount < place * precision.bytes {
      staging = LaneStaging(pieces: [place * precision.bytes])
    }
    staging.clear()
    let sums = try StagedReals(staging, count: place, precision)
    try queue.read(out, into: sums.bytes)
    return parts.map {
      sums.sums(
        $0.entry.factor, at: $0.place, parts: numbers, lanes: $0.count, count: $0.lanes.count)
    }
  }

  private func part(
    _ batch: MomentLayout.Batch, _ layer: OpenCLMoments.Layer, first: Int, place: Int
  ) -> Part {
    let (lanes, entry) = (batch.lanes, batch.entry)
    let rectangle = lanes.run.flatMap {
      MomentKernels.Run.serves($0.moves) ? MomentRectangle($0, entry) : nil
    }
    return Part(
      lanes: lanes, entry: entry,
      layer: MomentKernels.Layer(
        samples: entry.samples, ins: entry.ins, outs: entry.outs, unitStride: entry.unitStride,
        inputStride: entry.inputStride, x: entry.isBias ? .none : .buffer(layer.inputs),
        moments: layer.moments),
      rectangle: rectangle, first: first, place: place,
      count: rectangle == nil ? LaneSizing.roundUp(lanes.count, to: width) : lanes.count)
  }

  private func launch(_ part: Part, _ out: Buffer) throws {
    if let rectangle = part.rectangle, let run = part.lanes.run {
      let (first, inputs) = (rectangle.units.lowerBound / width, rectangle.inputs)
      let blocks = (rectangle.units.upperBound - 1) / width + 1 - first
      let arguments = MomentKernels.Run(
        part.layer, firstBlock: first, inputs: inputs,
        origin: rectangle.lane(unit: first * width, input: inputs.lowerBound), lanes: part.count,
        moves: run.moves, out: out, place: part.place)
      let shares = sizing.shares(of: inputs.count, blocks: blocks)
      try launch(self.run, arguments, [shares, blocks], part)
    } else if let components, let moves {
      let vectors = part.count / width
      let arguments = MomentKernels.List(
        part.layer, laneVectors: vectors, first: part.first, components: components, moves: moves,
        out: out, place: part.place)
      try launch(listed, arguments, [vectors], part)
    }
  }

  /// A buffer of so many bytes at least: the known one, or where that is too small a new one in its place.
  private func buffer(_ known: inout Buffer?, _ bytes: Int, _ make: () throws -> Buffer) throws -> (
    buffer: Buffer, isNew: Bool
  ) {
    if let known, known.byteCount >= bytes { return (known, false) }
    known = nil
    let made = try make()
    known = made
    return (made, true)
  }

  private func launch(
    _ kernel: Kernel, _ arguments: any KernelArguments, _ global: [Int], _ part: Part
  ) throws {
    try kernel.set(arguments)
    let event = try queue.enqueueWithEvent(
      kernel, global: global, local: queue.context.device.description.workGroup(of: global))
    guard let profile, let event else { return }
    try queue.finish()
    profile.add(
      arguments.kernel, seconds: try event.seconds(),
      multiplyAdds: Double(part.count * part.entry.samples * StepSeries.order),
      bytes: Double(numbers * part.count * precision.bytes))
  }

  /// Of a lane in `out`.
  private var numbers: Int { MomentKernels.parts(precision) }
}
