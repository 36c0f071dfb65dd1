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

  /// One position of an axis; all elements where the axis has one only.
  package init(axisLength: Int, inner: Int, index: LaneIndex) {
    self =
      axisLength == 1
      ? .full : .slice(Slice(axisLength: axisLength, inner: inner, index: index))
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
/// tensor): what the steps, one after the other, make of it. Computed on the host for every lane
/// of a batch.
package struct LaneIndex: Sendable, Equatable {
  package enum Step: Sendable, Equatable {
    /// i / divisor mod modulus.
    case digit(divisor: Int, modulus: Int)
    /// Where an element goes; to 0 where it goes nowhere.
    case move(ElementMove)
    /// 1 where an element goes anywhere, else 0.
    case isMoved(ElementMove)
  }

  package var steps: [Step]

  package init(_ steps: [Step]) { self.steps = steps }

  /// component / divisor mod modulus.
  package init(divisor: Int, modulus: Int) {
    steps = [.digit(divisor: divisor, modulus: modulus)]
  }

  /// The same, and then another step.
  package func then(_ step: Step) -> LaneIndex { LaneIndex(steps + [step]) }

  package func callAsFunction(_ component: Int32) -> Int {
    var index = Int(component)
    for step in steps {
      switch step {
      case .digit(let divisor, let modulus): index = index / divisor % modulus
      case .move(let move): index = max(0, move[index])
      case .isMoved(let move): index = move[index] < 0 ? 0 : 1
      }
    }
    return index
  }

  /// The positions of all lanes.
  package func positions(_ components: [Int32]) -> [Int32] {
    if case .digit(let divisor, let modulus) = steps.first, steps.count == 1,
      let divisor = UInt32(exactly: divisor), let modulus = UInt32(exactly: modulus)
    {
      return Self.digits(components, divisor, modulus)
    }
    return components.map { Int32(self($0)) }
  }

  /// component / divisor mod modulus. Most components are the one before or its neighbour, for which
  /// nothing needs to be divided.
  private static func digits(_ components: [Int32], _ divisor: UInt32, _ modulus: UInt32) -> [Int32]
  {
    [Int32](unsafeUninitializedCapacity: components.count) { digits, count in
      var last = UInt32.max
      var (rest, digit): (UInt32, UInt32) = (0, 0)
      for (lane, component) in components.enumerated() {
        let component = UInt32(bitPattern: component)
        if component != last {
          rest += 1
          if component != last &+ 1 || last == .max {
            (rest, digit) = (component % divisor, component / divisor % modulus)
          } else if rest == divisor {
            (rest, digit) = (0, digit + 1 == modulus ? 0 : digit + 1)
          }
          last = component
        }
        digits[lane] = Int32(bitPattern: digit)
      }
      count = components.count
    }
  }
}

/// Where the elements of a tensor `[outer, columns, inner]` go in one of `[outer, rows, inner]`.
package final class ElementMove: Sendable, Equatable {
  private let columns: Int
  private let rows: Int
  private let inner: Int
  /// The row that each column goes to; negative where it goes nowhere.
  private let row: [Int32]

  package init(columns: Int, rows: Int, inner: Int, row: [Int32]) {
    self.columns = columns
    self.rows = rows
    self.inner = inner
    self.row = row
  }

  package subscript(element: Int) -> Int {
    let at = Int(row[element / inner % columns])
    if at < 0 { return -1 }
    return (element / inner / columns * rows + at) * inner + element % inner
  }

  package static func == (a: ElementMove, b: ElementMove) -> Bool { a === b }
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
  /// All that kernels set.
  static let ofKernels: LaneFlags = [.crossed, .tied]
}
