/// Eight neighbouring lanes at once, for the loops that the CPU's lanes spend their time in.
typealias LaneVector<T: LaneReal> = SIMD8<T>

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

/// Σ_k weight(k)·row(k) in every lane, for `outs` results at a time: the innermost loop of dense
/// layers and matrix products. Sums are formed in the order of k.
///
/// - Parameters:
///   - weights: of output o and term k at o·outStride + k·depthStride.
///   - rows: of term k at k·rowStride, `[lanes]`.
///   - outputs: of output o at o·outputStride, `[lanes]`; every one is written.
func laneProducts<T: LaneReal>(
  lanes: Int, outs: Int, depth: Int,
  weights: UnsafePointer<T>, outStride: Int, depthStride: Int,
  rows: UnsafePointer<T>, rowStride: Int,
  outputs: UnsafeMutablePointer<T>, outputStride: Int
) {
  laneProducts(
    lanes: lanes, outs: outs, depth: depth, weights: weights, outStride: outStride,
    weightAt: { $0 * depthStride }, rows: rows, rowAt: { $0 * rowStride }, outputs: outputs,
    outputStride: outputStride)
}

/// The same of terms that stand anywhere, as those of a convolution do.
///
/// - Parameters:
///   - weightAt: where term k stands among the weights of an output.
///   - rowAt: where the row of term k begins.
@inline(__always)
func laneProducts<T: LaneReal>(
  lanes: Int, outs: Int, depth: Int,
  weights: UnsafePointer<T>, outStride: Int, weightAt: (Int) -> Int,
  rows: UnsafePointer<T>, rowAt: (Int) -> Int,
  outputs: UnsafeMutablePointer<T>, outputStride: Int
) {
  var o = 0
  while o < outs {
    // Two outputs share every row that is read; a single one that is left over stands for both.
    let second = min(o + 1, outs - 1)
    let (w0, w1) = (weights + o * outStride, weights + second * outStride)
    let (out0, out1) = (outputs + o * outputStride, outputs + second * outputStride)
    var lane = 0
    while lane + 8 <= lanes {
      var sum0 = LaneVector<T>()
      var sum1 = LaneVector<T>()
      for k in 0..<depth {
        let row = rows.vector(rowAt(k) + lane)
        sum0 += row * w0[weightAt(k)]
        sum1 += row * w1[weightAt(k)]
      }
      out0.store(sum0, lane)
      out1.store(sum1, lane)
      lane += 8
    }
    while lane < lanes {
      var sum0: T = 0
      var sum1: T = 0
      for k in 0..<depth {
        let row = rows[rowAt(k) + lane]
        sum0 += row * w0[weightAt(k)]
        sum1 += row * w1[weightAt(k)]
      }
      out0[lane] = sum0
      out1[lane] = sum1
      lane += 1
    }
    o += 2
  }
}

/// Series for small steps in the place of a library's call, as kernels/small.cl has them.
enum SmallStep {
  /// Up to here their own error is below half a unit in the last place.
  @inline(__always)
  static func limit<T: LaneReal>(_: T.Type) -> T {
    T.precision == .f64 ? 0x1p-12 : 0x1p-6
  }

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
