import RealModule

// The rules of functions of two elements a and b: differences that are exact for every size of the
// steps da and db, and values. Twin of kernels/combine_rules.cl.

extension CombineFunction {
  /// The tables of the rule. Differences: the operands (multiply), y and b (divide), a − b and how
  /// near to 0 is a tie (maximum, minimum), a, b, y and log a (power), a − b and the truth
  /// (comparisons), a, b and ⌊a/b⌋ (modulo). Values: a and b, and what tells a branch that changed.
  func coefficients(
    _ a: [Double], _ b: [Double], _ y: [Double], mode: LaneMode, tolerance: (Int) -> Double
  ) -> [LaneTable] {
    func table(_ body: (Int) -> Double) -> LaneTable { .values(y.indices.map(body)) }
    let gap = { (i: Int) in a[i] - b[i] }
    switch (self, mode) {
    case (.add, .difference), (.subtract, .difference): return []
    case (.multiply, .difference): return [.values(a), .values(b)]
    case (.divide, .difference): return [.output, .values(b)]
    case (.maximum, .difference), (.minimum, .difference):
      return [table(gap), table(tolerance)]
    case (.power, .difference):
      return [.values(a), .values(b), .output, table { a[$0] > 0 ? Double.log(a[$0]) : 0 }]
    case (.greater, .difference), (.greaterOrEqual, .difference), (.equal, .difference):
      return [table(gap), .output]
    case (.modulo, .difference):
      return [.values(a), .values(b), table { (a[$0] / b[$0]).rounded(.down) }]
    case (.maximum, .value), (.minimum, .value):
      return [.values(a), .values(b), table(gap), table(tolerance)]
    case (.greater, .value), (.greaterOrEqual, .value), (.equal, .value):
      return [.values(a), .values(b), .output]
    case (.modulo, .value):
      return [.values(a), .values(b), table { (a[$0] / b[$0]).rounded(.down) }]
    case (_, .value): return [.values(a), .values(b)]
    }
  }

  /// The difference of eight lanes, each as it would be alone; nil for functions that go lane by lane.
  @inline(__always)
  func difference<T: LaneReal>(_ da: LaneVector<T>, _ db: LaneVector<T>, _ c: SIMD4<T>)
    -> LaneVector<T>?
  {
    switch self {
    case .add: da + db
    case .subtract: da - db
    case .multiply: da * c[1] + (c[0] + da) * db
    case .divide: (da - c[0] * db) / (c[1] + db)
    default: nil
    }
  }

  @inline(__always)
  func difference<T: LaneReal>(_ da: T, _ db: T, _ c: SIMD4<T>, _ kinks: inout KinkMeter) -> T {
    switch self {
    case .add: return da + db
    case .subtract: return da - db
    case .multiply: return da * c[1] + (c[0] + da) * db
    case .divide: return (da - c[0] * db) / (c[1] + db)
    case .maximum: return larger(c[0], da, db, c[1], &kinks)
    case .minimum: return -larger(-c[0], -da, -db, c[1], &kinks)
    case .power:
      if da == 0, db == 0 { return 0 }
      let growth = da / c[0]
      // A base that is 0, or comes to 0 or beyond, has no logarithm to go by.
      guard c[0] != 0, growth > -1 else { return T.pow(c[0] + da, c[1] + db) - c[2] }
      return c[2] * T.expMinusOne((c[1] + db) * T.log(onePlus: growth) + db * c[3])
    case .greater, .greaterOrEqual, .equal:
      let d = da - db
      // Infinities of one sign stay equal whatever moves them, and their gap is no number.
      if d == 0 || c[0].isNaN { return 0 }
      return changed(truth(c[0] + d, 0) - c[1], &kinks)
    case .modulo:
      let still = da - c[2] * db
      if da == 0, db == 0 { return 0 }
      let quotient = ((c[0] + da) / (c[1] + db)).rounded(.down)
      return still - changed(quotient - c[2], &kinks) * (c[1] + db)
    }
  }

  @inline(__always)
  func value<T: LaneReal>(_ a: T, _ b: T, _ c: SIMD4<T>, _ kinks: inout KinkMeter) -> T {
    switch self {
    case .add: return a + b
    case .subtract: return a - b
    case .multiply: return a * b
    case .divide: return a / b
    case .maximum, .minimum:
      if (a - b - c[2]).magnitude > c[3] { kinks.note(c[2], a - b, c[3]) }
      return (a > b) == (self == .maximum) ? a : b
    case .power: return T.pow(a, b)
    case .greater, .greaterOrEqual, .equal:
      let truth = truth(a, b)
      _ = changed(truth - c[2], &kinks)
      return truth
    case .modulo:
      let quotient = (a / b).rounded(.down)
      _ = changed(quotient - c[2], &kinks)
      return a - b * quotient
    }
  }

  /// Whether a comparison holds: 1 or 0.
  @inline(__always)
  private func truth<T: LaneReal>(_ a: T, _ b: T) -> T {
    switch self {
    case .greater: a > b ? 1 : 0
    case .greaterOrEqual: a >= b ? 1 : 0
    default: a == b ? 1 : 0
    }
  }

  /// A change of branch is noted.
  @inline(__always)
  private func changed<T: LaneReal>(_ change: T, _ kinks: inout KinkMeter) -> T {
    if change != 0 { kinks.flags |= LaneFlags.crossed.rawValue }
    return change
  }

  /// max(a + da, b + db) − max(a, b) from the gap m = a − b.
  @inline(__always)
  private func larger<T: LaneReal>(
    _ m: T, _ da: T, _ db: T, _ tolerance: T, _ kinks: inout KinkMeter
  ) -> T {
    let moved = m + (da - db)
    if da != db {
      kinks.note(m, moved, tolerance)
      if kinks.tiePolicy != .natural, m.magnitude <= tolerance {
        return kinks.tiePolicy == .low ? db : da
      }
    }
    if m > 0 { return moved >= 0 ? da : db - m }
    return moved <= 0 ? db : m + da
  }
}
