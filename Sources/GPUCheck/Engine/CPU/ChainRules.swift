// Element functions on a chain's way, each of two vectors of lanes.

/// Whether series serve all of so many steps.
@inline(__always)
private func areSmall<T: LaneReal>(_ d: UnsafePointer<T>, _ count: Int) -> Bool {
  let limit = T.smallStep
  var large: Int32 = 0
  for lane in 0..<count { large |= d[lane].magnitude <= limit ? 0 : 1 }
  return large == 0
}

/// f(z + d) − f(z) of eight lanes by the rule, in place, except where there is a series that serves.
@inline(__always)
private func applyRule<T: LaneReal, Rule: ElementRule>(
  _ rule: Rule.Type, _ d: UnsafeMutablePointer<T>, near: LaneVector<T>?, _ a: SIMD4<T>,
  _ policy: TiePolicy, _ flags: UnsafeMutablePointer<UInt32>,
  coefficient: (_ number: Int, _ lane: Int) -> T
) {
  let limit = T.smallStep
  var kinks = KinkMeter(tiePolicy: policy)
  for lane in 0..<LaneVector<T>.scalarCount {
    if let near, d[lane].magnitude <= limit {
      d[lane] = near[lane]
      continue
    }
    var c = SIMD4<T>()
    for k in 0..<rule.kernel.coefficients { c[k] = coefficient(k, lane) }
    kinks.flags = 0
    d[lane] = rule.difference(d[lane], c, a, &kinks)
    flags[lane] |= kinks.flags
  }
}

/// The function of the moved unit of each lane, in place.
struct UnitVisitor<T: LaneReal>: ElementVisitor {
  var walk: ChainWalk<T>
  var coefficients: Int
  var series: Int
  var attributes: SIMD4<Double>
  var policy: TiePolicy

  func visit<Rule: ElementRule>(_ rule: Rule.Type) {
    let width = LaneVector<T>.scalarCount
    let isSmall = series > 0 && areSmall(UnsafePointer(walk.moved), 2 * width)
    for vector in 0..<2 {
      let c = walk.terms(vector)
      let moved = walk.moved + vector * width
      let near =
        series > 0 ? sumSeries(UnsafePointer(moved).vector(0), c + coefficients * width) : nil
      if isSmall, let near {
        moved.store(near, 0)
      } else {
        applyRule(
          rule, moved, near: near, attributes.rounded(to: T.self), policy,
          walk.flags + vector * width
        ) { c[$0 * width + $1] }
      }
    }
  }
}

/// The function of all elements of a layer, each the same in all lanes, in place.
struct LayerVisitor<T: LaneReal>: ElementVisitor {
  /// `[outs, two vectors]`.
  var z: UnsafeMutablePointer<T>
  var outs: Int
  /// `[outs, coefficients and series]`.
  var table: UnsafePointer<T>
  var coefficients: Int
  var series: Int
  var attributes: SIMD4<Double>
  var policy: TiePolicy
  var flags: UnsafeMutablePointer<UInt32>

  func visit<Rule: ElementRule>(_ rule: Rule.Type) {
    let width = LaneVector<T>.scalarCount
    let a = attributes.rounded(to: T.self)
    let terms = coefficients + series
    withUnsafeTemporaryAllocation(of: T.self, capacity: 2 * width) { near in
      guard let near = near.baseAddress else { return }
      var o = 0
      while o < outs {
        let c = table + o * terms
        let steps = z + 2 * o * width
        if series > 0 {
          o += T.series(
            laneInstructionSet, elements: outs - o, c + coefficients, stride: terms, steps)
          guard steps == z + 2 * o * width else { continue }
          // Some lanes' steps are too large: the others have what they would have without them.
          for lane in 0..<2 * width {
            near[lane] = steps[lane].magnitude <= T.smallStep ? steps[lane] : 0
          }
          _ = T.series(laneInstructionSet, elements: 1, c + coefficients, stride: terms, near)
        }
        for vector in 0..<2 {
          let near = series > 0 ? UnsafePointer(near).vector(vector * width) : nil
          applyRule(
            rule, steps + vector * width, near: near, a, policy, flags + vector * width
          ) { k, _ in c[k] }
        }
        o += 1
      }
    }
  }
}

/// A cost whose elements are summed.
struct CostVisitor<T: LaneReal>: ElementVisitor {
  var z: UnsafePointer<T>
  var outs: Int
  var first: Int
  var tables: [ChainTable<T>]
  var walk: ChainWalk<T>
  var attributes: SIMD4<Double>
  var policy: TiePolicy

  func visit<Rule: ElementRule>(_ rule: Rule.Type) {
    let width = LaneVector<T>.scalarCount
    let a = attributes.rounded(to: T.self)
    for o in 0..<outs {
      walk.changes.update(from: z + 2 * o * width, count: 2 * width)
      for vector in 0..<2 {
        let change = walk.changes + vector * width
        applyRule(rule, change, near: nil, a, policy, walk.flags + vector * width) { k, _ in
          tables[k][first + o]
        }
        walk.add(UnsafePointer(change).vector(0), vector)
      }
    }
  }
}
