import Kernels

/// What lanes on a device read of the baseline: each node's coefficients and, in `value` mode, its
/// value.
struct LaneTables {
  /// For each node, the tables of `Primitive.coefficients`.
  private(set) var coefficients: [[Buffer?]] = []
  /// For each node, the tables of `Primitive.integerTables`.
  private(set) var integers: [[Buffer]] = []
  /// For each node, its value where lanes need it.
  private(set) var base: [Buffer?]
  /// What all of them take on the device.
  private(set) var byteCount = 0

  /// Uploads the tables of the nodes that lanes meet. Throws an `InputError` where they take more
  /// than `limit` bytes, and `OpenCLError` where the device has not the memory.
  init(
    _ context: Context, _ baseline: Baseline, _ mode: LaneMode, moving: Set<Graph.NodeID>,
    _ precision: Precision, tieRoundoff: Double, limit: Int
  ) throws {
    let graph = baseline.graph
    base = [Buffer?](repeating: nil, count: graph.nodes.count)
    let needsBase = mode == .value ? moving.union(graph.terms.map(\.node)) : []
    for node in graph.nodes.indices {
      let isMoving = moving.contains(node)
      let tables =
        isMoving ? baseline.coefficients(node, mode: mode, tieRoundoff: tieRoundoff) : []
      coefficients.append(
        try tables.map { table in
          switch table {
          case .value(let of): try value(of: of, baseline, context, precision, limit)
          case .values(let values): try upload(values, context, precision, limit)
          case .none: nil
          }
        })
      integers.append(
        try (isMoving ? baseline.integerTables(node) : []).map {
          try count($0.count * MemoryLayout<Int32>.stride, context, limit)
          return try Buffer(context, elements: $0)
        })
      if needsBase.contains(node) {
        _ = try value(of: node, baseline, context, precision, limit)
      }
    }
  }

  private mutating func value(
    of node: Graph.NodeID, _ baseline: Baseline, _ context: Context, _ precision: Precision,
    _ limit: Int
  ) throws -> Buffer {
    if let known = base[node] { return known }
    let made = try upload(baseline.values[node], context, precision, limit)
    base[node] = made
    return made
  }

  private mutating func upload(
    _ values: [Double], _ context: Context, _ precision: Precision, _ limit: Int
  ) throws -> Buffer {
    try count(values.count * precision.bytes, context, limit)
    return try Buffer(context, reals: values, precision)
  }

  private mutating func count(_ bytes: Int, _ context: Context, _ limit: Int) throws {
    byteCount += bytes
    guard byteCount <= limit else {
      throw LaneSizing.refusal(
        needed: byteCount, allowed: limit, on: context.device.description.name)
    }
  }
}
