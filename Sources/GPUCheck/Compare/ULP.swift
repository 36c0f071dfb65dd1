import Kernels

/// How many numbers of a precision lie between two, one of the ends included: 0 for equal numbers
/// (and for −0 and 0), 1 for neighbours. Both are rounded to the precision first. nil where either
/// is not a number.
///
/// The bits of IEEE numbers, read as sign and magnitude, count them in order (Bruce Dawson,
/// "Comparing Floating Point Numbers, 2012 Edition").
package func ulpDistance(_ a: Double, _ b: Double, _ precision: Precision) -> UInt64? {
  guard !a.isNaN, !b.isNaN else { return nil }
  func place(_ value: Double) -> Int64 {
    let magnitude: UInt64 =
      switch precision {
      case .f32: UInt64(Float(value.magnitude).bitPattern)
      case .f64: value.magnitude.bitPattern
      }
    let signed = Int64(bitPattern: magnitude)
    return value.sign == .minus ? -signed : signed
  }
  let (first, second) = (place(a), place(b))
  // Between the largest numbers of both signs there are more than Int64 counts.
  return UInt64(bitPattern: max(first, second) &- min(first, second))
}

/// The distance of a value from another in units in the last place of the other.
package func ulps(_ value: Double, from other: Double, _ precision: Precision) -> Double {
  let spacing =
    switch precision {
    case .f32: Double(Float(other.magnitude).ulp)
    case .f64: other.magnitude.ulp
    }
  return (value - other).magnitude / spacing
}

/// How many components lie how far apart in ULP: 0, 1, 2–3, 4–7, …, each bucket twice as wide as the
/// one before.
public struct ULPHistogram: Sendable, Equatable {
  /// The counts, up to the last bucket that holds any.
  public private(set) var counts: [Int] = []
  /// Components of which at least one side is not a number.
  public private(set) var notNumbers = 0

  public init() {}

  /// Counts one distance, as `ulpDistance` gives it.
  package mutating func add(_ distance: UInt64?) {
    guard let distance else {
      notNumbers += 1
      return
    }
    let bucket = UInt64.bitWidth - distance.leadingZeroBitCount
    if counts.count <= bucket {
      counts += [Int](repeating: 0, count: bucket + 1 - counts.count)
    }
    counts[bucket] += 1
  }

  /// The distances of a bucket: 0...0, 1...1, 2...3, 4...7.
  public static func range(ofBucket bucket: Int) -> ClosedRange<UInt64> {
    guard bucket > 0 else { return 0...0 }
    let first: UInt64 = 1 << UInt64(min(bucket, UInt64.bitWidth) - 1)
    return first...(first - 1 + first)
  }
}
