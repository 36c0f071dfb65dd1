/// Halves what fails until the wrong rows, columns or components are named. Each look takes eight parts
/// at most, with directions of their own, so a tensor of n components takes O(log n) lanes.
struct DirectionalSearch {
  let shape: [Int]
  /// Measures directions that are zero outside these boxes of the tensor.
  let look: ([TensorBox]) throws -> [JudgedRay]

  /// Parts of one look.
  private static let parts = 8
  /// How many rows are searched for the columns that are wrong in them.
  private static let most = 4
  /// How often a look is repeated where every part of what fails passes.
  private static let repeats = 2

  private enum Axis {
    case rows, columns
  }

  /// Where something is wrong along an axis.
  private enum Outcome {
    /// Nearly everywhere; with what the whole was made of.
    case everywhere([JudgedRay])
    case ranges([Range<Int>])
  }

  /// The wrong places of a tensor that fails.
  func places() throws -> [WrongPlace] {
    let all = TensorBox(whole: shape)
    switch try narrow(.rows, within: all) {
    case .ranges(let rows): return try rows.enumerated().flatMap { try places(inRows: $1, $0) }
    case .everywhere(let parts):
      if case .ranges(let columns) = try narrow(.columns, within: all), all.columns.count > 1 {
        return columns.map { WrongPlace(part: .columns, rows: all.rows, columns: $0) }
      }
      return [
        WrongPlace(part: .tensor, rows: all.rows, columns: all.columns, ratio: Self.ratio(parts))
      ]
    }
  }

  /// What is wrong in some rows: all of them, or some columns.
  private func places(inRows rows: Range<Int>, _ number: Int) throws -> [WrongPlace] {
    let box = TensorBox(rows: rows, columns: TensorBox(whole: shape).columns)
    let whole = WrongPlace(part: .rows, rows: rows, columns: box.columns)
    guard rows.count == 1, number < Self.most else { return [whole] }
    if box.count == 1 { return [try component(box)] }
    switch try narrow(.columns, within: box) {
    case .everywhere(let parts):
      var place = whole
      place.ratio = Self.ratio(parts)
      return [place]
    case .ranges(let columns):
      return try columns.map { range in
        let part = TensorBox(rows: rows, columns: range)
        return part.count == 1
          ? try component(part) : WrongPlace(part: .box, rows: rows, columns: range)
      }
    }
  }

  private func component(_ box: TensorBox) throws -> WrongPlace {
    var place = WrongPlace(part: .component, rows: box.rows, columns: box.columns)
    guard let judged = try look([box]).first else { return place }
    // v has this component only.
    let v = judged.ray.direction.values(count: shape.reduce(1, *))[
      box.rows.lowerBound * TensorBox(whole: shape).columns.count + box.columns.lowerBound]
    // Never -0.
    place.analytic = judged.ray.analytic / v + 0
    place.numeric = judged.measurement.numeric / v + 0
    return place
  }

  /// Cuts an axis of a box, and again what fails of it.
  private func narrow(_ axis: Axis, within box: TensorBox) throws -> Outcome {
    var open = [axis == .rows ? box.rows : box.columns]
    var isFirst = true
    while open.contains(where: { $0.count > 1 }) {
      let parts = open.flatMap { Self.cut($0, into: max(2, Self.parts / open.count)) }
      var failing: [JudgedRay] = []
      var judged: [JudgedRay] = []
      for _ in 0...Self.repeats where failing.isEmpty {
        judged = try look(
          parts.map {
            axis == .rows
              ? TensorBox(rows: $0, columns: box.columns) : TensorBox(rows: box.rows, columns: $0)
          })
        failing = judged.filter { !$0.isWithinBar }
      }
      if failing.isEmpty { break }
      if isFirst, parts.count > 1, 4 * failing.count > 3 * parts.count {
        return .everywhere(judged)
      }
      open = failing.map {
        axis == .rows ? $0.ray.direction.box.rows : $0.ray.direction.box.columns
      }
      // Most of what was cut fails: it is wrong throughout, and cutting on would only list it.
      if !isFirst, failing.count > Self.parts / 2 { break }
      isFirst = false
    }
    return .ranges(Self.joined(open))
  }

  private static func cut(_ range: Range<Int>, into parts: Int) -> [Range<Int>] {
    let parts = min(parts, range.count)
    return (0..<parts).map { part in
      let first = range.lowerBound + part * range.count / parts
      return first..<range.lowerBound + (part + 1) * range.count / parts
    }
  }

  /// Ranges of several positions that touch are one.
  private static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
    ranges.reduce(into: []) { joined, range in
      if let last = joined.last, last.upperBound == range.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<range.upperBound
      } else {
        joined.append(range)
      }
    }
  }

  /// The multiple of the right gradient that the one given is along all of these rays; nil where it
  /// is none, or there are too few to tell.
  static func ratio(_ rays: [JudgedRay]) -> Double? {
    if rays.allSatisfy({ $0.ray.analytic == 0 }) { return 0 }
    let (cross, square) = rays.reduce((0.0, 0.0)) {
      let numeric = $1.measurement.numeric
      return ($0.0 + $1.ray.analytic * numeric, $0.1 + numeric * numeric)
    }
    let bars = rays.reduce(0) { $0 + $1.bar * $1.bar }
    let ratio = cross / square
    guard rays.count > 1, square > 1e4 * bars, ratio.isFinite,
      rays.allSatisfy({
        ($0.ray.analytic - ratio * $0.measurement.numeric).magnitude
          <= (1 + ratio.magnitude) * ($0.bar + $0.kinkWidth)
      })
    else { return nil }
    return ratio
  }
}
