import Kernels

/// What kernels/chain.cl reads of a baseline, on a device.
struct ChainTables {
  private let chain: LaneChain
  private let attributes: (hidden: SIMD4<Double>, last: SIMD4<Double>)
  /// `[layers, 5]`: outs, ins, where weights, elements and units begin.
  private let layers: Buffer
  /// Each layer's weights, elements and units, as kernels/chain.cl has them.
  private let tables: Buffer
  /// What each layer reads.
  private let inputs: [Buffer]
  /// The cost's tables.
  private let cost: [Buffer?]
  let byteCount: Int

  /// The blocks that weights are packed in: CHAIN_ROWS and CHAIN_FEW of chain.cl.
  private static let (rows, few) = (6, 4)

  init(
    _ chain: LaneChain, _ context: Context, _ baseline: Baseline, _ precision: Precision,
    vectorWidth width: Int, tieRoundoff: Double
  ) throws {
    self.chain = chain
    var table: [Double] = []
    var places: [Int32] = []
    for (number, layer) in chain.layers.enumerated() {
      places += [Int32(layer.outs), Int32(layer.ins), Int32(table.count)]
      // Lanes begin at the first layer's outputs, or behind it.
      if number > 0 { Self.pack(baseline.values[layer.weights], layer, into: &table) }
      let terms = ChainTerms(chain, layer: number, baseline, tieRoundoff: tieRoundoff)
      places.append(terms.all.isEmpty ? -1 : Int32(table.count))
      table += terms.elements
      places.append(Int32(table.count))
      table += terms.units(samples: chain.samples, outs: layer.outs, width: width)
    }
    layers = try Buffer(context, elements: places)
    tables = try Buffer(context, reals: table, precision)
    inputs = try chain.layers.map {
      try Buffer(context, reals: baseline.values[$0.x], precision)
    }
    let costTables = baseline.coefficients(
      chain.cost.node, mode: .difference, tieRoundoff: tieRoundoff)
    cost = try costTables.map {
      try baseline.numbers($0).map { try Buffer(context, reals: $0, precision) }
    }
    var last = SIMD4<Double>.zero
    if case .element(_, let function) = chain.cost { last = function.attributes }
    attributes = (chain.hidden?.attributes ?? .zero, last)
    let read = chain.layers.reduce(0) { $0 + baseline.values[$1.x].count }
    byteCount = (table.count + read) * precision.bytes
  }

  /// Appends a layer's weights: blocks of outputs, `[blocks, in, rows]`, the last one smaller where
  /// few outputs are left, and 0 for rows that are missing.
  private static func pack(_ w: [Double], _ layer: LaneChain.Layer, into table: inout [Double]) {
    var first = 0
    while first < layer.outs {
      let rows = layer.outs - first > few ? rows : few
      for k in 0..<layer.ins {
        for o in first..<first + rows {
          table.append(o < layer.outs ? w[o * layer.outStride + k * layer.inStride] : 0)
        }
      }
      first += rows
    }
  }

  static let kernel = "chain_difference"

  /// Multiply-adds of a lane from where it enters, and how many inputs a unit has there.
  func cost(_ entry: LanePlan.ChainEntry) -> (work: Double, inputs: Int) {
    let after = chain.layers.dropFirst(entry.layer + 1)
    // The first layer after it meets one moving input.
    let products = after.dropFirst().reduce(after.first?.outs ?? 1) { $0 + $1.ins * $1.outs }
    let inputs = entry.isBias ? 1 : chain.layers[entry.layer].ins
    return (Double(chain.samples) * Double(products), inputs)
  }

  /// The samples that lanes are taken through.
  var samples: Int { chain.samples }

  /// The launch for lanes of a segment.
  ///
  /// - Parameter parts: `[samples, lanes]`, for the sum of each sample by itself in the place of `sums`.
  func launch(
    _ entry: LanePlan.ChainEntry, laneVectors: Int, tiePolicy: TiePolicy, indices: [Buffer],
    moves: Buffer, sums: Buffer, parts: Buffer?, flags: Buffer
  ) -> Launch {
    let place = { (number: Int) in
      number < cost.count ? cost[number].map { KernelArgument.buffer($0) } ?? .none : .none
    }
    let reals = [attributes.hidden, attributes.last].flatMap { a in
      (0..<3).map { KernelArgument.real(a[$0]) }
    }
    return Launch(
      arguments: ChainArguments(
        arguments: [
          .int(laneVectors), .int(chain.samples), .int(chain.layers.count), .int(entry.layer),
          .int(Int(tiePolicy.rawValue)),
        ] + reals + [
          .buffer(layers), entry.isBias ? .none : .buffer(indices[entry.input]),
          .buffer(indices[entry.unit]), .buffer(moves),
          entry.isBias ? .none : .buffer(inputs[entry.layer]), .buffer(tables),
        ] + (0..<4).map(place) + [
          .buffer(sums), parts.map { .buffer($0) } ?? .none, .buffer(flags),
        ]),
      global: [laneVectors / 2])
  }
}

/// The arguments of `chain_difference`.
private struct ChainArguments: KernelArguments {
  let kernel = ChainTables.kernel
  let arguments: [KernelArgument]
}

extension LaneChain {
  /// The parts of kernels/ that the chain needs.
  var kernelUnits: [KernelUnit] {
    var files = ["small.cl", "cross_entropy.cl"]
    var defines = [("CHAIN_WIDTH", "\(width)")]
    if layers.count > 2 { defines.append(("CHAIN_DEEP", "1")) }
    if let hidden {
      files += hidden.kernel.files
      defines += Self.defines(of: hidden, "")
      if !hidden.series([]).isEmpty { defines.append(("SERIES", "1")) }
    }
    if case .element(_, let function) = cost {
      files += function.kernel.files
      defines += Self.defines(of: function, "LAST_")
    }
    return files.map { KernelUnit(file: $0) } + [KernelUnit(file: "chain.cl", defines: defines)]
  }

  /// The widest layer's outputs; a power of two, so that few programs serve many networks.
  private var width: Int {
    let widest = layers.map(\.outs).max() ?? 1
    var width = 16
    while width < widest { width *= 2 }
    return width
  }

  private static func defines(of function: ElementFunction, _ prefix: String) -> [(String, String)]
  {
    let kernel = function.kernel
    return [
      (prefix + "RULE", "\(kernel.rule)_difference"),
      (prefix + "COEFFICIENTS", "\(kernel.coefficients)"),
      (prefix + "KINKS", kernel.kinks ? "1" : "0"),
    ]
  }
}
