import Kernels

/// How a factor of a product comes to it in a lane.
enum FactorMotion: Equatable {
  case still
  case full
  /// One row of A, or one column of B: what C keeps of the factor.
  case free(LaneIndex)
  /// One block of so many positions of the axis that is summed over, mostly of one.
  case depth(LaneIndex, width: Int)
  /// One element.
  case single(LaneIndex)
}

extension MatrixProduct {
  /// The extents, the rows of all batches taken together where one B serves them all.
  func laneExtents(_ shapes: [[Int]]) -> Extents {
    var size = extents(shapes)
    if size.bBatches == 1, !form.transposeA {
      size.rows *= size.batches
      size.batches = 1
      size.aBatches = 1
    }
    return size
  }

  /// How A and B move; nil where one comes in a layout that has no rule.
  func motions(_ inputs: [LaneLayout?], _ size: Extents) -> (a: FactorMotion, b: FactorMotion)? {
    let a = motion(
      inputs[0], free: (size.rows, form.transposeA ? 1 : size.depth),
      depth: (size.depth, form.transposeA ? size.rows : 1),
      single: size.aBatches == 1 ? size.rows * size.depth : nil)
    let b = motion(
      inputs[1], free: (size.columns, form.transposeB ? size.depth : 1),
      depth: (size.depth, form.transposeB ? 1 : size.columns),
      single: size.bBatches == 1 ? size.depth * size.columns : nil)
    guard let a, let b else { return nil }
    return (a, b)
  }

  private func motion(
    _ layout: LaneLayout?, free: (length: Int, inner: Int), depth: (length: Int, inner: Int),
    single: Int?
  ) -> FactorMotion? {
    switch layout {
    case nil: return .still
    case .full: return .full
    case .slice(let slice):
      if slice.inner == 1, slice.axisLength == single { return .single(slice.index) }
      if (slice.axisLength, slice.inner) == free { return .free(slice.index) }
      let width = slice.inner / max(depth.inner, 1)
      if slice.inner == width * depth.inner, slice.axisLength * width == depth.length {
        return .depth(slice.index, width: width)
      }
      return nil
    }
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    let size = laneExtents(shapes)
    guard let motions = motions(inputs, size) else { return nil }
    let row = { LaneLayout(axisLength: size.rows, inner: size.columns, index: $0) }
    let column = { LaneLayout(axisLength: size.columns, inner: 1, index: $0) }
    switch motions {
    case (.full, .still), (.still, .full), (.full, .full), (.full, .single), (.single, .full):
      return .full
    case (.free(let index), .still): return row(index)
    case (.single(let index), .still): return row(index.then(aDigits(size).free))
    case (.still, .free(let index)): return column(index)
    case (.still, .single(let index)): return column(index.then(bDigits(size).free))
    // Values of such a slice say nothing of the rest of the sum.
    case (.depth, .still), (.still, .depth): return mode == .difference ? .full : nil
    default: return nil
    }
  }

  /// From an element of A or B to its positions.
  private func aDigits(_ size: Extents) -> (depth: LaneIndex.Step, free: LaneIndex.Step) {
    form.transposeA
      ? (.digit(divisor: size.rows, modulus: size.depth), .digit(divisor: 1, modulus: size.rows))
      : (.digit(divisor: 1, modulus: size.depth), .digit(divisor: size.depth, modulus: size.rows))
  }

  private func bDigits(_ size: Extents) -> (depth: LaneIndex.Step, free: LaneIndex.Step) {
    form.transposeB
      ? (
        .digit(divisor: 1, modulus: size.depth), .digit(divisor: size.depth, modulus: size.columns)
      )
      : (
        .digit(divisor: size.columns, modulus: size.depth),
        .digit(divisor: 1, modulus: size.columns)
      )
  }

  package func laneIndices(_ step: LaneStep) -> [LaneIndex] {
    let size = laneExtents(step.inputShapes)
    switch motions(step.inputs.map { $0?.layout }, size) {
    case (.single(let index), _)?:
      let digits = aDigits(size)
      return [index.then(digits.depth), index.then(digits.free)]
    case (_, .single(let index))?:
      let digits = bDigits(size)
      return [index.then(digits.depth), index.then(digits.free)]
    case (.depth(let index, _), _)?, (_, .depth(let index, _))?: return [index]
    default: return []
    }
  }

  package func work(_ step: LaneStep) -> Double {
    let size = laneExtents(step.inputShapes)
    guard let motions = motions(step.inputs.map { $0?.layout }, size) else { return 0 }
    let (rows, columns) = (Double(size.batches * size.rows), Double(size.batches * size.columns))
    let depth = Double(size.depth)
    let whole = rows * Double(size.columns)
    return switch motions {
    case (.full, .still), (.still, .full): whole * depth
    // ΔA·B and (A + ΔA)·ΔB.
    case (.full, .full): 2 * whole * depth
    case (.full, .single): whole * depth + rows
    case (.single, .full): whole * depth + columns
    case (.free, _): columns * depth
    case (_, .free): rows * depth
    case (.depth(_, let width), _), (_, .depth(_, let width)): whole * Double(width)
    case (.single, _): columns
    case (_, .single): rows
    case (.still, .still): 0
    }
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes { TableSizes(inputs: [0, 1]) }

  // MARK: Strides

  /// A product as the kernels see it: out(b, o, s) from one factor's (b, o, k) and the other's
  /// (b, s, k), the one a table, the other moving.
  struct Sides {
    var batches: Int
    var outs: Int
    var samples: Int
    var depth: Int
    var table: (batch: Int, out: Int, depth: Int)
    var moving: (batch: Int, sample: Int, depth: Int)
    var result: (batch: Int, out: Int, sample: Int)
  }

  /// The strides where A (else B) moves, perhaps one row (column) of it only.
  func sides(aMoves: Bool, isFree: Bool, _ size: Extents) -> Sides {
    let (rows, columns) = (size.rows, size.columns)
    // What is left of a factor, and of the result, where one row or column moves.
    if aMoves {
      return Sides(
        batches: size.batches, outs: columns, samples: isFree ? 1 : rows, depth: size.depth,
        table: (size.bStride, size.b.column, size.b.row),
        moving: isFree
          ? (size.aBatches == 1 ? 0 : size.depth, 0, 1) : (size.aStride, size.a.row, size.a.column),
        result: isFree ? (columns, 1, 0) : (rows * columns, 1, columns))
    }
    return Sides(
      batches: size.batches, outs: rows, samples: isFree ? 1 : columns, depth: size.depth,
      table: (size.aStride, size.a.row, size.a.column),
      moving: isFree
        ? (size.bBatches == 1 ? 0 : size.depth, 0, 1) : (size.bStride, size.b.column, size.b.row),
      result: isFree ? (rows, 1, 0) : (rows * columns, columns, 1))
  }

  // MARK: CPU

  /// Takes a chunk of CPU lanes through the product.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    let size = laneExtents(call.step.inputShapes)
    guard let motions = motions(call.step.inputs.map { $0?.layout }, size) else { return }
    let (a, b) = (call.inputs[0], call.inputs[1])
    switch motions {
    case (.full, .still), (.free, .still), (.still, .full), (.still, .free):
      tableLanes(call, motions, size)
    case (.full, .full):
      if call.mode == .difference { tableLanes(call, (.full, .still), size) }
      if let a, let b { bothLanes(call, a, b, size) }
    case (.single, .still): if let a { singleLanes(call, a, aMoves: true, size) }
    case (.still, .single): if let b { singleLanes(call, b, aMoves: false, size) }
    case (.depth(_, let width), .still):
      if let a { depthLanes(call, a, aMoves: true, width: width, size) }
    case (.still, .depth(_, let width)):
      if let b { depthLanes(call, b, aMoves: false, width: width, size) }
    case (.full, .single):
      tableLanes(call, (.full, .still), size)
      if let a, let b { addSingleLanes(call, single: b, full: a, aMoves: false, size) }
    case (.single, .full):
      tableLanes(call, (.still, .full), size)
      if let a, let b { addSingleLanes(call, single: a, full: b, aMoves: true, size) }
    default: return
    }
  }

  private func tableLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ motions: (a: FactorMotion, b: FactorMotion), _ size: Extents
  ) {
    let aMoves = motions.b == .still
    guard let input = call.inputs[aMoves ? 0 : 1] else { return }
    let isFree = aMoves ? motions.a != .full : motions.b != .full
    let sides = sides(aMoves: aMoves, isFree: isFree, size)
    let table = call.coefficients[aMoves ? 1 : 0]
    let lanes = call.lanes
    // Rows of a table that no cache holds lie pages apart: those of a few outputs are copied to where all
    // samples read them in order.
    let isPacked = sides.samples > 1 && sides.outs * sides.depth > Self.cached
    let block = isPacked ? Self.packedOuts : max(1, sides.outs)
    withUnsafeTemporaryAllocation(of: T.self, capacity: isPacked ? sides.depth * block : 1) {
      packed in
      guard let packed = packed.baseAddress else { return }
      for batch in 0..<sides.batches {
        for first in stride(from: 0, to: sides.outs, by: block) {
          let outs = min(block, sides.outs - first)
          var weights = table + batch * sides.table.batch + first * sides.table.out
          var strides = (out: sides.table.out, depth: sides.table.depth)
          if isPacked {
            for k in 0..<sides.depth {
              for o in 0..<outs {
                packed[k * block + o] = weights[k * strides.depth + o * strides.out]
              }
            }
            weights = UnsafePointer(packed)
            strides = (1, block)
          }
          let sums = LaneSums(
            lanes: lanes, outs: outs, depth: sides.depth, outStride: strides.out,
            depthStride: strides.depth, rowStride: sides.moving.depth * lanes,
            outputStride: sides.result.out * lanes)
          for s in 0..<sides.samples {
            let moving = batch * sides.moving.batch + s * sides.moving.sample
            let result =
              batch * sides.result.batch + first * sides.result.out + s * sides.result.sample
            sums(weights, input + moving * lanes, to: call.output + result * lanes)
          }
        }
      }
    }
  }

  /// Elements of a table that a core reads again and again without loss.
  private static let cached = 1 << 17
  /// Outputs whose part of a larger one is packed at a time: what goes through registers together, twice.
  private static let packedOuts = 12

  /// (A + ΔA)·ΔB added to what is there or, of values, A·B.
  private func bothLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ size: Extents
  ) {
    let lanes = call.lanes
    let isDifference = call.mode == .difference
    let table = call.coefficients[0]
    for batch in 0..<size.batches {
      for m in 0..<size.rows {
        for n in 0..<size.columns {
          let out = call.output + ((batch * size.rows + m) * size.columns + n) * lanes
          let left = batch * size.aStride + m * size.a.row
          let right = batch * size.bStride + n * size.b.column
          var lane = 0
          while lane + LaneVector<T>.scalarCount <= lanes {
            var sum = isDifference ? UnsafePointer(out).vector(lane) : LaneVector()
            for k in 0..<size.depth {
              let at = left + k * size.a.column
              let factor = a.vector(at * lanes + lane) + (isDifference ? table[at] : 0)
              sum += factor * b.vector((right + k * size.b.row) * lanes + lane)
            }
            out.store(sum, lane)
            lane += LaneVector<T>.scalarCount
          }
          while lane < lanes {
            var sum = isDifference ? out[lane] : 0
            for k in 0..<size.depth {
              let at = left + k * size.a.column
              let factor = a[at * lanes + lane] + (isDifference ? table[at] : 0)
              sum += factor * b[(right + k * size.b.row) * lanes + lane]
            }
            out[lane] = sum
            lane += 1
          }
        }
      }
    }
  }

  private func singleLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ moves: UnsafePointer<T>, aMoves: Bool, _ size: Extents
  ) {
    let single = single(aMoves: aMoves, size)
    let table = call.coefficients[aMoves ? 1 : 0]
    let own = call.coefficients[aMoves ? 0 : 1]
    let lanes = call.lanes
    for e in 0..<single.batches * single.samples {
      let row =
        table + e / single.samples * single.table.batch + e % single.samples * single.table.sample
      for lane in 0..<lanes {
        let moved = Int(call.indices[0][lane])
        if call.mode == .difference {
          call.output[e * lanes + lane] = moves[lane] * row[moved * single.table.depth]
        } else {
          let free = Int(call.indices[1][lane])
          var sum: T = 0
          for k in 0..<size.depth {
            let factor =
              k == moved ? moves[lane] : own[free * single.own.free + k * single.own.depth]
            sum += factor * row[k * single.table.depth]
          }
          call.output[e * lanes + lane] = sum
        }
      }
    }
  }

  private func depthLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, aMoves: Bool, width: Int, _ size: Extents
  ) {
    let sides = depthSides(aMoves: aMoves, width: width, size)
    let lanes = call.lanes
    // An output's weights of each lane's own block.
    withUnsafeTemporaryAllocation(of: T.self, capacity: width * lanes) { own in
      guard let own = own.baseAddress else { return }
      for batch in 0..<sides.batches {
        let table = call.coefficients[aMoves ? 1 : 0] + batch * sides.table.batch
        for o in 0..<sides.outs {
          for k in 0..<width {
            for lane in 0..<lanes {
              let at = Int(call.indices[0][lane]) * width + k
              own[k * lanes + lane] = table[o * sides.table.out + at * sides.table.depth]
            }
          }
          for s in 0..<sides.samples {
            let element =
              batch * sides.result.batch + o * sides.result.out + s * sides.result.sample
            let out = call.output + element * lanes
            for lane in 0..<lanes { out[lane] = 0 }
            for k in 0..<width {
              let moving =
                batch * sides.moving.batch + s * sides.moving.sample + k * sides.moving.depth
              addProducts(own + k * lanes, input + moving * lanes, lanes, to: out)
            }
          }
        }
      }
    }
  }

  /// The strides where of A (else B) one block of the summed axis moves: the other factor is a whole
  /// table, and what moves is stored without the rest of the axis.
  func depthSides(aMoves: Bool, width: Int, _ size: Extents) -> Sides {
    var sides = sides(aMoves: aMoves, isFree: false, size)
    // Along the axis elements stand one after the other, or whole rows of samples do.
    let isInner = sides.moving.depth == 1
    sides.moving = (
      (aMoves ? size.aBatches : size.bBatches) == 1 ? 0 : sides.samples * width,
      isInner ? width : 1, isInner ? 1 : sides.samples
    )
    return sides
  }

  private func addSingleLanes<T: LaneReal>(
    _ call: LaneCall<T>, single moves: UnsafePointer<T>, full: UnsafePointer<T>, aMoves: Bool,
    _ size: Extents
  ) {
    let single = single(aMoves: aMoves, size)
    let table = call.coefficients[aMoves ? 1 : 0]
    let own = call.coefficients[aMoves ? 0 : 1]
    let lanes = call.lanes
    for e in 0..<single.batches * single.samples {
      let (batch, s) = (e / single.samples, e % single.samples)
      for lane in 0..<lanes {
        let (k, free) = (Int(call.indices[0][lane]), Int(call.indices[1][lane]))
        let inside = s * single.table.sample + k * single.table.depth
        let moved = full[(batch * single.fullBatch + inside) * lanes + lane]
        let element =
          batch * single.result.batch + s * single.result.sample + free * single.result.free
        if call.mode == .difference {
          call.output[element * lanes + lane] +=
            (table[batch * single.table.batch + inside] + moved) * moves[lane]
        } else {
          let still = own[free * single.own.free + k * single.own.depth]
          call.output[element * lanes + lane] += moved * (moves[lane] - still)
        }
      }
    }
  }

  /// The strides where one element of A (else B) moves: the other factor's rows, and where the
  /// factor's own elements stand.
  struct Single {
    var batches: Int
    var samples: Int
    var table: (batch: Int, sample: Int, depth: Int)
    var own: (free: Int, depth: Int)
    /// From one batch to the next of the other factor where it moves, too.
    var fullBatch: Int
    var result: (batch: Int, sample: Int, free: Int)
  }

  func single(aMoves: Bool, _ size: Extents) -> Single {
    aMoves
      ? Single(
        batches: size.batches, samples: size.columns,
        table: (size.bStride, size.b.column, size.b.row), own: (size.a.row, size.a.column),
        fullBatch: size.bStride, result: (size.rows * size.columns, 1, size.columns))
      : Single(
        batches: size.batches, samples: size.rows,
        table: (size.aStride, size.a.row, size.a.column), own: (size.b.column, size.b.row),
        fullBatch: size.aStride, result: (size.rows * size.columns, size.columns, 1))
  }
}
