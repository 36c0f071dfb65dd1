// The numbers that a file's float32 constants were before they were rounded. A computation in float64
// has used 0.1, 1e-5 or √8, of which the file holds the nearest float32 numbers; taken literally they
// would put J's slopes off by up to 6e-8.

extension Double {
  /// The simplest number that rounds to the same float32 number: a decimal of at most six digits, a
  /// root √n or 1/√n, or 1/n; the number itself where there is none.
  var intended: Double {
    let stored = Float(self)
    guard Double(stored) == self, isFinite, self != 0, self != rounded() else { return self }
    if stored.description.significantDigits <= 6, let decimal = Double(stored.description) {
      return decimal
    }
    let size = magnitude
    let square = size * size
    let candidates: [(of: Double, value: (Double) -> Double)] = [
      (square, { $0.squareRoot() }), (1 / square, { 1 / $0.squareRoot() }), (1 / size, { 1 / $0 }),
    ]
    for (number, value) in candidates {
      let whole = number.rounded()
      guard (2...65536).contains(whole), Float(value(whole)) == Float(size) else { continue }
      return self < 0 ? -value(whole) : value(whole)
    }
    return self
  }
}

extension Tensor {
  /// The number that a float32 tensor of one element was before it was rounded; other tensors as they
  /// are.
  var intended: Tensor {
    guard elementType == .float32, count == 1 else { return self }
    return Tensor(shape: shape, values: values.map(\.intended), elementType: elementType)
  }
}

extension String {
  /// The digits of a number's text without the zeros around them, and without its exponent.
  fileprivate var significantDigits: Int {
    let mantissa = prefix { $0 != "e" }.filter(\.isNumber)
    return mantissa.drop { $0 == "0" }.reversed().drop { $0 == "0" }.count
  }
}
