import Kernels

extension Convolution {
  /// How x and W come to it in a lane: which rule serves them.
  enum Motion {
    /// x, all of it.
    case input
    /// W, all of it; x stands still or moves.
    case weights
    case both
    /// One weight.
    case weight(LaneIndex)
    /// x and one weight.
    case inputAndWeight(LaneIndex)
    /// One channel of x, in one group.
    case channel(LaneIndex)
    /// One channel of x and so one of y: every group has one of each.
    case depthwise(LaneIndex)
  }

  /// Nil where there is no rule for the layouts.
  func motion(_ inputs: [LaneLayout?], _ size: Extents, _ mode: LaneMode) -> Motion? {
    switch (inputs[0], inputs[1]) {
    case (.full, nil): return .input
    case (nil, .full): return .weights
    case (.full, .full): return .both
    case (let x, .slice(let slice)) where x == nil || x == .full:
      guard slice.inner == 1, slice.axisLength == size.filters * size.depth * size.taps else {
        return nil
      }
      return x == nil ? .weight(slice.index) : .inputAndWeight(slice.index)
    case (.slice(let slice), nil):
      guard slice.axisLength == size.channels, slice.inner == size.pixels else { return nil }
      if size.depth == 1, size.perGroup == 1 { return .depthwise(slice.index) }
      // Values of one channel say nothing of the rest of the sum.
      return size.groups == 1 && mode == .difference ? .channel(slice.index) : nil
    default: return nil
    }
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    let size = extents(shapes)
    switch motion(inputs, size, mode) {
    case nil: return nil
    case .input, .weights, .both, .inputAndWeight, .channel: return .full
    case .weight(let index):
      return LaneLayout(
        axisLength: size.filters, inner: size.positions,
        index: index.then(.digit(divisor: size.depth * size.taps, modulus: size.filters)))
    case .depthwise(let index):
      return LaneLayout(axisLength: size.filters, inner: size.positions, index: index)
    }
  }

  package func laneIndices(_ step: LaneStep) -> [LaneIndex] {
    let size = extents(step.inputShapes)
    // The mode only decides whether there is a rule; here there is one.
    switch motion(step.inputs.map { $0?.layout }, size, .difference) {
    case .weight(let index), .inputAndWeight(let index):
      return [
        index.then(.digit(divisor: size.depth * size.taps, modulus: size.filters)),
        index.then(.digit(divisor: size.taps, modulus: size.depth)),
        index.then(.digit(divisor: 1, modulus: size.taps)),
      ]
    case .channel(let index), .depthwise(let index): return [index]
    default: return []
    }
  }

  package func integerTables(shapes: [[Int]]) -> [[Int32]] { [pixels(extents(shapes))] }

  package func work(_ step: LaneStep) -> Double {
    let size = extents(step.inputShapes)
    let filters = Double(size.samples) * Double(size.filters)
    let taps = size.tapsInside
    let whole = filters * Double(size.depth) * taps
    // The mode only decides whether there is a rule; here there is one.
    return switch motion(step.inputs.map { $0?.layout }, size, .difference) {
    case nil: 0
    case .input, .weights: whole
    // ΔW·x and (W + ΔW)·Δx.
    case .both: 2 * whole
    case .weight: Double(size.samples * size.positions)
    case .inputAndWeight: whole + Double(size.samples * size.positions)
    case .channel: filters * taps
    case .depthwise: Double(size.samples) * taps
    }
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes { TableSizes(inputs: [0, 1]) }

  // MARK: CPU

  /// Takes a chunk of CPU lanes through the convolution.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    let size = extents(call.step.inputShapes)
    let (x, w) = (call.inputs[0], call.inputs[1])
    switch motion(call.step.inputs.map { $0?.layout }, size, call.mode) {
    case nil: return
    case .input: if let x { inputLanes(call, x, size) }
    case .weights: if let w { weightsLanes(call, nil, w, adds: false, size) }
    case .both:
      guard let x, let w else { return }
      if call.mode == .difference { inputLanes(call, x, size) }
      weightsLanes(call, x, w, adds: call.mode == .difference, size)
    case .weight: if let w { weightLanes(call, w, size) }
    case .inputAndWeight:
      guard let x, let w else { return }
      inputLanes(call, x, size)
      addWeightLanes(call, x, w, size)
    case .channel: if let x { channelLanes(call, x, size) }
    case .depthwise: if let x { depthwiseLanes(call, x, size) }
    }
  }

  /// Calls the body with each element of y: its number, sample, filter and position.
  private func forEach(_ size: Extents, _ body: (Int, Int, Int, Int) -> Void) {
    for e in 0..<size.samples * size.filters * size.positions {
      body(
        e, e / size.positions / size.filters, e / size.positions % size.filters, e % size.positions)
    }
  }

  /// Calls the body with each tap of a position that reads a pixel, and with that pixel.
  @inline(__always)
  private func forEachTap(
    of position: Int, _ pixel: UnsafePointer<Int32>, _ size: Extents,
    _ body: (_ tap: Int, _ source: Int) -> Void
  ) {
    for t in 0..<size.taps {
      let source = Int(pixel[t * size.positions + position])
      if source >= 0 { body(t, source) }
    }
  }

  private func inputLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ size: Extents
  ) {
    let lanes = call.lanes
    let (weights, pixel) = (call.coefficients[1], call.integers[0])
    let products = size.depth * size.taps
    // The terms of a position that lie on a pixel: where among a filter's weights, and the row.
    withUnsafeTemporaryAllocation(of: Int.self, capacity: max(1, 2 * products)) { terms in
      guard let weightAt = terms.baseAddress else { return }
      let rowAt = weightAt + products
      for e in 0..<size.samples * size.groups * size.positions {
        let (s, group, p) = (
          e / size.positions / size.groups, e / size.positions % size.groups, e % size.positions
        )
        var count = 0
        for c in 0..<size.depth {
          let channel = (s * size.channels + group * size.depth + c) * size.pixels
          forEachTap(of: p, pixel, size) { t, source in
            weightAt[count] = c * size.taps + t
            rowAt[count] = (channel + source) * lanes
            count += 1
          }
        }
        let first = group * size.perGroup
        let sums = LaneSums(
          lanes: lanes, outs: size.perGroup, depth: count, outStride: products,
          weightAt: weightAt, rowAt: rowAt, outputStride: size.positions * lanes)
        sums(
          weights + first * products, input,
          to: call.output + ((s * size.filters + first) * size.positions + p) * lanes)
      }
    }
  }

  private func weightsLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>?, _ moves: UnsafePointer<T>, adds: Bool,
    _ size: Extents
  ) {
    let lanes = call.lanes
    let (x, pixel) = (call.coefficients[0], call.integers[0])
    let useTable = call.mode == .difference || input == nil
    forEach(size) { e, s, filter, p in
      let out = call.output + e * lanes
      if !adds {
        for lane in 0..<lanes { out[lane] = 0 }
      }
      for c in 0..<size.depth {
        let channel = (s * size.channels + filter / size.perGroup * size.depth + c) * size.pixels
        forEachTap(of: p, pixel, size) { t, source in
          let still = useTable ? x[channel + source] : 0
          let weight = moves + ((filter * size.depth + c) * size.taps + t) * lanes
          for lane in 0..<lanes {
            out[lane] += (still + (input?[(channel + source) * lanes + lane] ?? 0)) * weight[lane]
          }
        }
      }
    }
  }

  private func weightLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ moves: UnsafePointer<T>, _ size: Extents
  ) {
    let lanes = call.lanes
    let (x, weights, pixel) = (call.coefficients[0], call.coefficients[1], call.integers[0])
    for e in 0..<size.samples * size.positions {
      let (s, p) = (e / size.positions, e % size.positions)
      for lane in 0..<lanes {
        let filter = Int(call.indices[0][lane])
        let (depth, tap) = (Int(call.indices[1][lane]), Int(call.indices[2][lane]))
        let first = s * size.channels + filter / size.perGroup * size.depth
        var sum: T = 0
        if call.mode == .difference {
          let source = Int(pixel[tap * size.positions + p])
          if source >= 0 { sum = moves[lane] * x[(first + depth) * size.pixels + source] }
        } else {
          for c in 0..<size.depth {
            forEachTap(of: p, pixel, size) { t, source in
              let isMoved = c == depth && t == tap
              let weight =
                isMoved ? moves[lane] : weights[(filter * size.depth + c) * size.taps + t]
              sum += weight * x[(first + c) * size.pixels + source]
            }
          }
        }
        call.output[e * lanes + lane] = sum
      }
    }
  }

  private func addWeightLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ moves: UnsafePointer<T>, _ size: Extents
  ) {
    let lanes = call.lanes
    let (x, weights, pixel) = (call.coefficients[0], call.coefficients[1], call.integers[0])
    for e in 0..<size.samples * size.positions {
      let (s, p) = (e / size.positions, e % size.positions)
      for lane in 0..<lanes {
        let filter = Int(call.indices[0][lane])
        let (depth, tap) = (Int(call.indices[1][lane]), Int(call.indices[2][lane]))
        let source = Int(pixel[tap * size.positions + p])
        if source < 0 { continue }
        let channel = s * size.channels + filter / size.perGroup * size.depth + depth
        let from = channel * size.pixels + source
        let at = ((s * size.filters + filter) * size.positions + p) * lanes + lane
        let moved = input[from * lanes + lane]
        if call.mode == .difference {
          call.output[at] += (x[from] + moved) * moves[lane]
        } else {
          let still = weights[(filter * size.depth + depth) * size.taps + tap]
          call.output[at] += moved * (moves[lane] - still)
        }
      }
    }
  }

  private func channelLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ size: Extents
  ) {
    let lanes = call.lanes
    let (weights, pixel) = (call.coefficients[1], call.integers[0])
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * size.taps) { terms in
      guard let weightAt = terms.baseAddress else { return }
      let rowAt = weightAt + size.taps
      // Neighbouring lanes of one channel go together.
      var first = 0
      while first < lanes {
        let channel = call.indices[0][first]
        var last = first + 1
        while last < lanes, call.indices[0][last] == channel { last += 1 }
        for e in 0..<size.samples * size.positions {
          let (s, p) = (e / size.positions, e % size.positions)
          var count = 0
          forEachTap(of: p, pixel, size) { t, source in
            weightAt[count] = Int(channel) * size.taps + t
            rowAt[count] = (s * size.pixels + source) * lanes
            count += 1
          }
          let sums = LaneSums(
            lanes: last - first, outs: size.filters, depth: count,
            outStride: size.channels * size.taps, weightAt: weightAt, rowAt: rowAt,
            outputStride: size.positions * lanes)
          sums(
            weights, input + first,
            to: call.output + (s * size.filters * size.positions + p) * lanes + first)
        }
        first = last
      }
    }
  }

  private func depthwiseLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ size: Extents
  ) {
    let lanes = call.lanes
    let (weights, pixel) = (call.coefficients[1], call.integers[0])
    for e in 0..<size.samples * size.positions {
      let (s, p) = (e / size.positions, e % size.positions)
      let out = call.output + e * lanes
      for lane in 0..<lanes { out[lane] = 0 }
      forEachTap(of: p, pixel, size) { t, source in
        let row = input + (s * size.pixels + source) * lanes
        for lane in 0..<lanes {
          out[lane] += weights[Int(call.indices[0][lane]) * size.taps + t] * row[lane]
        }
      }
    }
  }
}
