import Kernels

/// Lanes from moments on an OpenCL device, by kernels/moments.cl.
final class OpenCLMoments: MomentEngine {
  private struct Layer {
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
      [sizing, vectorWidth] in
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
    for batch in [
      LaneBatch(segment: 0, components: [0], moves: [0]),
      LaneBatch(segment: 0, run: ComponentRun(0..<1, moves: [0])),
    ] {
      _ = try stream.values(batch, entry, table, table)
    }
  }

  var laneUnit: Int { 2 * vectorWidth }
  var batchesAtOnce: Int { streams.most }

  func wantedLanes(_ entry: MomentLayout.Entry) -> Int { sizing.lanes(entry, precision) }

  func evaluate(_ batch: LaneBatch, _ entry: MomentLayout.Entry) throws -> [Double] {
    guard batch.count > 0, let layer = layers[entry.layer] else {
      return [Double](repeating: .nan, count: batch.count)
    }
    let most = wantedLanes(entry)
    var values: [Double] = []
    while values.count < batch.count {
      let range = values.count..<min(values.count + most, batch.count)
      let part = batch[range]
      let found = try streams.use { stream in
        try stream.values(part, entry, layer.inputs, layer.moments)
      }
      if range.count == batch.count { return found }
      values += found
    }
    return values
  }
}

/// What takes one batch after the other over a device.
///
/// `@unchecked Sendable`: used by one batch at a time.
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

  func values(
    _ batch: LaneBatch, _ entry: MomentLayout.Entry, _ inputs: Buffer, _ moments: Buffer
  ) throws -> [Double] {
    let layer = MomentKernels.Layer(
      samples: entry.samples, ins: entry.ins, outs: entry.outs, unitStride: entry.unitStride,
      inputStride: entry.inputStride, x: entry.isBias ? .none : .buffer(inputs), moments: moments)
    if let run = batch.run, MomentKernels.Run.serves(run.moves),
      let rectangle = MomentRectangle(run, entry)
    {
      let lanes = batch.count
      let out = try buffer(&out, parts * lanes * precision.bytes)
      let (first, inputs) = (rectangle.units.lowerBound / width, rectangle.inputs)
      let blocks = (rectangle.units.upperBound - 1) / width + 1 - first
      let arguments = MomentKernels.Run(
        layer, firstBlock: first, inputs: inputs,
        origin: rectangle.lane(unit: first * width, input: inputs.lowerBound), lanes: lanes,
        moves: run.moves, out: out)
      let shares = sizing.shares(of: inputs.count, blocks: blocks)
      try launch(self.run, arguments, [shares, blocks], entry, lanes)
      return try sums(out, lanes: lanes, entry.factor, count: lanes)
    }
    let lanes = LaneSizing.roundUp(batch.count, to: width)
    let filler = lanes - batch.count
    let out = try buffer(&out, parts * lanes * precision.bytes)
    // Zeros at first: whatever becomes of a write, kernels find components that there are.
    let components = try buffer(&components, lanes * MemoryLayout<Int32>.stride, isZero: true)
    let moves = try buffer(&moves, lanes * precision.bytes)
    try (batch.components + [Int32](repeating: 0, count: filler)).withUnsafeBytes {
      try queue.write(components, $0)
    }
    try queue.write(
      moves, reals: batch.moves + [Double](repeating: 0, count: filler), precision)
    let arguments = MomentKernels.List(
      layer, laneVectors: lanes / width, components: components, moves: moves, out: out)
    try launch(listed, arguments, [lanes / width], entry, lanes)
    return try sums(out, lanes: lanes, entry.factor, count: batch.count)
  }

  /// A buffer of so many bytes at least, in the place of one that may be too small.
  private func buffer(_ known: inout Buffer?, _ bytes: Int, isZero: Bool = false) throws -> Buffer {
    if let known, known.byteCount >= bytes { return known }
    known = nil
    let zeros = isZero ? bytes / MemoryLayout<Int32>.stride : 0
    let made =
      try isZero
      ? Buffer(queue.context, integers: [Int32](repeating: 0, count: zeros))
      : Buffer(queue.context, byteCount: bytes)
    known = made
    return made
  }

  private func launch(
    _ kernel: Kernel, _ arguments: any KernelArguments, _ global: [Int],
    _ entry: MomentLayout.Entry, _ lanes: Int
  ) throws {
    try kernel.set(arguments)
    let event = try queue.enqueueWithEvent(
      kernel, global: global, local: queue.context.device.description.workGroup(of: global))
    guard let profile, let event else { return }
    try queue.finish()
    profile.add(
      arguments.kernel, seconds: try event.seconds(),
      multiplyAdds: Double(lanes * entry.samples * StepSeries.order),
      bytes: Double(parts * lanes * precision.bytes))
  }

  private var parts: Int { MomentKernels.parts(precision) }

  /// The first lanes' sums, of `[parts, lanes]`, times a factor.
  private func sums(_ out: Buffer, lanes: Int, _ factor: Double, count: Int) throws -> [Double] {
    if precision == .f64 {
      return try [Double](unsafeUninitializedCapacity: count) { values, filled in
        try queue.read(
          out,
          into: UnsafeMutableRawBufferPointer(
            UnsafeMutableBufferPointer(rebasing: values[..<count])))
        for lane in 0..<count { values[lane] *= factor }
        filled = count
      }
    }
    let bytes = parts * lanes * precision.bytes
    if staging.byteCount < bytes { staging = LaneStaging(pieces: [bytes]) }
    staging.clear()
    let sums = try StagedReals(staging, count: parts * lanes, precision)
    try queue.read(out, into: sums.bytes)
    var values = [Double](repeating: 0, count: count)
    sums.addSums(factor, lanes: lanes, .asTheyCome, to: &values)
    return values
  }
}
