import Kernels

/// A component as two runs have it.
public struct ComponentDifference: Sendable, Equatable {
  public var tensor: String
  /// Position in the tensor: row, column.
  public var index: [Int]
  public var first: Double
  public var second: Double
  public var firstBar: Double
  public var secondBar: Double
  /// In units in the last place of the pair's lower precision; nil where one is not a number.
  public var ulp: UInt64?

  public var absolute: Double { first == second ? 0 : (first - second).magnitude }
  /// Of the larger of the two; 0 where both are 0.
  public var relative: Double {
    first == second ? 0 : absolute / max(first.magnitude, second.magnitude)
  }
  /// Rounding explains no more than both bars.
  public var isWithinBars: Bool { absolute <= firstBar + secondBar }
  /// How often the bars fit into the difference; infinite where it is not a number.
  var excess: Double {
    let ratio = absolute / (firstBar + secondBar)
    return absolute == 0 ? 0 : ratio.isNaN ? .infinity : ratio
  }
}

/// Two runs held against each other.
public struct PairDifference: Sendable {
  /// Places among the comparison's runs; the second is nil for the textbook.
  public var first: Int
  public var second: Int?
  /// The precision whose units in the last place are counted: the lower of the two.
  package var precision: Precision
  /// How many components were compared.
  public var compared = 0
  /// ‖a − b‖₂ / (‖a‖₂ + ‖b‖₂).
  public var relativeDifference = 0.0
  /// Components farther apart than both bars.
  public var outside = 0
  public var tensors: [Tensor] = []
  public var largestAbsolute: ComponentDifference?
  public var largestRelative: ComponentDifference?
  public var largestULP: ComponentDifference?
  public var histogram = ULPHistogram()
  /// The components farthest outside the bars, worst first.
  public var worst: [ComponentDifference] = []

  /// One tensor of θ.
  public struct Tensor: Sendable {
    public var name: String
    public var compared: Int
    public var outside: Int
    public var relativeDifference: Double
  }
}

/// One side of a pair: values and bars of components, side by side with the other's.
struct PairSide {
  var run: Int?
  var precision: Precision
  var values: [Double]
  var bars: [Double]

  /// The same of some positions.
  func at(_ positions: [Int]) -> PairSide {
    var part = self
    part.values = positions.map { values[$0] }
    part.bars = positions.map { bars[$0] }
    return part
  }
}

extension PairDifference {
  /// - Parameters:
  ///   - components: positions in θ, ascending, one for each value of both sides.
  ///   - top: how many of the components outside to keep.
  init(
    _ first: PairSide, _ second: PairSide, of components: [Int], in layout: ParameterLayout,
    top: Int
  ) {
    self.first = first.run ?? 0
    self.second = second.run
    precision = first.precision == .f32 || second.precision == .f32 ? .f32 : .f64
    compared = components.count
    relativeDifference = GPUCheck.relativeDifference(first.values, second.values)
    var outsiders: [(position: Int, excess: Double)] = []
    // The place of the largest so far; a NaN is larger than all.
    var largest = (absolute: Largest(), relative: Largest(), ulp: Largest())
    for part in layout.positions(of: components) {
      let before = outsiders.count
      for position in part.range {
        let (segment, at) = (layout.segments[part.segment], components[position])
        let difference = Self.difference(first, second, position, at, segment, precision)
        histogram.add(difference.ulp)
        largest.absolute.add(difference.absolute, difference)
        largest.relative.add(difference.relative, difference)
        largest.ulp.add(difference.ulp.map(Double.init) ?? .nan, difference)
        if !difference.isWithinBars { outsiders.append((position, difference.excess)) }
      }
      tensors.append(
        Tensor(
          name: layout.segments[part.segment].name, compared: part.range.count,
          outside: outsiders.count - before,
          relativeDifference: GPUCheck.relativeDifference(
            first.values[part.range], second.values[part.range])))
    }
    largestAbsolute = largest.absolute.component
    largestRelative = largest.relative.component
    largestULP = largest.ulp.component
    outside = outsiders.count
    outsiders.sort { ($1.excess, $0.position) < ($0.excess, $1.position) }
    worst = outsiders.prefix(top).map { outsider in
      let (segment, _) = layout.locate(components[outsider.position])
      return Self.difference(
        first, second, outsider.position, components[outsider.position],
        layout.segments[segment], precision)
    }
  }

  private struct Largest {
    var value = 0.0
    var component: ComponentDifference?

    mutating func add(_ value: Double, _ component: ComponentDifference) {
      guard value > self.value || (value.isNaN && !self.value.isNaN) else { return }
      self.value = value
      self.component = component
    }
  }

  private static func difference(
    _ first: PairSide, _ second: PairSide, _ position: Int, _ component: Int,
    _ segment: ParameterLayout.Segment, _ precision: Precision
  ) -> ComponentDifference {
    let (a, b) = (first.values[position], second.values[position])
    return ComponentDifference(
      tensor: segment.name, index: unravel(component - segment.offset, shape: segment.shape),
      first: a, second: b, firstBar: first.bars[position], secondBar: second.bars[position],
      ulp: ulpDistance(a, b, precision))
  }
}

extension ParameterLayout {
  /// The places that each segment's components take in an ascending list of components.
  func positions(of components: [Int]) -> [(segment: Int, range: Range<Int>)] {
    var first = 0
    return segments.enumerated().map { number, part in
      var last = first
      while last < components.count, part.range.contains(components[last]) { last += 1 }
      defer { first = last }
      return (number, first..<last)
    }
  }
}
