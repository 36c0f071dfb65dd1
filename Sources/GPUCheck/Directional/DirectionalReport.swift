/// What a check along directions found, tensor by tensor.
public struct DirectionalReport: Sendable {
  /// Directions in each tensor.
  public var directions: Int
  /// All of θ's tensors, in order.
  public var tensors: [Tensor]

  /// The probability that `Tensor.detectable` is told for.
  public static let probability = 0.99

  /// One tensor of θ.
  public struct Tensor: Sendable {
    public var name: String
    public var shape: [Int]
    public var slopes: [Slope]
    /// Every slope lies within its bar.
    public var passed: Bool
    /// A slope lies outside its bar, but elements that stand on a kink may be why.
    public var isUndecided: Bool
    /// An error of one component larger than this would have been seen, with `probability`.
    public var detectable: Double
    /// The size of a component of the gradient, as the slopes tell it.
    public var typical: Double
    /// Where the gradient is wrong.
    public var places: [WrongPlace]
  }

  /// The derivative of J along one direction v of independent Gaussians with Σ E[v²] = 1.
  public struct Slope: Sendable {
    /// Σ dθ·v.
    public var analytic: Double
    /// As found here.
    public var numeric: Double
    /// The error bar: they may lie this far apart with nothing wrong.
    public var uncertainty: Double
    public var passed: Bool
  }
}

/// A part of a tensor whose gradient is wrong.
public struct WrongPlace: Sendable, Equatable {
  public enum Part: String, Sendable {
    /// All of the tensor, as far as was looked.
    case tensor
    /// Positions of the first axis.
    case rows
    /// Positions of all other axes, taken together row-major.
    case columns
    case component
    /// Rows within a range of columns: where halving could not tell more.
    case box
  }

  public var part: Part
  /// Positions of the first axis, and of the others taken together.
  public var rows: Range<Int>
  public var columns: Range<Int>
  /// What the gradient given is there, as a multiple of what it should be; nil where it is none.
  public var ratio: Double?
  /// dθ, and what was found: of a component only.
  public var analytic: Double?
  public var numeric: Double?
}
