/// The textbook's products: the definition, term by term, in plain loops.
enum TextbookProducts {
  /// C[…, m, n] = Σ_k A[…, m, k]·B[…, k, n].
  static func matrixProduct(_ inputs: [[Double]], _ shapes: [[Int]], _ form: MatrixProductForm)
    -> [Double]
  {
    let (a, b) = (shapes[0].suffix(2), shapes[1].suffix(2))
    guard let aRows = a.first, let aColumns = a.last, let bRows = b.first, let bColumns = b.last
    else { return [] }
    let (m, depth) = form.transposeA ? (aColumns, aRows) : (aRows, aColumns)
    let n = form.transposeB ? bRows : bColumns
    let (aMatrices, bMatrices) = (
      inputs[0].count / max(1, m * depth), inputs[1].count / max(1, depth * n)
    )
    let matrices = max(aMatrices, bMatrices)
    var c = [Double](repeating: 0, count: matrices * m * n)
    inputs[0].withUnsafeBufferPointer { a in
      inputs[1].withUnsafeBufferPointer { b in
        for matrix in 0..<matrices {
          let aFirst = (aMatrices == 1 ? 0 : matrix) * m * depth
          let bFirst = (bMatrices == 1 ? 0 : matrix) * depth * n
          for i in 0..<m {
            for j in 0..<n {
              var sum = 0.0
              for k in 0..<depth {
                let left = form.transposeA ? a[aFirst + k * m + i] : a[aFirst + i * depth + k]
                let right = form.transposeB ? b[bFirst + j * depth + k] : b[bFirst + k * n + j]
                sum += left * right
              }
              c[(matrix * m + i) * n + j] = sum
            }
          }
        }
      }
    }
    return c
  }

  /// y[s, o, p] = Σ over the channels c of o's group and the window's taps t of
  /// W[o, c, t]·x[s, c, p·stride + t·dilation − padding], x being 0 outside.
  static func convolution(_ inputs: [[Double]], _ shapes: [[Int]], _ form: ConvolutionForm)
    -> [Double]
  {
    // One and two spatial axes are three of which the first have one element.
    func axes(_ own: [Int], missing: Int) -> SIMD3<Int> {
      SIMD3([Int](repeating: missing, count: 3 - own.count) + own)
    }
    let x = axes(Array(shapes[0].dropFirst(2)), missing: 1)
    let w = axes(Array(shapes[1].dropFirst(2)), missing: 1)
    let stride = axes(form.strides, missing: 1)
    let dilation = axes(form.dilations, missing: 1)
    let before = axes(form.padding.map(\.before), missing: 0)
    let after = axes(form.padding.map(\.after), missing: 0)
    let reach = dilation &* (w &- 1) &+ 1
    let out = (x &+ before &+ after &- reach) / stride &+ 1
    let (samples, channels) = (shapes[0][0], shapes[0][1])
    let (filters, depth) = (shapes[1][0], shapes[1][1])
    let perGroup = filters / form.groups
    var y = [Double](repeating: 0, count: samples * filters * out[0] * out[1] * out[2])
    var at = 0
    inputs[0].withUnsafeBufferPointer { input in
      inputs[1].withUnsafeBufferPointer { weight in
        for s in 0..<samples {
          for o in 0..<filters {
            let firstChannel = s * channels + o / perGroup * depth
            for p0 in 0..<out[0] {
              for p1 in 0..<out[1] {
                for p2 in 0..<out[2] {
                  var sum = 0.0
                  for c in 0..<depth {
                    for t0 in 0..<w[0] {
                      let i0 = p0 * stride[0] + t0 * dilation[0] - before[0]
                      if i0 < 0 || i0 >= x[0] { continue }
                      for t1 in 0..<w[1] {
                        let i1 = p1 * stride[1] + t1 * dilation[1] - before[1]
                        if i1 < 0 || i1 >= x[1] { continue }
                        let taps = (((o * depth + c) * w[0] + t0) * w[1] + t1) * w[2]
                        let pixels = (((firstChannel + c) * x[0] + i0) * x[1] + i1) * x[2]
                        for t2 in 0..<w[2] {
                          let i2 = p2 * stride[2] + t2 * dilation[2] - before[2]
                          if i2 < 0 || i2 >= x[2] { continue }
                          sum += weight[taps + t2] * input[pixels + i2]
                        }
                      }
                    }
                  }
                  y[at] = sum
                  at += 1
                }
              }
            }
          }
        }
      }
    }
    return y
  }
}
