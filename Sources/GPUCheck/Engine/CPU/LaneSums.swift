import CLanes

/// Σ_k weight(k)·row(k) in every lane, for `outs` results: the innermost loop of whatever the host
/// multiplies. Sums are formed in the order of k, so that no lane depends on its neighbours.
struct LaneSums {
  private var shape: LaneProducts

  /// Weights of output o and term k at o·outStride + k·depthStride, the row of term k at k·rowStride,
  /// outputs of o at o·outputStride; a row and an output are `[lanes]`.
  init(
    lanes: Int, outs: Int, depth: Int, outStride: Int, depthStride: Int, rowStride: Int,
    outputStride: Int, adds: Bool = false
  ) {
    shape = LaneProducts(
      lanes: lanes, outs: outs, depth: depth, out_stride: outStride, depth_stride: depthStride,
      row_stride: rowStride, weight_at: nil, row_at: nil, output_stride: outputStride, adds: adds)
  }

  /// The same of terms that stand anywhere, as those of a convolution do: where each is among the
  /// weights of an output, and where its row begins.
  init(
    lanes: Int, outs: Int, depth: Int, outStride: Int, weightAt: UnsafePointer<Int>,
    rowAt: UnsafePointer<Int>, outputStride: Int
  ) {
    shape = LaneProducts(
      lanes: lanes, outs: outs, depth: depth, out_stride: outStride, depth_stride: 0,
      row_stride: 0, weight_at: weightAt, row_at: rowAt, output_stride: outputStride, adds: false)
  }

  /// Writes every output or, where the shape says so, adds to it.
  @inline(__always)
  func callAsFunction<T: LaneReal>(
    _ weights: UnsafePointer<T>, _ rows: UnsafePointer<T>, to outputs: UnsafeMutablePointer<T>
  ) {
    T.products(laneInstructionSet, shape, weights, rows, outputs)
  }
}
