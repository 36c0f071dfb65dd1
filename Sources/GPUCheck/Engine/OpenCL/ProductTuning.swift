import Kernels

/// Whether products are formed faster in tiles (`Tile`), on a device whose work-items run side by side, or by
/// `product_table`. Measured once for a device, driver and kernel text, and kept in the
/// cache. Both give the same bits, so that nothing but time depends on it.
enum ProductTuning {
  /// What was measured: the seconds of one product.
  private struct Measurement: Codable {
    var tile: Double
    var table: Double

    var isSound: Bool { tile > 0 && table > 0 && tile.isFinite && table.isFinite }
  }

  private static let kind = "product"
  private static let units = [KernelUnit(file: "lanes.cl")] + MatrixProduct.units
  /// A layer of a network that is worth a GPU: 1 GFLOP, 32 MiB of lanes in f64.
  private static let sides = MatrixProduct.Sides(
    batches: 1, outs: 128, samples: 8, depth: 128, table: (0, 128, 1), moving: (0, 128, 1),
    result: (0, 1, 128))
  private static let lanes = 4096

  /// Whether tiles are faster; false where a device cannot take them, or fails at it.
  static func prefersTiles(
    _ programs: ProgramCache, _ specialisation: Specialisation, cache: DiskCache?
  ) -> Bool {
    let device = programs.context.device.description
    guard specialisation.vectorWidth == 1, device.kind != .cpu, !device.isSimulator,
      device.maxWorkGroupSize >= Tile.needs(specialisation.precision).items,
      device.localMemory >= Tile.needs(specialisation.precision).bytes,
      let source = try? programs.text.source(units)
    else { return false }
    let key = specialisation.cacheKey(for: device, source: source)
    if let known = cache?.value(Measurement.self, of: kind, key: key), known.isSound {
      return known.tile < known.table
    }
    guard let found = try? measure(programs, specialisation) else { return false }
    cache?.keep(found, of: kind, key: key)
    return found.tile < found.table
  }

  private static func measure(
    _ programs: ProgramCache, _ specialisation: Specialisation
  ) throws -> Measurement {
    let (context, precision) = (programs.context, specialisation.precision)
    let program = try programs.program(units, specialisation)
    let queue = try CommandQueue(context)
    let table = [Double](repeating: 1, count: sides.outs * sides.depth)
    let rows = [Double](repeating: 1, count: sides.samples * sides.depth * lanes)
    let weights = try Buffer(context, reals: table, precision)
    let input = try Buffer(context, reals: rows, precision)
    let output = try Buffer(
      context, realCount: sides.samples * sides.outs * lanes, precision)
    let seconds = try [true, false].map { inTiles in
      let launch = sides.launch(
        inTiles ? Tile(outs: sides.outs, precision) : nil, precision, laneVectors: lanes,
        table: .buffer(weights), input: .buffer(input),
        bias: .none, output: output)
      let kernel = try Kernel(program, launch.arguments.kernel)
      try kernel.set(launch.arguments)
      // The first time drivers have more to do.
      return try (0..<4).map { _ in
        let start = ContinuousClock.now
        try queue.enqueue(kernel, global: launch.global, local: launch.local)
        try queue.finish()
        return (ContinuousClock.now - start).seconds
      }.min() ?? .infinity
    }
    return Measurement(tile: seconds[0], table: seconds[1])
  }
}
