import Kernels

/// What lanes on a device read of the baseline: each node's coefficients and, in `value` mode, its
/// value.
struct LaneTables {
  /// For each node, the tables of `Primitive.coefficients`.
  private(set) var coefficients: [[Buffer]] = []
  /// For each node, its value where lanes need it.
  private(set) var base: [Buffer?] = []
  /// What all of them take on the device.
  private(set) var byteCount = 0

  /// Uploads the tables of the nodes that lanes meet. Throws an `InputError` where they take more
  /// than `limit` bytes, and `OpenCLError` where the device has not the memory.
  init(
    _ context: Context, _ baseline: Baseline, _ mode: LaneMode, moving: Set<Graph.NodeID>,
    _ precision: Precision, tieRoundoff: Double, limit: Int
  ) throws {
    let graph = baseline.graph
    let needsBase = mode == .value ? moving.union(graph.terms.map(\.node)) : []
    for node in graph.nodes.indices {
      let tables =
        moving.contains(node) ? baseline.coefficients(node, tieRoundoff: tieRoundoff) : []
      coefficients.append(try tables.map { try upload($0, context, precision, limit) })
      base.append(
        needsBase.contains(node)
          ? try upload(baseline.values[node], context, precision, limit) : nil)
    }
  }

  private mutating func upload(
    _ values: [Double], _ context: Context, _ precision: Precision, _ limit: Int
  ) throws -> Buffer {
    byteCount += values.count * precision.bytes
    guard byteCount <= limit else {
      throw LaneSizing.refusal(
        needed: byteCount, allowed: limit, on: context.device.description.name)
    }
    return try Buffer(context, reals: values, precision)
  }
}
