/// How θ is laid out: named segments, one behind the other, each row-major.
public struct ParameterLayout: Sendable, Equatable {
  public struct Segment: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    /// Where the segment begins in θ.
    public var offset: Int

    public var count: Int { shape.reduce(1, *) }
    public var range: Range<Int> { offset..<offset + count }
  }

  public private(set) var segments: [Segment] = []

  /// Segments in the given order.
  public init(_ parts: [(name: String, shape: [Int])]) {
    for part in parts {
      segments.append(Segment(name: part.name, shape: part.shape, offset: count))
    }
  }

  /// Parameters in all.
  public var count: Int { segments.last.map { $0.offset + $0.count } ?? 0 }

  /// The segment of that name.
  public func segment(named name: String) -> Segment? { segments.first { $0.name == name } }

  /// Which segment a component of θ lies in, and where in it.
  public func locate(_ component: Int) -> (segment: Int, index: Int) {
    var low = 0
    var high = segments.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if segments[middle].offset <= component { low = middle } else { high = middle - 1 }
    }
    return (low, component - segments[low].offset)
  }
}

/// θ or dθ: one flat vector of doubles with named segments.
public struct ParameterVector: Sendable, Equatable {
  public let layout: ParameterLayout
  /// `[layout.count]`.
  public var values: [Double]
  /// The type the values were stored in where they came from: the least exact of the tensors'.
  public var elementType: ElementType

  /// Throws an `InputError` where the number of values is not the layout's.
  public init(layout: ParameterLayout, values: [Double], elementType: ElementType = .float64)
    throws
  {
    guard values.count == layout.count else {
      throw InputError(
        "found \(values.count) values, expected \(layout.count) (all parameters, "
          + layout.segments.map(\.name).joined(separator: ", ") + ")",
        remedy: "flatten them in this order, each row-major")
    }
    self.layout = layout
    self.values = values
    self.elementType = elementType
  }

  /// The values of one segment, row-major.
  public subscript(segment index: Int) -> ArraySlice<Double> {
    values[layout.segments[index].range]
  }

  /// The tensors by name, in the layout's order.
  public var tensors: [(name: String, tensor: Tensor)] {
    layout.segments.map { part in
      (part.name, Tensor(shape: part.shape, values: Array(values[part.range])))
    }
  }
}
