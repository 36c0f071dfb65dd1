import Kernels

/// y[s, o, p] = Σ W[o, c, t]·x[s, c, p·stride + t·dilation − padding] over the channels c of o's
/// group and the window's taps t. x, W or both may move. One weight moves one channel of the
/// output; one channel of the input moves all of it, at the cost of that channel. One and two
/// spatial axes are taken as three. Twin of kernels/convolution.cl.
package struct Convolution: Primitive {
  package let form: ConvolutionForm

  package var name: String { "convolution" }

  // MARK: Extents

  /// Everything by three spatial axes.
  struct Extents {
    var samples: Int
    var channels: Int
    var filters: Int
    var groups: Int
    var input: [Int]
    var window: [Int]
    var output: [Int]
    var stride: [Int]
    var dilation: [Int]
    var before: [Int]

    /// Input channels of a group, and filters of one.
    var depth: Int { channels / groups }
    var perGroup: Int { filters / groups }
    var pixels: Int { input.reduce(1, *) }
    var taps: Int { window.reduce(1, *) }
    var positions: Int { output.reduce(1, *) }

    /// Pairs of a tap and a position whose pixel is none of the padding's: what `pixels` holds of them,
    /// axis by axis.
    var tapsInside: Double {
      (0..<3).reduce(1) { product, axis in
        let inside = (0..<window[axis]).reduce(0) { count, tap in
          let first = tap * dilation[axis] - before[axis]
          return count
            + (0..<output[axis]).count {
              (0..<input[axis]).contains($0 * stride[axis] + first)
            }
        }
        return product * Double(inside)
      }
    }
  }

  func extents(_ shapes: [[Int]]) -> Extents {
    let missing = max(0, 3 - form.strides.count)
    let ones = [Int](repeating: 1, count: missing)
    let zeros = [Int](repeating: 0, count: missing)
    let input = ones + shapes[0].dropFirst(2)
    let window = ones + shapes[1].dropFirst(2)
    let (stride, dilation) = (ones + form.strides, ones + form.dilations)
    let (before, after) = (zeros + form.padding.map(\.before), zeros + form.padding.map(\.after))
    let output = (0..<3).map { axis in
      let room = input[axis] + before[axis] + after[axis] - dilation[axis] * (window[axis] - 1) - 1
      return room < 0 ? 0 : room / stride[axis] + 1
    }
    return Extents(
      samples: shapes[0][0], channels: shapes[0][1], filters: shapes[1][0], groups: form.groups,
      input: input, window: window, output: output, stride: stride, dilation: dilation,
      before: before)
  }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    let axes = form.strides.count
    guard inputs.count == 2, (1...3).contains(axes), inputs[0].count == axes + 2,
      inputs[1].count == axes + 2, form.dilations.count == axes, form.padding.count == axes
    else {
      throw InputError(
        "convolution: found x and W \(inputs), expected one to three spatial axes each")
    }
    let (x, w) = (inputs[0], inputs[1])
    guard form.groups > 0, x[1] % form.groups == 0, w[0] % form.groups == 0,
      x[1] / form.groups == w[1], form.strides.allSatisfy({ $0 > 0 }),
      form.dilations.allSatisfy({ $0 > 0 }), w.allSatisfy({ $0 > 0 })
    else {
      throw InputError(
        "convolution: found W \(w) for x \(x) in \(form.groups) groups, expected [out, in / groups, …]"
      )
    }
    let output = extents(inputs).output
    guard output.allSatisfy({ $0 > 0 }) else {
      throw InputError("convolution: the window \(w.dropFirst(2)) is larger than x \(x)")
    }
    return [x[0], w[0]] + output.suffix(axes)
  }

  // MARK: Baseline

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    product(inputs[0], inputs[1], extents(shapes))
  }

  /// For every tap and position of a group the input's pixel (−1: padding), `[taps, positions]`.
  func pixels(_ size: Extents) -> [Int32] {
    var table: [Int32] = []
    table.reserveCapacity(size.taps * size.positions)
    var inside = [0, 0, 0]
    for tap in 0..<size.taps {
      let t = unravel(tap, shape: size.window)
      for p0 in 0..<size.output[0] {
        inside[0] = p0 * size.stride[0] + t[0] * size.dilation[0] - size.before[0]
        for p1 in 0..<size.output[1] {
          inside[1] = p1 * size.stride[1] + t[1] * size.dilation[1] - size.before[1]
          for p2 in 0..<size.output[2] {
            inside[2] = p2 * size.stride[2] + t[2] * size.dilation[2] - size.before[2]
            let isInside = (0..<3).allSatisfy { 0 <= inside[$0] && inside[$0] < size.input[$0] }
            table.append(
              isInside
                ? Int32((inside[0] * size.input[1] + inside[1]) * size.input[2] + inside[2]) : -1)
          }
        }
      }
    }
    return table
  }

  /// The windows of one sample and group, `[depth · taps, positions]`.
  private func windows(_ x: [Double], sample: Int, group: Int, _ size: Extents, _ table: [Int32])
    -> [Double]
  {
    [Double](unsafeUninitializedCapacity: size.depth * table.count) { windows, filled in
      x.withUnsafeBufferPointer { x in
        table.withUnsafeBufferPointer { table in
          for c in 0..<size.depth {
            let first = (sample * size.channels + group * size.depth + c) * size.pixels
            for (at, pixel) in table.enumerated() {
              windows[c * table.count + at] = pixel < 0 ? 0 : x[first + Int(pixel)]
            }
          }
        }
      }
      filled = size.depth * table.count
    }
  }

  private func product(_ x: [Double], _ w: [Double], _ size: Extents) -> [Double] {
    let table = pixels(size)
    let depth = size.depth * size.taps
    // Samples go side by side where one's product is too little to be shared among the cores.
    let isSmall = !isShared(rows: size.perGroup, depth: depth, columns: size.positions)
    return mapElements(size.samples, piece: isSmall ? 1 : size.samples) { sample in
      var y = [Double].unwritten(size.filters * size.positions)
      for group in 0..<size.groups {
        let windows = windows(x, sample: sample, group: group, size, table)
        let first = group * size.perGroup
        addProduct(
          rows: size.perGroup, depth: depth, columns: size.positions, w,
          MatrixView(offset: first * depth, row: depth, column: 1), windows,
          MatrixView(row: size.positions, column: 1), to: &y, first * size.positions, adds: false)
      }
      return y
    }.flatMap(\.self)
  }

  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    [.input(0), .input(1)]
  }

  // MARK: Rounding errors

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    let size = extents(values.shapes)
    return productVariance(values, inputs, terms: size.depth * size.taps) { product($0, $1, size) }
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let size = extents(values.shapes)
    return [
      values.moving[0]
        ? adjoint(
          output, values.inputs[1], source.variance(1), .backPropagation(inputVariances: []),
          terms: size.perGroup * size.taps
        ) { inputProduct($0, $1, size) } : nil,
      values.moving[1]
        ? adjoint(
          output, values.inputs[0], source.variance(0), source, terms: size.samples * size.positions
        ) { weightProduct($0, $1, size) } : nil,
    ]
  }

  /// Σ over filters, taps and positions of g·w, where each pixel is used.
  private func inputProduct(_ g: [Double], _ w: [Double], _ size: Extents) -> [Double] {
    let table = pixels(size)
    let depth = size.depth * size.taps
    var x = [Double](repeating: 0, count: size.samples * size.channels * size.pixels)
    for sample in 0..<size.samples {
      for group in 0..<size.groups {
        let first = group * size.perGroup
        var windows = [Double].unwritten(depth * size.positions)
        addProduct(
          rows: depth, depth: size.perGroup, columns: size.positions, w,
          MatrixView(offset: first * depth, row: 1, column: depth), g,
          MatrixView(
            offset: (sample * size.filters + first) * size.positions, row: size.positions,
            column: 1), to: &windows, adds: false)
        x.withUnsafeMutableBufferPointer { x in
          windows.withUnsafeBufferPointer { windows in
            for c in 0..<size.depth {
              let pixel = (sample * size.channels + group * size.depth + c) * size.pixels
              for (at, source) in table.enumerated() where source >= 0 {
                x[pixel + Int(source)] += windows[c * table.count + at]
              }
            }
          }
        }
      }
    }
    return x
  }

  /// Σ over samples and positions of g·x, where each weight is used.
  private func weightProduct(_ g: [Double], _ x: [Double], _ size: Extents) -> [Double] {
    let table = pixels(size)
    let depth = size.depth * size.taps
    var w = [Double](repeating: 0, count: size.filters * depth)
    for sample in 0..<size.samples {
      for group in 0..<size.groups {
        let first = group * size.perGroup
        addProduct(
          rows: size.perGroup, depth: size.positions, columns: depth, g,
          MatrixView(
            offset: (sample * size.filters + first) * size.positions, row: size.positions,
            column: 1),
          windows(x, sample: sample, group: group, size, table),
          MatrixView(row: 1, column: size.positions), to: &w, first * depth, adds: true)
      }
    }
    return w
  }
}
