/// The variance of one rounding relative to its result, in units of u²: an error spread evenly over
/// [−u, u] has u²/3.
package let unitVariance = 1.0 / 3

/// Whose rounding errors are followed.
package enum ErrorSource: Sendable {
  /// A back-propagation in some precision, with the variances of the node's inputs from its own
  /// forward pass.
  case backPropagation(inputVariances: [[Double]?])
  /// Lanes of exact differences: the coefficients come from a double baseline, the sum over the
  /// batch is compensated.
  case lanes

  /// The variance of an input's rounding error that back-propagation meets; nil where there is none.
  package func variance(_ input: Int) -> [Double]? {
    if case .backPropagation(let variances) = self { variances[input] } else { nil }
  }
}

/// The gradient of J with respect to a value, and the variance of its rounding error in units of u².
package struct Adjoint: Sendable {
  package var gradient: [Double]
  package var variance: [Double]

  package init(gradient: [Double], variance: [Double]) {
    (self.gradient, self.variance) = (gradient, variance)
  }

  /// Zeros.
  package init(count: Int) {
    gradient = [Double](repeating: 0, count: count)
    variance = gradient
  }

  /// Calls the body with both, to be written element by element.
  @inline(__always)
  mutating func withMutableBuffers(
    _ body: (UnsafeMutableBufferPointer<Double>, UnsafeMutableBufferPointer<Double>) -> Void
  ) {
    gradient.withUnsafeMutableBufferPointer { gradient in
      variance.withUnsafeMutableBufferPointer { variance in body(gradient, variance) }
    }
  }

  package static func += (left: inout Adjoint, right: Adjoint) {
    for i in left.gradient.indices {
      left.gradient[i] += right.gradient[i]
      left.variance[i] += right.variance[i]
    }
  }
}

/// A sum of products in floating point, and the variance of its rounding error: each product is
/// rounded once, and each addition rounds a partial sum. Partial sums of n terms are taken to grow
/// like a walk, to Σt²·k/n + (Σt)²·(k/n)² after k of them (Higham and Mary 2019, "A new approach to
/// probabilistic rounding error analysis").
package struct RoundedSum {
  package private(set) var total = 0.0
  private var squares = 0.0
  private var terms = 0

  package init() {}

  @inline(__always)
  package mutating func add(_ term: Double) {
    total += term
    squares += term * term
    terms += 1
  }

  /// What Σt² and (Σt)² of a sum of so many products add to its variance.
  package static func weights(terms: Int, _ source: ErrorSource) -> (squares: Double, total: Double)
  {
    if case .lanes = source { return (unitVariance, 0) }
    return (unitVariance * (1 + Double(terms) / 2), unitVariance * Double(terms) / 3)
  }

  /// With the additions rounded too.
  package var variance: Double {
    unitVariance * (squares + Double(terms) * (squares / 2 + total * total / 3))
  }

  /// The additions rounded or, in lanes, compensated.
  package func variance(_ source: ErrorSource) -> Double {
    if case .lanes = source { unitVariance * squares } else { variance }
  }
}
