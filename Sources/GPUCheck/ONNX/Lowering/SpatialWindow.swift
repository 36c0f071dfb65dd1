/// The window of a convolution or pooling, as its node's attributes describe it.
struct SpatialWindow {
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  var padding: [(before: Int, after: Int)]
  /// How many positions the window takes along each axis.
  var output: [Int] = []

  /// From the first to the last element under the window.
  func reach(_ axis: Int) -> Int { dilations[axis] * (kernel[axis] - 1) + 1 }

  /// The attributes without padding.
  init(_ call: OperatorCall, kernel: [Int], axes: Int) throws {
    self.kernel = kernel
    strides = try call.ints("strides") ?? [Int](repeating: 1, count: axes)
    dilations = try call.ints("dilations") ?? [Int](repeating: 1, count: axes)
    padding = [(before: Int, after: Int)](repeating: (0, 0), count: axes)
    guard kernel.count == axes, strides.count == axes, dilations.count == axes,
      (kernel + strides + dilations).allSatisfy({ (1...(1 << 24)).contains($0) })
    else {
      throw call.error(
        "found a window \(kernel), strides \(strides) and dilations \(dilations), expected \(axes) "
          + "positive numbers each")
    }
  }

  /// The window that slides over an input of given spatial extents.
  init(_ call: OperatorCall, kernel: [Int], over input: [Int]) throws {
    try self.init(call, kernel: kernel, axes: input.count)
    let isCeiling = try call.flag("ceil_mode")
    let mode = try call.string("auto_pad", "NOTSET")
    switch mode {
    case "NOTSET", "":
      padding = try Self.explicit(call, axes: input.count)
    case "VALID": break
    case "SAME_UPPER", "SAME_LOWER":
      for axis in input.indices {
        let positions = (input[axis] + strides[axis] - 1) / strides[axis]
        let total = max(0, (positions - 1) * strides[axis] + reach(axis) - input[axis])
        padding[axis] = Self.halves(total, upper: mode == "SAME_UPPER")
      }
    default:
      throw call.error(
        "found auto_pad '\(mode)', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    }
    output = try input.indices.map { axis in
      let room = input[axis] + padding[axis].before + padding[axis].after - reach(axis)
      guard room >= 0 else {
        throw call.error(
          "the window \(kernel) with dilations \(dilations) is larger than an input of \(input)")
      }
      var positions = room / strides[axis] + 1
      if isCeiling, mode == "NOTSET", room % strides[axis] > 0,
        positions * strides[axis] < input[axis] + padding[axis].before
      {
        // One more, if it begins within the input.
        positions += 1
      }
      return positions
    }
  }

  /// The padding that the attribute `pads` gives: all befores, then all afters.
  static func explicit(_ call: OperatorCall, axes: Int) throws -> [(before: Int, after: Int)] {
    guard let pads = try call.ints("pads") else {
      return [(before: Int, after: Int)](repeating: (0, 0), count: axes)
    }
    guard pads.count == 2 * axes, pads.allSatisfy({ abs($0) < 1 << 24 }) else {
      throw call.error("found pads \(pads), expected \(2 * axes) numbers")
    }
    return (0..<axes).map { (pads[$0], pads[$0 + axes]) }
  }

  /// Padding in two halves, the odd one after (upper) or before.
  static func halves(_ total: Int, upper: Bool) -> (before: Int, after: Int) {
    upper ? (total / 2, total - total / 2) : (total - total / 2, total / 2)
  }

  /// The same for a convolution in one group.
  var form: ConvolutionForm {
    ConvolutionForm(strides: strides, dilations: dilations, padding: padding)
  }

  /// For each position, row-major, the elements of the input under the window.
  func elements(of input: [Int]) -> [[Int32]] {
    var rows: [[Int32]] = [[0]]
    for axis in input.indices {
      let along = (0..<output[axis]).map { position in
        (0..<kernel[axis]).map {
          position * strides[axis] + $0 * dilations[axis] - padding[axis].before
        }.filter { 0 <= $0 && $0 < input[axis] }
      }
      let extent = Int32(input[axis])
      rows = rows.flatMap { row in
        along.map { inside in
          row.flatMap { base in inside.map { base * extent + Int32($0) } }
        }
      }
    }
    return rows
  }

  /// For each position how many elements of the window lie within the padded input.
  func paddedCounts(of input: [Int]) -> [Double] {
    var counts = [1.0]
    for axis in input.indices {
      let end = input[axis] + padding[axis].after
      let along = (0..<output[axis]).map { position in
        Double(
          (0..<kernel[axis]).count {
            let at = position * strides[axis] + $0 * dilations[axis] - padding[axis].before
            return at < end
          })
      }
      counts = counts.flatMap { count in along.map { count * $0 } }
    }
    return counts
  }
}
