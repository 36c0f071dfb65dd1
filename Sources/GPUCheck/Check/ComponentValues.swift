/// A number for every component of θ that is checked, found by the component. A sample of a large
/// network takes as much memory as it has components.
package struct ComponentValues: Sendable {
  /// Ascending; nil where they are all of θ.
  private let components: [Int]?
  /// One for each of the components, in their order.
  package private(set) var values: [Double]

  /// Zeros for some components, ascending (nil: for all), of so many.
  package init(_ components: [Int]?, of count: Int) {
    self.components = components?.count == count ? nil : components
    values = [Double](repeating: 0, count: components?.count ?? count)
  }

  /// One value for every component of θ, `[parameters]`.
  package init(_ values: [Double]) {
    components = nil
    self.values = values
  }

  /// Other values for the same components, one for each.
  package func replaced(by values: [Double]) -> ComponentValues {
    precondition(values.count == self.values.count)
    var replaced = self
    replaced.values = values
    return replaced
  }

  /// The value of a component, which is one of those checked.
  package subscript(_ component: Int) -> Double {
    guard let components else { return values[component] }
    return values[components.firstPlace(notBelow: component)]
  }

  /// Sets the values of those components that lie in a range, each by its place in the range.
  @inline(__always)
  mutating func fill(_ range: Range<Int>, with value: (Int) -> Double) {
    guard let components else {
      values.withUnsafeMutableBufferPointer { values in
        for (place, component) in range.enumerated() { values[component] = value(place) }
      }
      return
    }
    var at = components.firstPlace(notBelow: range.lowerBound)
    while at < components.count, components[at] < range.upperBound {
      values[at] = value(components[at] - range.lowerBound)
      at += 1
    }
  }
}

extension RandomAccessCollection<Int> where Index == Int {
  /// Where the first number is that is not below one; they are ascending.
  func firstPlace(notBelow number: Int) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
