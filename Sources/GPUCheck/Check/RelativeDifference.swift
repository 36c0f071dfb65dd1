/// ‖a − b‖₂ / (‖a‖₂ + ‖b‖₂), without overflow or underflow; 0 for two zero vectors. The distance of
/// the course "Improving Deep Neural Networks", week 1, "Gradient Checking".
public func relativeDifference(_ a: some Collection<Double>, _ b: some Collection<Double>) -> Double
{
  var difference = ScaledNorm()
  var first = ScaledNorm()
  var second = ScaledNorm()
  for (x, y) in zip(a, b) {
    // Halves, so that the difference of two huge numbers stays finite.
    difference.add(x / 2 - y / 2)
    first.add(x / 2)
    second.add(y / 2)
  }
  return ratio(difference, first, second)
}

/// difference / (first + second) of three norms; 0 where all are 0.
func ratio(_ difference: ScaledNorm, _ first: ScaledNorm, _ second: ScaledNorm) -> Double {
  let scale = max(difference.scale, first.scale, second.scale)
  guard scale > 0 else { return scale.isNaN ? .nan : 0 }
  return difference.value(over: scale) / (first.value(over: scale) + second.value(over: scale))
}

/// A Euclidean norm kept as scale·√sum with the largest magnitude as the scale (Blue 1978; LAPACK's
/// `nrm2`), so that no square overflows or vanishes.
struct ScaledNorm {
  private(set) var scale = 0.0
  private var sum = 0.0

  mutating func add(_ x: Double) {
    let size = x.magnitude
    if size.isNaN {
      scale = .nan
    } else if size > scale {
      let shrink = scale / size
      sum = 1 + sum * shrink * shrink
      scale = size
    } else if size > 0 {
      sum += (size / scale) * (size / scale)
    }
  }

  /// The norm divided by a scale at least as large as this one's.
  func value(over other: Double) -> Double { scale / other * sum.squareRoot() }

  var value: Double { scale * sum.squareRoot() }
}
