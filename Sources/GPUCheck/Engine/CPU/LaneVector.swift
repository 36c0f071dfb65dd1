/// Eight neighbouring lanes at once, for the loops that the CPU's lanes spend their time in.
package typealias LaneVector<T: LaneReal> = SIMD8<T>

extension SIMD8 where Scalar: LaneReal {
  /// Whether the squares' sum is less than the bound's square, so that every magnitude is less than the
  /// bound's; to look for the largest takes longer.
  @inline(__always)
  func areSurelyBelow(_ bound: Scalar) -> Bool {
    let squares = self * self
    let four = squares.lowHalf + squares.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1] < bound * bound
  }
}

extension UnsafePointer where Pointee: LaneReal {
  /// The eight numbers from `at` on.
  @inline(__always)
  func vector(_ at: Int) -> LaneVector<Pointee> {
    UnsafeRawPointer(self + at).loadUnaligned(as: LaneVector<Pointee>.self)
  }
}

extension UnsafeMutablePointer where Pointee: LaneReal {
  /// Stores eight numbers from `at` on.
  @inline(__always)
  func store(_ vector: LaneVector<Pointee>, _ at: Int) {
    UnsafeMutableRawPointer(self + at).storeBytes(of: vector, as: LaneVector<Pointee>.self)
  }
}

/// Adds a·b to the sums, lane by lane.
@inline(__always)
func addProducts<T: LaneReal>(
  _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ lanes: Int, to sums: UnsafeMutablePointer<T>
) {
  for lane in 0..<lanes { sums[lane] += a[lane] * b[lane] }
}

/// Series for small steps in the place of a library's call, as kernels/small.cl has them.
enum SmallStep {
  /// exp(x) − 1.
  @inline(__always)
  static func expMinusOne<T: LaneReal>(_ x: T) -> T {
    let (a, b): (T, T) = (1 / 120, 1 / 24)
    let (c, d): (T, T) = (1 / 6, 0.5)
    return x + x * x * (d + x * (c + x * (b + x * a)))
  }

  /// log(1 + x).
  @inline(__always)
  static func logOnePlus<T: LaneReal>(_ x: T) -> T {
    x - x * x * (0.5 - x * (1 / 3 - x * (0.25 - x / 5)))
  }

  /// log(1 + x) of eight lanes, each as it would be alone.
  @inline(__always)
  static func logOnePlus<T: LaneReal>(_ x: LaneVector<T>) -> LaneVector<T> {
    let (third, fifth): (T, T) = (1 / 3, 1 / 5)
    let (half, quarter): (T, T) = (0.5, 0.25)
    return x - x * x * (half - x * (third - x * (quarter - x * fifth)))
  }

  /// exp(x) − 1 of eight lanes, each as it would be alone.
  @inline(__always)
  static func expMinusOne<T: LaneReal>(_ x: LaneVector<T>) -> LaneVector<T> {
    let (a, b): (T, T) = (1 / 120, 1 / 24)
    let (c, d): (T, T) = (1 / 6, 0.5)
    return x + x * x * (d + x * (c + x * (b + x * a)))
  }
}
