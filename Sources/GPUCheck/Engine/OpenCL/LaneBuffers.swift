import Kernels

/// The buffers of one batch of lanes on a device, and how many lanes of each segment they hold.
struct LaneBuffers {
  /// Lanes of a batch, for each segment.
  let capacities: [Int]
  /// For each segment, the positions of its plan's indices: buffers of their own, and zeros at first,
  /// so that whatever becomes of a write, kernels find positions that are on the axis.
  let indices: [[Buffer]]
  let moves: Buffer
  let flags: Buffer
  let slots: [Buffer]
  /// The terms' sums: `[2, lanes]` each.
  let sums: [Buffer]
  /// For all that a batch brings and takes away.
  let staging: LaneStaging

  /// Throws where the device has not the memory.
  init(
    _ context: Context, _ plans: [LanePlan], capacities: [Int], terms: Int, _ precision: Precision
  ) throws {
    self.capacities = capacities
    let lanes = capacities.max() ?? 1
    indices = try zip(plans, capacities).map { plan, lanes in
      try plan.indices.map { _ in
        try Buffer(context, elements: [Int32](repeating: 0, count: lanes))
      }
    }
    moves = try Buffer(context, realCount: lanes, precision)
    flags = try Buffer(context, byteCount: lanes * MemoryLayout<UInt32>.stride)
    slots = try (0..<(plans.map(\.slots.count).max() ?? 0)).map { slot in
      let sizes = zip(plans, capacities).map { plan, lanes in
        slot < plan.slots.count ? plan.slots[slot] * lanes : 0
      }
      return try Buffer(context, realCount: sizes.max() ?? 1, precision)
    }
    sums = try (0..<terms).map { _ in try Buffer(context, realCount: 2 * lanes, precision) }
    let integers = MemoryLayout<Int32>.stride * lanes
    let positions = plans.map(\.indices.count).max() ?? 0
    staging = LaneStaging(
      pieces: [precision.bytes * lanes] + [Int](repeating: integers, count: positions + 2)
        + [Int](repeating: 2 * precision.bytes * lanes, count: terms))
  }

  /// The buffer that an operand's lanes are in.
  func buffer(_ place: LaneOperand.Place) -> Buffer {
    switch place {
    case .moves: moves
    case .slot(let number): slots[number]
    }
  }
}
