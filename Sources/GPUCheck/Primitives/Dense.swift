import Kernels

/// z[s, o] = b[o] + Σ_k W[o, k]·x[s, k]. One weight or bias moves one unit of the output; one unit
/// of the input moves all of it, at the cost of one column of W. Twin of kernels/dense.cl.
package struct Dense: Primitive {
  package let layout: WeightLayout

  package var name: String { "dense" }

  // MARK: Shapes and strides

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 2 || inputs.count == 3 else {
      throw InputError("dense: found \(inputs.count) inputs, expected x, W and perhaps b")
    }
    guard inputs[0].count == 2, inputs[1].count == 2 else {
      throw InputError(
        "dense: found x \(inputs[0]) and W \(inputs[1]), expected two axes each")
    }
    let size = size(inputs)
    guard inputs[0][1] == size.ins else {
      throw InputError(
        "found W \(inputs[1]) for \(inputs[0][1]) inputs, expected \(layout.rawValue) with "
          + "in = \(inputs[0][1])")
    }
    if inputs.count == 3, inputs[2] != [size.outs] {
      throw InputError("found b \(inputs[2]), expected [\(size.outs)]")
    }
    return [size.samples, size.outs]
  }

  /// Extents, and W's strides along out and in.
  struct Size {
    var samples: Int
    var ins: Int
    var outs: Int
    var outStride: Int
    var inStride: Int
    /// Which unit a component of W belongs to, and which input it weighs.
    var out: LaneIndex
    var `in`: LaneIndex
  }

  func size(_ shapes: [[Int]]) -> Size {
    let (rows, columns) = (shapes[1][0], shapes[1][1])
    let byRow = LaneIndex(divisor: columns, modulus: rows)
    let byColumn = LaneIndex(divisor: 1, modulus: columns)
    return switch layout {
    case .outIn:
      Size(
        samples: shapes[0][0], ins: columns, outs: rows, outStride: columns, inStride: 1,
        out: byRow, in: byColumn)
    case .inOut:
      Size(
        samples: shapes[0][0], ins: rows, outs: columns, outStride: 1, inStride: columns,
        out: byColumn, in: byRow)
    }
  }

  // MARK: Baseline

  /// x·Wᵀ, or x·W: what the layer is without its bias.
  private var product: MatrixProduct {
    MatrixProduct(form: MatrixProductForm(transposeB: layout == .outIn))
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    var z = product.forward(inputs, shapes: shapes)
    if inputs.count > 2 {
      let outs = inputs[2].count
      for i in z.indices { z[i] += inputs[2][i % outs] }
    }
    return z
  }

  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    values.inputs.indices.map { .input($0) }
  }

  // MARK: Lanes

  package func laneIndices(_ step: LaneStep) -> [LaneIndex] {
    let size = size(step.inputShapes)
    if step.inputs[1] != nil { return [size.in, size.out] }
    if step.inputs.count > 2, step.inputs[2] != nil {
      return [LaneIndex(divisor: 1, modulus: size.outs)]
    }
    if case .slice(let slice) = step.inputs[0]?.layout { return [slice.index] }
    return []
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    let size = size(shapes)
    let unit = { (index: LaneIndex) in
      LaneLayout.slice(.init(axisLength: size.outs, inner: 1, index: index))
    }
    switch (inputs[0], inputs[1], inputs.count > 2 ? inputs[2] : nil) {
    case (.full, nil, nil): return .full
    case (.slice(let slice), nil, nil):
      return slice.inner == 1 && slice.axisLength == size.ins ? .full : nil
    case (nil, .slice, nil): return unit(size.out)
    case (nil, nil, .slice): return unit(LaneIndex(divisor: 1, modulus: size.outs))
    default:
      throw InputError(
        "dense: its input, weights and bias move in the same lane, which has no rule yet",
        remedy: "parameters shared between layers cannot be checked in this version")
    }
  }

  package func work(_ step: LaneStep) -> Double {
    let size = size(step.inputShapes)
    let outputs = Double(size.samples) * Double(size.outs)
    return switch step.inputs[0]?.layout {
    case .full: outputs * Double(size.ins)
    case .slice: outputs
    // A weight or a bias moves one unit.
    case nil: Double(size.samples)
    }
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(inputs: Array(shapes.indices))
  }

  /// Takes a chunk of CPU lanes through the layer.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    let size = size(call.step.inputShapes)
    let bias = call.coefficients.count > 2 ? call.coefficients[2] : nil
    if let moves = call.inputs[1] {
      weightLanes(call, size, moves, bias)
    } else if call.inputs.count > 2, let moves = call.inputs[2] {
      biasLanes(call, size, moves)
    } else if let input = call.inputs[0], let operand = call.step.inputs[0] {
      switch operand.layout {
      case .slice: sliceLanes(call, size, input, bias)
      case .full: fullLanes(call, size, input, call.mode == .value ? bias : nil)
      }
    }
  }

  private func weightLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ size: Size, _ moves: UnsafePointer<T>, _ bias: UnsafePointer<T>?
  ) {
    let (x, w) = (call.coefficients[0], call.coefficients[1])
    for s in 0..<size.samples {
      for lane in 0..<call.lanes {
        let moved = Int(call.indices[0][lane])
        if call.mode == .difference {
          call.output[s * call.lanes + lane] = moves[lane] * x[s * size.ins + moved]
        } else {
          let unit = Int(call.indices[1][lane])
          var sum: T = 0
          for k in 0..<size.ins {
            let weight = k == moved ? moves[lane] : w[unit * size.outStride + k * size.inStride]
            sum += weight * x[s * size.ins + k]
          }
          call.output[s * call.lanes + lane] = sum + (bias?[unit] ?? 0)
        }
      }
    }
  }

  private func biasLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ size: Size, _ moves: UnsafePointer<T>
  ) {
    let (x, w) = (call.coefficients[0], call.coefficients[1])
    for s in 0..<size.samples {
      for lane in 0..<call.lanes {
        var sum: T = 0
        if call.mode == .value {
          let unit = Int(call.indices[0][lane])
          for k in 0..<size.ins {
            sum += w[unit * size.outStride + k * size.inStride] * x[s * size.ins + k]
          }
        }
        call.output[s * call.lanes + lane] = sum + moves[lane]
      }
    }
  }

  private func sliceLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ size: Size, _ input: UnsafePointer<T>, _ bias: UnsafePointer<T>?
  ) {
    let (x, w) = (call.coefficients[0], call.coefficients[1])
    let lanes = call.lanes
    for o in 0..<size.outs {
      for lane in 0..<lanes {
        let unit = Int(call.indices[0][lane])
        let weight = w[o * size.outStride + unit * size.inStride]
        for s in 0..<size.samples {
          let at = (s * size.outs + o) * lanes + lane
          if call.mode == .difference {
            call.output[at] = weight * input[s * lanes + lane]
          } else {
            var sum: T = 0
            for k in 0..<size.ins {
              let value = k == unit ? input[s * lanes + lane] : x[s * size.ins + k]
              sum += w[o * size.outStride + k * size.inStride] * value
            }
            call.output[at] = sum + (bias?[o] ?? 0)
          }
        }
      }
    }
  }

  private func fullLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ size: Size, _ input: UnsafePointer<T>, _ bias: UnsafePointer<T>?
  ) {
    let w = call.coefficients[1]
    let lanes = call.lanes
    let sums = LaneSums(
      lanes: lanes, outs: size.outs, depth: size.ins, outStride: size.outStride,
      depthStride: size.inStride, rowStride: lanes, outputStride: lanes)
    for s in 0..<size.samples {
      let out = call.output + s * size.outs * lanes
      sums(w, input + s * size.ins * lanes, to: out)
      guard let bias else { continue }
      for o in 0..<size.outs {
        for lane in 0..<lanes { out[o * lanes + lane] += bias[o] }
      }
    }
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] {
    [KernelUnit(file: "dense.cl")] + MatrixProduct.units
  }

  package func launches(_ call: KernelCall) -> [Launch] {
    let size = size(call.step.inputShapes)
    let hasBias = call.coefficients.count > 2
    if call.inputs[1] != nil {
      return [
        Launch(
          arguments: DenseWeightArguments(call: call, size: size, hasBias: hasBias),
          global: call.global(over: size.samples))
      ]
    }
    if call.inputs.count > 2, call.inputs[2] != nil {
      return [
        Launch(
          arguments: DenseBiasArguments(call: call, size: size),
          global: call.global(over: size.samples))
      ]
    }
    if case .slice = call.step.inputs[0]?.layout {
      return [
        Launch(
          arguments: DenseSliceArguments(
            call: call, size: size, hasBias: hasBias),
          global: call.global(over: size.outs))
      ]
    }
    return [
      MatrixProduct.Sides(
        batches: 1, outs: size.outs, samples: size.samples, depth: size.ins,
        table: (0, size.outStride, size.inStride), moving: (0, size.ins, 1),
        result: (0, 1, size.outs)
      ).launch(
        call, table: call.coefficient(1), input: call.input(0),
        bias: hasBias && call.mode == .value ? call.coefficient(2) : .none)
    ]
  }

  // MARK: Rounding errors

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    var variance = product.forwardVariance(withoutBias(values), inputs: inputs)
    for (i, z) in values.output.enumerated() { variance[i] += unitVariance * z * z }
    return variance
  }

  /// The product's inputs and output.
  private func withoutBias(_ values: NodeValues) -> NodeValues {
    guard values.inputs.count > 2 else { return values }
    var values = values
    let bias = values.inputs[2]
    for i in values.output.indices { values.output[i] -= bias[i % bias.count] }
    return values
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let adjoints = product.backward(values, output, source)
    guard values.inputs.count > 2 else { return adjoints }
    return adjoints + [
      values.moving[2] ? biasAdjoint(output, source, size(values.shapes)) : nil
    ]
  }

  private func biasAdjoint(_ output: Adjoint, _ source: ErrorSource, _ size: Size) -> Adjoint {
    var adjoint = Adjoint(count: size.outs)
    for o in 0..<size.outs {
      var inherited = 0.0
      var sum = RoundedSum()
      for s in 0..<size.samples {
        inherited += output.variance[s * size.outs + o]
        sum.add(output.gradient[s * size.outs + o])
      }
      adjoint.gradient[o] = sum.total
      adjoint.variance[o] = inherited + sum.variance(source)
    }
    return adjoint
  }
}
