import Kernels

/// How lanes of broadcast operands meet: the extents of what is stored of the output, and each
/// operand's strides along them (0 where it is repeated). Adjacent axes along which all operands
/// do alike are one.
struct BroadcastLanes {
  /// Axes that a kernel can count along.
  static let rank = 6

  /// The output's slice; nil where all of it moves.
  let slice: LaneLayout.Slice?
  private(set) var extents: [Int] = []
  /// By operand; `[rank]` each.
  private(set) var strides: [[Int]] = []

  /// The output's layout, given each operand's: the same slice of all that move, wherever it stands
  /// in the output. Nil where there is none.
  static func layout(_ inputs: [LaneLayout?], _ shapes: [[Int]]) -> LaneLayout? {
    let output = Broadcast.common(shapes)
    let moving = zip(inputs, shapes).compactMap { layout, shape in layout.map { ($0, shape) } }
    if moving.allSatisfy({ $0.0 == .full }) { return .full }
    var common: LaneLayout?
    for (layout, shape) in moving {
      guard case .slice(let slice) = layout,
        let axes = axes(of: slice, in: Broadcast.aligned(shape, rank: output.count), output)
      else { return nil }
      let own = LaneLayout(
        axisLength: slice.axisLength, inner: output[axes.upperBound...].reduce(1, *),
        index: slice.index)
      guard common == nil || common == own else { return nil }
      common = own
    }
    return common
  }

  /// The axes of an operand that its slice's axis is made of, if none of them is repeated.
  private static func axes(of slice: LaneLayout.Slice, in shape: [Int], _ output: [Int])
    -> Range<Int>?
  {
    var end = shape.count
    var inner = 1
    while end > 0, inner < slice.inner || shape[end - 1] == 1 {
      // Axes of one element in front of the slice's are not its own.
      if inner == slice.inner, shape[end - 1] != 1 { break }
      inner *= shape[end - 1]
      end -= 1
    }
    guard inner == slice.inner else { return nil }
    var begin = end
    var length = 1
    while begin > 0, length < slice.axisLength {
      length *= shape[begin - 1]
      begin -= 1
    }
    guard length == slice.axisLength, (begin..<end).allSatisfy({ shape[$0] == output[$0] }) else {
      return nil
    }
    return begin..<end
  }

  /// Nil where there are more axes than a kernel counts along.
  init?(_ shapes: [[Int]], slice: LaneLayout.Slice?) {
    self.slice = slice
    let output = Broadcast.common(shapes)
    var sliced: Range<Int> = 0..<0
    if let slice {
      guard let axes = Self.axes(of: slice, in: output, output) else { return nil }
      sliced = axes
    }
    var axes: [(extent: Int, strides: [Int])] = []
    var counts = shapes.map { _ in 1 }
    for axis in output.indices.reversed() where output[axis] != 1 && !sliced.contains(axis) {
      let own = shapes.map { Broadcast.aligned($0, rank: output.count)[axis] }
      let strides = zip(own, counts).map { $0 == 1 ? 0 : $1 }
      if let last = axes.last,
        zip(strides, last.strides).allSatisfy({ $0 == $1 * last.extent })
      {
        axes[axes.count - 1].extent *= output[axis]
      } else {
        axes.append((output[axis], strides))
      }
      counts = zip(counts, own).map { $0 * $1 }
    }
    guard axes.count <= Self.rank else { return nil }
    while axes.count < Self.rank { axes.append((1, shapes.map { _ in 0 })) }
    extents = axes.map(\.extent)
    strides = shapes.indices.map { operand in axes.map { $0.strides[operand] } }
  }

  /// Elements of the output that are stored.
  var count: Int { extents.reduce(1, *) }

  /// Calls the body with each stored element of the output and where two operands' lanes are for it.
  @inline(__always)
  func forEachElement(_ body: (_ element: Int, _ a: Int, _ b: Int) -> Void) {
    guard count > 0 else { return }
    let (strideA, strideB) = (strides[0][0], strides[1][0])
    for first in stride(from: 0, to: count, by: extents[0]) {
      var (a, b) = (operand(0, first), operand(1, first))
      for element in first..<first + extents[0] {
        body(element, a, b)
        a += strideA
        b += strideB
      }
    }
  }

  /// Where an operand's lanes are for a stored element of the output.
  @inline(__always)
  func operand(_ number: Int, _ element: Int) -> Int {
    var rest = element
    var at = 0
    for axis in 0..<Self.rank {
      if rest == 0 { break }
      at += rest % extents[axis] * strides[number][axis]
      rest /= extents[axis]
    }
    return at
  }
}

extension Combine {
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    // A product with something constant is linear: its own value is not needed.
    let output = Broadcast.common(values.shapes)
    let a = Broadcast.values(values.inputs[0], of: values.shapes[0], in: output)
    let b = Broadcast.values(values.inputs[1], of: values.shapes[1], in: output)
    let at = [indices(values.shapes, 0), indices(values.shapes, 1)]
    return function.coefficients(a, b, values.output, mode: mode) { e in
      ties[0, at[0]?[e] ?? e] + ties[1, at[1]?[e] ?? e]
    }
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    let tables = function.coefficients([], [], [], mode: .difference) { _ in 0 }
    let own = tables.count { if case .values = $0 { true } else { false } }
    return TableSizes(
      hasOutput: own < tables.count, elements: own * Broadcast.common(shapes).reduce(1, *))
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    BroadcastLanes.layout(inputs, shapes)
  }

  /// Takes a chunk of CPU lanes through the function.
  package func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let way = BroadcastLanes(call.step.inputShapes, slice: call.step.output.slice) else {
      return
    }
    if call.mode == .difference, way.slice == nil {
      wholeDifferences(call, way)
    } else {
      oneByOne(call, way)
    }
  }

  /// Differences where all of it moves, a row of lanes after the other.
  private func wholeDifferences<T: LaneReal>(_ call: LaneCall<T>, _ way: BroadcastLanes) {
    let lanes = call.lanes
    let tables = Self.tables(function, .difference)
    withUnsafeTemporaryAllocation(of: T.self, capacity: lanes) { still in
      still.initialize(repeating: 0)
      guard let still = still.baseAddress else { return }
      way.forEachElement { e, atA, atB in
        let a = call.inputs[0].map { $0 + atA * lanes } ?? UnsafePointer(still)
        let b = call.inputs[1].map { $0 + atB * lanes } ?? UnsafePointer(still)
        let output = call.output + e * lanes
        var c = SIMD4<T>()
        for table in 0..<tables { c[table] = call.coefficients[table][e] }
        var next = 0
        while next + LaneVector<T>.scalarCount <= lanes,
          let change = function.difference(a.vector(next), b.vector(next), c)
        {
          output.store(change, next)
          next += LaneVector<T>.scalarCount
        }
        for lane in next..<lanes {
          var kinks = KinkMeter(tiePolicy: call.tiePolicy)
          output[lane] = function.difference(a[lane], b[lane], c, &kinks)
          call.flags[lane] |= kinks.flags
        }
      }
    }
  }

  /// Values, and slices, whose tables each lane reads elsewhere.
  private func oneByOne<T: LaneReal>(_ call: LaneCall<T>, _ way: BroadcastLanes) {
    let lanes = call.lanes
    let (a, b) = (call.inputs[0], call.inputs[1])
    let tables = Self.tables(function, call.mode)
    way.forEachElement { e, elementA, elementB in
      let (atA, atB) = (elementA * lanes, elementB * lanes)
      for lane in 0..<lanes {
        let base = way.slice?.base(e, Int(call.indices[0][lane])) ?? e
        var c = SIMD4<T>()
        for table in 0..<tables { c[table] = call.coefficients[table][base] }
        var kinks = KinkMeter(tiePolicy: call.tiePolicy)
        if call.mode == .difference {
          call.output[e * lanes + lane] = function.difference(
            a?[atA + lane] ?? 0, b?[atB + lane] ?? 0, c, &kinks)
        } else {
          call.output[e * lanes + lane] = function.value(
            a?[atA + lane] ?? c[0], b?[atB + lane] ?? c[1], c, &kinks)
        }
        call.flags[lane] |= kinks.flags
      }
    }
  }

  /// How many tables a rule reads.
  static func tables(_ function: CombineFunction, _ mode: LaneMode) -> Int {
    function.coefficients([], [], [], mode: mode) { _ in 0 }.count
  }
}

extension Select {
  /// Differences: the condition and a − b. Values: the condition, a and b.
  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    let output = Broadcast.common(values.shapes)
    let (condition, a, b) = (
      Broadcast.values(values.inputs[0], of: values.shapes[0], in: output),
      Broadcast.values(values.inputs[1], of: values.shapes[1], in: output),
      Broadcast.values(values.inputs[2], of: values.shapes[2], in: output)
    )
    return mode == .value
      ? [.values(condition), .values(a), .values(b)]
      : [.values(condition), .values(zip(a, b).map { $0 - $1 })]
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(elements: 2 * Broadcast.common(shapes).reduce(1, *))
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    BroadcastLanes.layout(inputs, shapes)
  }

  /// Takes a chunk of CPU lanes through the choice.
  package static func lanes<T: LaneReal>(_ call: LaneCall<T>) {
    guard let way = BroadcastLanes(call.step.inputShapes, slice: call.step.output.slice) else {
      return
    }
    let lanes = call.lanes
    let isDifference = call.mode == .difference
    for e in 0..<way.count {
      let at = (0..<3).map { way.operand($0, e) * lanes }
      for lane in 0..<lanes {
        let base = way.slice?.base(e, Int(call.indices[0][lane])) ?? e
        let condition = call.coefficients[0][base]
        let given = call.inputs[0]?[at[0] + lane] ?? (isDifference ? 0 : condition)
        let holds = (isDifference ? condition + given : given) != 0
        let held = condition != 0
        let still: (T, T) =
          isDifference ? (0, 0) : (call.coefficients[1][base], call.coefficients[2][base])
        let a = call.inputs[1]?[at[1] + lane] ?? still.0
        let b = call.inputs[2]?[at[2] + lane] ?? still.1
        var result = holds ? a : b
        if holds != held {
          call.flags[lane] |= LaneFlags.crossed.rawValue
          // From b to a + da, or from a to b + db.
          if isDifference {
            result += holds ? call.coefficients[1][base] : -call.coefficients[1][base]
          }
        }
        call.output[e * lanes + lane] = result
      }
    }
  }
}
