/// NaN and infinities in the gradient given.
enum NonFinite {
  /// What there is of them in all of dθ, checked or not; nil where every component is finite.
  static func finding(in gradient: ParameterVector) -> Finding? {
    guard !gradient.values.allSatisfy(\.isFinite) else { return nil }
    var total = 0
    var names: [String] = []
    var places: [String] = []
    for (number, segment) in gradient.layout.segments.enumerated() {
      let values = gradient[segment: number]
      let bad = values.indices.filter { !values[$0].isFinite }
      guard let first = bad.first else { continue }
      total += bad.count
      names.append(segment.name)
      let index = unravel(first - segment.offset, shape: segment.shape)
      let place = "\(segment.name)[\(index.map(String.init).joined(separator: ", "))]"
      places.append("\(bad.count) in \(segment.name) (first \(place) = \(values[first]))")
    }
    return Finding(
      kind: "nonFinite",
      text: "\(total) of \(gradient.values.count) components of the gradient given are NaN or "
        + "infinite: " + listed(places),
      tensors: names)
  }
}
