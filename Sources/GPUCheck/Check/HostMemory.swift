import Foundation

/// What a check's own data take on the host: a driver's memory comes on top of it.
enum HostMemory {
  /// Bytes that a check of a graph needs, by what it holds at its peak: of θ the vector, the gradient
  /// and the baseline's copy; for every element of every other node its value, variance, adjoint and
  /// table entry; the adjoints of the largest tensor, of one that stands in several places twice, while
  /// they are added up; for every component its estimate, scales and result; and the scratch memory of
  /// CPU lanes on all cores.
  static func needed(_ graph: Graph, checked: Int) throws -> Int {
    let lanes = try graph.layout.segments.indices.map {
      try LanePlan(graph: graph, segment: $0, mode: .difference).elementsPerLane
    }
    return needed(graph, checked: checked, elementsPerLane: lanes.max() ?? 0)
  }

  /// The same where the elements of the largest lane are known.
  static func needed(_ graph: Graph, checked: Int, elementsPerLane: Int) -> Int {
    let elements = graph.nodes.reduce(0) { count, node in
      if case .parameter = node.definition { count } else { count + node.count }
    }
    let largest = graph.layout.segments.map(\.count).max() ?? 0
    let scratch =
      elementsPerLane * (CPUChunk.leastBytes / real) * HostCores.count
    return [
      (graph.layout.count, 3 * real), (elements, 5 * real), (largest, 6 * real),
      (checked, 10 * real), (scratch, real),
    ].reduce(0) { total, part in
      part.0.multiplied(by: part.1).flatMap { total.adding($0) } ?? .max
    }
  }

  /// Throws an `InputError` where a check needs more than may be used.
  static func require(_ graph: Graph, checked: Int, limit: Int?) throws {
    guard let limit else { return }
    let needed = try needed(graph, checked: checked)
    guard needed <= limit else {
      throw InputError(
        "this check needs about \(TextFormat.bytes(needed)) of the host's memory, and "
          + "\(TextFormat.bytes(limit)) may be used",
        remedy: "allow more with --memory, or check fewer components with --sample")
    }
  }

  private static let real = MemoryLayout<Double>.size
}
