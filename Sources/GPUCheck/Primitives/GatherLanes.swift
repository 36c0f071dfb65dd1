import Kernels
import RealModule

extension Gather {
  /// What of a map the lanes of a layout see: where one position of an outer or inner axis moves,
  /// that axis has one element.
  struct View {
    var outer: Int
    var inner: Int
    /// The slice of the input; nil where all of it moves.
    var slice: LaneLayout.Slice?

    /// The element of the whole input or output that a stored one stands for.
    @inline(__always)
    func base(_ element: Int, _ index: Int) -> Int { slice?.base(element, index) ?? element }
  }

  /// How the input comes in a lane.
  enum Motion {
    case whole(View)
    /// One element, which goes to one place or nowhere.
    case moved(LaneIndex, ElementMove)
    /// One element that goes to many places.
    case single(LaneIndex)
  }

  /// Nil where there is no rule for the layout.
  func motion(_ layout: LaneLayout?, _ count: Int) -> Motion? {
    let block = max(1, map.columns * map.inner)
    let outer = count / block
    switch layout {
    case nil: return nil
    case .full: return .whole(View(outer: outer, inner: map.inner, slice: nil))
    case .slice(let slice):
      let span = slice.axisLength * slice.inner
      if map.inner % span == 0 {
        return .whole(View(outer: outer, inner: map.inner / slice.axisLength, slice: slice))
      }
      if slice.inner % block == 0 {
        return .whole(View(outer: outer / slice.axisLength, inner: map.inner, slice: slice))
      }
      guard reduction == .sum, slice.inner == 1, slice.axisLength == count else { return nil }
      if let move = elementMove { return .moved(slice.index, move) }
      return .single(slice.index)
    }
  }

  /// Where each column goes, if none goes to several rows and no row is a sum.
  private var elementMove: ElementMove? {
    guard map.weights == nil else { return nil }
    var row = [Int32](repeating: -1, count: map.columns)
    for r in 0..<map.rows {
      guard map.starts[r + 1] - map.starts[r] <= 1 else { return nil }
      for k in map.starts[r]..<map.starts[r + 1] {
        let column = Int(map.sources[Int(k)])
        guard row[column] < 0 else { return nil }
        row[column] = Int32(r)
      }
    }
    return ElementMove(columns: map.columns, rows: map.rows, inner: map.inner, row: row)
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    let count = shapes[0].reduce(1, *)
    switch motion(inputs[0], count) {
    case nil: return nil
    case .whole(let view):
      guard let slice = view.slice else { return .full }
      let block = max(1, map.columns * map.inner)
      // An outer axis has the output's blocks behind it.
      let inner =
        slice.inner % block == 0 && map.inner % (slice.axisLength * slice.inner) != 0
        ? slice.inner / block * map.rows * map.inner : slice.inner
      return LaneLayout(axisLength: slice.axisLength, inner: inner, index: slice.index)
    case .moved(let index, let move):
      return LaneLayout(
        axisLength: map.outputShape.reduce(1, *), inner: 1, index: index.then(.move(move)))
    case .single(let index):
      return LaneLayout(
        axisLength: map.inner, inner: 1, index: index.then(.digit(divisor: 1, modulus: map.inner)))
    }
  }

  package func laneIndices(_ step: LaneStep) -> [LaneIndex] {
    let count = step.inputShapes[0].reduce(1, *)
    switch motion(step.inputs[0]?.layout, count) {
    case nil: return []
    case .whole(let view): return view.slice.map { [$0.index] } ?? []
    case .moved(let index, let move): return [index.then(.isMoved(move))]
    case .single(let index):
      let block = max(1, map.columns * map.inner)
      return [
        index.then(.digit(divisor: block, modulus: max(1, count / block))),
        index.then(.digit(divisor: map.inner, modulus: map.columns)),
        index.then(.digit(divisor: 1, modulus: map.inner)),
      ]
    }
  }

  /// The same of a step that was planned, without looking the map through again.
  func motion(of step: LaneStep) -> StepMotion {
    let count = step.inputShapes[0].reduce(1, *)
    if case .slice(let slice) = step.inputs[0]?.layout, slice.inner == 1,
      slice.axisLength == count, map.inner % slice.axisLength != 0, map.columns * map.inner != 1
    {
      return step.indices.count == 1 ? .moved : .single
    }
    if case .whole(let view)? = motion(step.inputs[0]?.layout, count) { return .whole(view) }
    return .none
  }

  enum StepMotion {
    case none, moved, single
    case whole(View)
  }

  /// The terms of what the output is made of.
  package func work(_ step: LaneStep) -> Double {
    let terms = Double(map.sources.count)
    switch motion(of: step) {
    case .none: return 0
    case .moved: return 1
    case .single:
      let block = max(1, map.columns * map.inner)
      return terms * Double(step.inputShapes[0].reduce(1, *) / block)
    case .whole(let view): return terms * Double(view.outer * view.inner)
    }
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    let count = shapes[0].reduce(1, *)
    return switch reduction {
    case .sum: TableSizes(elements: map.weights?.count ?? 0)
    case .maximum: TableSizes(inputs: [0], hasOutput: true, elements: count)
    case .product: TableSizes(inputs: [0])
    case .logSumExp: TableSizes(elements: count)
    }
  }

  // MARK: Tables

  /// Sums: the weights, the input (values of single elements), the output's first element. Maxima:
  /// x, how close to the largest is a tie, y. Products: x. Log-sum-exps: e^(x − y).
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    switch reduction {
    case .sum:
      return [
        map.weights.map { .values($0) } ?? .none, mode == .value ? .input(0) : .none,
        mode == .value ? .values([values.output.first ?? 0]) : .none,
      ]
    case .maximum:
      return [
        .input(0), .values(values.inputs[0].indices.map { 2 * ties[0, $0] }), .output,
      ]
    case .product: return [.input(0)]
    case .logSumExp:
      var p = [Double](repeating: 0, count: values.inputs[0].count)
      forEach(p.count) { element, first, range in
        for k in range {
          let at = first + Int(map.sources[k]) * map.inner
          p[at] = Double.exp(values.inputs[0][at] - values.output[element])
        }
      }
      return [.values(p)]
    }
  }

  package func integerTables(shapes: [[Int]]) -> [[Int32]] { [map.starts, map.sources] }

  // MARK: CPU

  /// Takes a chunk of CPU lanes through the map.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let input = call.inputs[0] else { return }
    switch motion(of: call.step) {
    case .none: return
    case .moved:
      for lane in 0..<call.lanes {
        let nowhere = call.mode == .value ? call.coefficients[2][0] : 0
        call.output[lane] = call.indices[0][lane] != 0 ? input[lane] : nowhere
      }
    case .single: singleLanes(call, input)
    case .whole(let view):
      switch reduction {
      case .sum: sumLanes(call, input, view)
      case .maximum: maximumLanes(call, input, view)
      case .product: productLanes(call, input, view)
      case .logSumExp: logSumExpLanes(call, input, view)
      }
    }
  }

  /// Calls the body with each stored element of the output, the first of its inputs and its terms.
  @inline(__always)
  private func forEach<T: LaneReal>(
    _ call: LaneCall<T>, _ view: View, _ body: (Int, Int, Range<Int>) -> Void
  ) {
    for e in 0..<view.outer * map.rows * view.inner {
      let row = e / view.inner % map.rows
      body(
        e, e / view.inner / map.rows * map.columns * view.inner + e % view.inner,
        Int(call.integers[0][row])..<Int(call.integers[0][row + 1]))
    }
  }

  private func sumLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ view: View
  ) {
    let lanes = call.lanes
    let weights = map.weights == nil ? nil : call.coefficients[0]
    let fill = call.mode == .value ? T(map.fill) : 0
    withUnsafeTemporaryAllocation(of: CompensatedSum<T>.self, capacity: lanes) { sums in
      guard let sums = sums.baseAddress else { return }
      forEach(call, view) { e, first, terms in
        let out = call.output + e * lanes
        sums.initialize(repeating: CompensatedSum(), count: lanes)
        // Term by term: a row is read in order, and its lanes are summed side by side.
        for k in terms {
          let row = input + (first + Int(call.integers[1][k]) * view.inner) * lanes
          let weight = weights?[k] ?? 1
          for lane in 0..<lanes { sums[lane].add(weight * row[lane]) }
        }
        for lane in 0..<lanes { out[lane] = terms.isEmpty ? fill : T(sums[lane].value) }
      }
    }
  }

  private func singleLanes<T: LaneReal>(_ call: LaneCall<T>, _ moves: UnsafePointer<T>) {
    let lanes = call.lanes
    let isValue = call.mode == .value
    for e in 0..<call.step.outputElements {
      let (outer, row) = (e / map.rows, e % map.rows)
      let terms = Int(call.integers[0][row])..<Int(call.integers[0][row + 1])
      for lane in 0..<lanes {
        var sum: T = isValue && terms.isEmpty ? T(map.fill) : 0
        for k in terms {
          let column = Int(call.integers[1][k])
          let isOwn =
            Int(call.indices[0][lane]) == outer && Int(call.indices[1][lane]) == column
          let at = (outer * map.columns + column) * map.inner + Int(call.indices[2][lane])
          let x = isOwn ? moves[lane] : isValue ? call.coefficients[1][at] : 0
          sum += map.weights == nil ? x : call.coefficients[0][k] * x
        }
        call.output[e * lanes + lane] = sum
      }
    }
  }

  private func maximumLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ view: View
  ) {
    let lanes = call.lanes
    let (x, tolerance, y) = (call.coefficients[0], call.coefficients[1], call.coefficients[2])
    let outputSlice = call.step.output.slice
    forEach(call, view) { e, first, terms in
      for lane in 0..<lanes {
        let index = view.slice == nil ? 0 : Int(call.indices[0][lane])
        let top = y[outputSlice?.base(e, index) ?? e]
        var most = -T.infinity
        var own: T = call.mode == .value ? -T.infinity : 0
        var last: T = 0
        var (found, tied) = (false, false)
        for k in terms {
          let stored = first + Int(call.integers[1][k]) * view.inner
          let at = view.base(stored, index)
          let gap = x[at] - top
          let isNear = gap >= -tolerance[at]
          let d = input[stored * lanes + lane]
          if call.mode == .value {
            most = T.maximum(most, d)
            if isNear { own = T.maximum(own, d) }
            continue
          }
          most = T.maximum(most, gap + d)
          guard isNear else { continue }
          if found, d != own { tied = true }
          if !found { own = d }
          last = d
          found = true
        }
        if tied {
          call.flags[lane] |= LaneFlags.tied.rawValue
        } else if most > own {
          call.flags[lane] |= LaneFlags.crossed.rawValue
        }
        if tied, call.tiePolicy != .natural { most = call.tiePolicy == .low ? own : last }
        call.output[e * lanes + lane] = most
      }
    }
  }

  private func productLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ view: View
  ) {
    let lanes = call.lanes
    forEach(call, view) { e, first, terms in
      for lane in 0..<lanes {
        let index = view.slice == nil ? 0 : Int(call.indices[0][lane])
        var product: T = 1
        var change: T = 0
        for k in terms {
          let stored = first + Int(call.integers[1][k]) * view.inner
          let d = input[stored * lanes + lane]
          if call.mode == .value {
            product *= d
            continue
          }
          let x = call.coefficients[0][view.base(stored, index)]
          change = change * (x + d) + product * d
          product *= x
        }
        call.output[e * lanes + lane] = call.mode == .value ? product : change
      }
    }
  }

  private func logSumExpLanes<T: LaneReal>(
    _ call: LaneCall<T>, _ input: UnsafePointer<T>, _ view: View
  ) {
    let lanes = call.lanes
    forEach(call, view) { e, first, terms in
      for lane in 0..<lanes {
        let index = view.slice == nil ? 0 : Int(call.indices[0][lane])
        let stored = { (k: Int) in first + Int(call.integers[1][k]) * view.inner }
        let d = { (k: Int) in input[stored(k) * lanes + lane] }
        let p = { (k: Int) in call.coefficients[0][view.base(stored(k), index)] }
        var most = -T.infinity
        for k in terms { most = T.maximum(most, d(k)) }
        var total: T = 0
        if call.mode == .value {
          for k in terms { total += T.exp(d(k) - most) }
          call.output[e * lanes + lane] = most + T.log(total)
          continue
        }
        var top = terms.lowerBound
        for k in terms where p(k) > p(top) { top = k }
        let shift = d(top)
        for k in terms { total += p(k) * T.expMinusOne(d(k) - shift) }
        var change = shift + T.log(onePlus: T.maximum(total, -0.5))
        if total < -0.5 || !total.isFinite {
          var sum: T = 0
          for k in terms { sum += p(k) * T.exp(d(k) - most) }
          change = most + T.log(sum)
        }
        call.output[e * lanes + lane] = change
      }
    }
  }
}
