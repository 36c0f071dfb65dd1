/// What an operator's CPU rule is given: a chunk of lanes on their way through one node. Lane
/// arrays are `[elements, lanes]`, lanes fastest (the twin of kernels/lanes.cl).
package struct LaneCall<T: LaneReal> {
  package var lanes: Int
  package var mode: LaneMode
  package var step: LaneStep
  /// The positions of `Primitive.laneIndices`, `[lanes]` each.
  package var indices: [UnsafePointer<Int32>]
  /// One lane array for each input that moves; a perturbed parameter's is `[1, lanes]`.
  package var inputs: [UnsafePointer<T>?]
  /// The tables of `Primitive.coefficients`, rounded once.
  package var coefficients: [UnsafePointer<T>]
  /// The tables of `Primitive.integerTables`.
  package var integers: [UnsafePointer<Int32>]
  package var output: UnsafeMutablePointer<T>
  /// Bits of `LaneFlags`, one for each lane.
  package var flags: UnsafeMutablePointer<UInt32>
  package var tiePolicy: TiePolicy
}

/// What a rule notes of kinks while it works on one lane.
package struct KinkMeter {
  package var tiePolicy: TiePolicy
  package var flags: UInt32 = 0

  package init(tiePolicy: TiePolicy) { self.tiePolicy = tiePolicy }

  /// m: where the element stands against its kink (at 0) at θ; moved: in the lane.
  @inline(__always)
  package mutating func note<T: LaneReal>(_ m: T, _ moved: T, _ tolerance: T) {
    if m.magnitude <= tolerance {
      flags |= LaneFlags.tied.rawValue
    } else if (m > 0) != (moved > 0) {
      flags |= LaneFlags.crossed.rawValue
    }
  }
}
