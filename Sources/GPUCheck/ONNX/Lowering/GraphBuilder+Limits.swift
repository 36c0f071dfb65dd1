// How much a file may ask for.

extension GraphBuilder {
  /// Elements that one value may have: 2 GiB of doubles.
  static let mostElements = 1 << 28

  /// Elements that a value that depends on θ may have, though nothing of it is held yet: what sums of
  /// such numbers still fit an integer.
  static let mostMovingElements = 1 << 34

  /// Throws where an operator's output is larger than any check could hold.
  func requireHoldable(_ shape: [Int]) throws {
    guard let count = elementCount(ofShape: shape), count <= Self.mostMovingElements else {
      throw InputError(
        "a value of shape \(shape) would be made, expected at most \(Self.mostMovingElements) elements",
        tensor: name, remedy: "take a smaller batch")
    }
  }

  /// The number of elements of a shape that a file asks for; throws where it is negative or more
  /// than memory is likely to hold.
  @discardableResult
  func checkedCount(_ shape: [Int]) throws -> Int {
    var count = 1
    for extent in shape {
      let (product, overflows) = count.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflows, product <= Self.mostElements else {
        throw InputError(
          "a value of shape \(shape) is asked for, expected at most \(Self.mostElements) elements",
          tensor: name, remedy: "correct the shape, or take a smaller batch")
      }
      count = product
    }
    return count
  }
}
