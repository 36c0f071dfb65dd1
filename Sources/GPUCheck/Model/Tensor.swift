/// How the elements of a tensor were stored where it came from.
public enum ElementType: String, Sendable, Equatable {
  case float16, bfloat16, float32, float64
  case int8, int16, int32, int64
  case uint8, uint16, uint32, uint64
  case bool

  /// The unit roundoff of the type (half the spacing at 1): 2⁻¹¹, 2⁻⁸, 2⁻²⁴ or 2⁻⁵³; 0 for
  /// integers.
  public var unitRoundoff: Double {
    switch self {
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    case .float32: 0x1p-24
    case .float64: 0x1p-53
    default: 0
    }
  }

  public var isFloatingPoint: Bool { unitRoundoff > 0 }
}

/// A dense array in row-major order. Values are held as doubles, whatever type they were stored in.
public struct Tensor: Sendable, Equatable {
  public var shape: [Int]
  /// `shape`'s product of elements, the last axis fastest.
  public var values: [Double]
  /// The type the values were stored in.
  public var elementType: ElementType

  /// A tensor of the given shape; the shape's product must be the number of values.
  public init(shape: [Int], values: [Double], elementType: ElementType = .float64) {
    precondition(shape.reduce(1, *) == values.count, "shape \(shape) with \(values.count) values")
    self.shape = shape
    self.values = values
    self.elementType = elementType
  }

  public var count: Int { values.count }

  /// The position along every axis of the element at a flat index.
  public func index(ofFlat flat: Int) -> [Int] { unravel(flat, shape: shape) }
}

/// The position along every axis of the element at a flat, row-major index.
public func unravel(_ flat: Int, shape: [Int]) -> [Int] {
  var rest = flat
  var index = [Int](repeating: 0, count: shape.count)
  for axis in shape.indices.reversed() where shape[axis] > 0 {
    index[axis] = rest % shape[axis]
    rest /= shape[axis]
  }
  return index
}
