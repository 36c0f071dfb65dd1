/// Which elements of a tensor move in a lane. Lanes are the innermost axis of every lane array:
/// element e of lane l stands at e·lanes + l.
package enum LaneLayout: Sendable, Equatable {
  /// All: `[elements, lanes]`.
  case full
  /// One position of one axis, which depends on the lane: `[elements / axisLength, lanes]`. The
  /// tensor is seen as `[outer, axisLength, inner]`; a single component of a parameter is the
  /// case axisLength = elements, inner = 1.
  case slice(Slice)

  package struct Slice: Sendable, Equatable {
    package var axisLength: Int
    package var inner: Int
    package var index: LaneIndex

    /// The element of the whole tensor that a stored element stands for in a lane.
    @inline(__always)
    package func base(_ element: Int, _ index: Int) -> Int {
      (element / inner * axisLength + index) * inner + element % inner
    }
  }

  /// Elements that are stored for a tensor of `count` elements.
  package func stored(of count: Int) -> Int {
    switch self {
    case .full: count
    case .slice(let slice): count / max(slice.axisLength, 1)
    }
  }
}

/// The position along an axis as a function of the lane's component (its index in the perturbed
/// tensor): component / divisor mod modulus.
package struct LaneIndex: Sendable, Equatable {
  package var divisor: Int
  package var modulus: Int

  @inline(__always)
  package func callAsFunction(_ component: Int32) -> Int {
    Int(component) / divisor % modulus
  }
}

/// What lanes carry: exact differences against the baseline, or values themselves.
package enum LaneMode: String, Sendable, CaseIterable {
  /// Δy; a lane's result is ΔJ.
  case difference
  /// y itself; a lane's result is J.
  case value
}

/// At a kink, which branch a tied element takes.
package enum TiePolicy: Int32, Sendable {
  /// The element moves as the function does.
  case natural = 0
  /// Its slope is the one left of the kink.
  case low = -1
  /// Its slope is the one right of the kink.
  case high = 1
}

/// What a lane met on its way, as bits.
package struct LaneFlags: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  /// An element changed its branch between θ and θ ± ε.
  package static let crossed = LaneFlags(rawValue: 1)
  /// A moving element was tied at θ.
  package static let tied = LaneFlags(rawValue: 2)
  /// The lane never came back (a user's own code crashed in it): its value is NaN.
  package static let lost = LaneFlags(rawValue: 4)
}

/// Lanes through one parameter tensor: which component moves and by how much.
package struct LaneBatch: Sendable {
  /// The segment of θ.
  package var segment: Int
  /// Component of each lane within the segment.
  package var components: [Int32]
  /// In `difference`, the signed step of each lane; in `value`, the value the component moves to.
  /// Both as the lanes' precision holds them.
  package var moves: [Double]
  package var tiePolicy = TiePolicy.natural

  package init(
    segment: Int, components: [Int32] = [], moves: [Double] = [],
    tiePolicy: TiePolicy = .natural
  ) {
    self.segment = segment
    self.components = components
    self.moves = moves
    self.tiePolicy = tiePolicy
  }

  package var count: Int { components.count }
}

/// What came back: ΔJ or J of every lane in double, and its flags.
package struct LaneResults: Sendable {
  package var values: [Double]
  package var flags: [LaneFlags]
}
