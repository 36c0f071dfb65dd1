import GPUCheck

/// A row of the tables of an operator over tensors of any shape: parameters p0, p1, … and what is
/// made of them; J is the sum of the result's elements, each with a weight of its own.
struct OperatorCase: Sendable {
  var name: String
  /// The shapes of the parameters.
  var parameters: [[Int]]
  /// How many roundings a lane's way through it has, at most.
  var roundings = 96.0
  var build: @Sendable (inout CaseBuilder) throws -> Graph.NodeID
}

/// Makes a case's nodes. Parameters come as what is wanted of their lanes: `single` one element;
/// `full` all elements; `slice` one position of an axis.
struct CaseBuilder {
  var graph: Graph
  var numbers: TableNumbers
  let firstSegment: Int

  mutating func constant(_ shape: [Int], _ range: ClosedRange<Double> = -1...1) -> Graph.NodeID {
    graph.constant("c", numbers.tensor(shape, range))
  }

  /// The parameter itself.
  mutating func single(_ number: Int) -> Graph.NodeID {
    graph.parameter(segment: firstSegment + number)
  }

  /// As many numbers as the parameter has, each made of all of its elements.
  mutating func full(_ number: Int) throws -> Graph.NodeID {
    let node = single(number)
    let shape = graph.nodes[node].shape
    let count = shape.reduce(1, *)
    let mix = constant([count, count], -0.5...0.5)
    let column = try apply(.reshape([count, 1]), node)
    let mixed = try apply(.matrixProduct(MatrixProductForm()), mix, column)
    return try apply(.reshape(shape), mixed)
  }

  /// A tensor along one axis of which the parameter, of one axis, is added.
  mutating func slice(_ number: Int, _ shape: [Int], axis: Int) throws -> Graph.NodeID {
    let behind = [Int](repeating: 1, count: shape.count - axis - 1)
    let node = try apply(.reshape([shape[axis]] + behind), single(number))
    return try apply(.combine(.add), constant(shape), node)
  }

  mutating func apply(_ operation: Operator, _ inputs: Graph.NodeID...) throws -> Graph.NodeID {
    try graph.apply(operation, inputs, name: "n")
  }
}

extension OperatorCase {
  /// Cases of every operator that is not one of the dense networks'.
  static let all: [OperatorCase] =
    combinations + selections + products + convolutions + gathers + reductions + [
      OperatorCase(name: "log-softmax", parameters: [[3, 4]]) { b in
        try b.apply(.logSoftmax, b.full(0))
      },
      OperatorCase(name: "log-softmax of one element", parameters: [[3, 4]]) { b in
        try b.apply(.logSoftmax, b.single(0))
      },
      OperatorCase(name: "concatenate, all move", parameters: [[2, 3, 2], [2, 1, 2]]) { b in
        try b.apply(.concatenate(axis: 1), b.full(0), b.constant([2, 2, 2]), b.full(1))
      },
      OperatorCase(name: "concatenate, single elements", parameters: [[2, 3], [2, 2]]) { b in
        try b.apply(.concatenate(axis: 1), b.single(0), b.single(1))
      },
      OperatorCase(name: "concatenate, slices behind and in front", parameters: [[3], [2]]) { b in
        let behind = try b.apply(
          .concatenate(axis: 1), b.slice(0, [2, 2, 3], axis: 2), b.constant([2, 1, 3]))
        let front = try b.apply(
          .concatenate(axis: 1), b.constant([2, 1, 3]), b.slice(1, [2, 2, 3], axis: 0))
        return try b.apply(.combine(.add), behind, front)
      },
    ]

  // MARK: Two and three operands

  private static let combinations: [OperatorCase] = CombineFunction.allCases.flatMap { function in
    /// The first and the second operand where the function is defined, some way from its jumps.
    @Sendable func positive(_ b: inout CaseBuilder, _ node: Graph.NodeID) throws -> Graph.NodeID {
      switch function {
      case .power, .divide, .modulo: try b.apply(.element(.exp), node)
      default: node
      }
    }
    @Sendable func combine(
      _ b: inout CaseBuilder, _ left: Graph.NodeID, _ right: Graph.NodeID
    ) throws -> Graph.NodeID {
      let node = try b.apply(
        .combine(function), positive(&b, left), positive(&b, right))
      // Comparisons are 0 nearly everywhere: what they choose moves.
      switch function {
      case .greater, .greaterOrEqual, .equal: return try b.apply(.combine(.add), node, left)
      default: return node
      }
    }
    let name = function.rawValue
    return [
      OperatorCase(name: "\(name), both move", parameters: [[2, 3], [2, 3]]) { b in
        try combine(&b, b.full(0), b.full(1))
      },
      OperatorCase(name: "\(name), the first moves", parameters: [[2, 1, 3]]) { b in
        try combine(&b, b.full(0), b.constant([4, 1]))
      },
      OperatorCase(name: "\(name), the second moves", parameters: [[4, 1]]) { b in
        try combine(&b, b.constant([2, 1, 3]), b.full(0))
      },
      OperatorCase(name: "\(name), single elements", parameters: [[3], [2, 3]]) { b in
        try combine(&b, b.single(0), b.single(1))
      },
      OperatorCase(name: "\(name), a channel", parameters: [[3], [3]]) { b in
        let x = try b.slice(0, [2, 3, 2], axis: 1)
        let scale = try b.apply(.reshape([3, 1]), b.single(1))
        return try combine(&b, x, scale)
      },
      OperatorCase(name: "\(name), a channel against itself", parameters: [[3]]) { b in
        let x = try b.slice(0, [2, 3, 2], axis: 1)
        return try combine(&b, x, b.apply(.element(.sigmoid), x))
      },
      OperatorCase(name: "\(name), different slices", parameters: [[3]]) { b in
        try combine(&b, b.slice(0, [3, 2, 3], axis: 0), b.slice(0, [3, 2, 3], axis: 2))
      },
      OperatorCase(name: "\(name), a scalar", parameters: [[1]]) { b in
        try combine(&b, b.constant([2, 3]), b.single(0))
      },
    ]
  }

  private static let selections: [OperatorCase] = [
    OperatorCase(name: "select, a still condition", parameters: [[2, 3], [3]]) { b in
      let condition = try b.apply(.combine(.greater), b.constant([2, 1]), b.constant([1]))
      return try b.apply(.select, condition, b.full(0), b.single(1))
    },
    OperatorCase(name: "select, a moving condition", parameters: [[2, 3]]) { b in
      let x = try b.full(0)
      let condition = try b.apply(.combine(.greater), x, b.constant([3], 0...0.1))
      return try b.apply(
        .select, condition, b.apply(.element(.square), x), b.constant([2, 3]))
    },
    OperatorCase(name: "select, a channel", parameters: [[3]]) { b in
      let x = try b.slice(0, [2, 3, 2], axis: 1)
      let condition = try b.apply(.combine(.greater), x, b.constant([1], 0...0.1))
      return try b.apply(.select, condition, x, b.constant([2, 3, 1]))
    },
  ]

  // MARK: Products

  private static let products: [OperatorCase] = [false, true].flatMap { transposeA in
    [false, true].flatMap { transposeB in
      products(MatrixProductForm(transposeA: transposeA, transposeB: transposeB))
    }
  }

  private static func products(_ form: MatrixProductForm) -> [OperatorCase] {
    let a = form.transposeA ? [5, 4] : [4, 5]
    let b = form.transposeB ? [9, 5] : [5, 9]
    let product = Operator.matrixProduct(form)
    let name = "product\(form.transposeA ? " Aᵀ" : " A")\(form.transposeB ? "Bᵀ" : "B")"
    // The axes of A and B that C keeps, and the one that is summed over.
    let (aFree, aDepth) = form.transposeA ? (1, 0) : (0, 1)
    let (bFree, bDepth) = form.transposeB ? (0, 1) : (1, 0)
    return [
      OperatorCase(name: "\(name), single elements", parameters: [a, b]) { c in
        let left = try c.apply(product, c.single(0), c.constant(b))
        let right = try c.apply(product, c.constant(a), c.single(1))
        return try c.apply(.combine(.add), left, right)
      },
      OperatorCase(name: "\(name), all of one", parameters: [a, b]) { c in
        let left = try c.apply(product, c.full(0), c.constant(b))
        let right = try c.apply(product, c.constant(a), c.full(1))
        return try c.apply(.combine(.add), left, right)
      },
      // More products than a kernel takes at a time, and more samples.
      OperatorCase(name: "\(name), long sums", parameters: [[1]]) { c in
        let long = (
          form.transposeA ? [300, 18] : [18, 300], form.transposeB ? [7, 300] : [300, 7]
        )
        let moved = try c.apply(.combine(.multiply), c.constant(long.0), c.single(0))
        return try c.apply(product, moved, c.constant(long.1))
      },
      OperatorCase(name: "\(name), both", parameters: [a, b]) { c in
        // The second parameter reaches both factors, too.
        let mix = try c.apply(.combine(.multiply), c.full(0), c.constant(a))
        let shared = try c.apply(
          .gather(.mean(of: b), .sum), c.single(1))
        return try c.apply(product, c.apply(.combine(.add), mix, shared), c.full(1))
      },
      OperatorCase(name: "\(name), all of one and an element of the other", parameters: [a, b]) {
        c in
        let left = try c.apply(.gather(.mean(of: a), .sum), c.single(0))
        let right = try c.apply(.gather(.mean(of: b), .sum), c.single(1))
        let moving = try c.apply(.combine(.add), c.constant(b), left)
        let other = try c.apply(.combine(.add), c.constant(a), right)
        return try c.apply(
          .combine(.add), c.apply(product, c.single(0), moving),
          c.apply(product, other, c.single(1)))
      },
      OperatorCase(name: "\(name), a row or column", parameters: [[4], [9]]) { c in
        let left = try c.apply(product, c.slice(0, a, axis: aFree), c.constant(b))
        let right = try c.apply(product, c.constant(a), c.slice(1, b, axis: bFree))
        return try c.apply(.combine(.add), left, right)
      },
      OperatorCase(name: "\(name), a position of the sum", parameters: [[5], [5]]) { c in
        let left = try c.apply(product, c.slice(0, a, axis: aDepth), c.constant(b))
        let right = try c.apply(product, c.constant(a), c.slice(1, b, axis: bDepth))
        return try c.apply(.combine(.add), left, right)
      },
      // As a channel's pixels, flattened: the sum's axis is [3, 2], and one of three moves.
      OperatorCase(name: "\(name), a block of the sum", parameters: [[3], [3], [3]]) { c in
        func block(_ number: Int, stack: [Int], free: Int, isFirst: Bool) throws -> Graph.NodeID {
          let apart = stack + (isFirst ? [3, 2, free] : [free, 3, 2])
          let moving = try c.slice(number, apart, axis: stack.count + (isFirst ? 0 : 1))
          return try c.apply(.reshape(stack + (isFirst ? [6, free] : [free, 6])), moving)
        }
        let wholeB = form.transposeB ? [9, 6] : [6, 9]
        let left = try c.apply(
          product, block(0, stack: [], free: 18, isFirst: form.transposeA), c.constant(wholeB))
        let right = try c.apply(
          product, c.constant(form.transposeA ? [6, 18] : [18, 6]),
          block(1, stack: [], free: 9, isFirst: !form.transposeB))
        let stack = try c.apply(
          product, block(2, stack: [2], free: 18, isFirst: form.transposeA),
          c.constant([2] + wholeB))
        return try c.apply(.combine(.add), c.apply(.combine(.add), left, right), stack)
      },
      OperatorCase(name: "\(name), stacks", parameters: [[2] + a, [2] + b]) { c in
        try c.apply(product, c.full(0), c.full(1))
      },
      OperatorCase(name: "\(name), stacks of one", parameters: [[2] + a, b, a, [2] + b]) { c in
        let left = try c.apply(product, c.full(0), c.single(1))
        let right = try c.apply(product, c.single(2), c.full(3))
        return try c.apply(.combine(.add), left, right)
      },
      OperatorCase(name: "\(name), slices of stacks", parameters: [[2], [5], [9]]) { c in
        let stack = try c.apply(product, c.slice(0, [2] + a, axis: 0), c.constant([2] + b))
        let sum = try c.apply(product, c.slice(1, [2] + a, axis: aDepth + 1), c.constant([2] + b))
        let column = try c.apply(product, c.constant(a), c.slice(2, [2] + b, axis: bFree + 1))
        return try c.apply(.combine(.add), c.apply(.combine(.add), stack, sum), column)
      },
    ]
  }

  // MARK: Convolutions

  private struct Window {
    var name: String
    var x: [Int]
    var w: [Int]
    var form: ConvolutionForm
  }

  private static let windows: [Window] = [
    Window(
      name: "1-D", x: [2, 2, 6], w: [9, 2, 3],
      form: ConvolutionForm(strides: [2], dilations: [1], padding: [(1, 2)])),
    Window(
      name: "2-D", x: [2, 2, 4, 3], w: [3, 2, 2, 3],
      form: ConvolutionForm(strides: [1, 2], dilations: [2, 1], padding: [(1, 0), (1, 1)])),
    Window(
      name: "3-D in groups", x: [1, 4, 2, 3, 2], w: [2, 2, 2, 2, 1],
      form: ConvolutionForm(
        strides: [1, 1, 1], dilations: [1, 1, 1], padding: [(0, 1), (0, 0), (-1, 1)], groups: 2)),
    Window(
      name: "depthwise", x: [2, 3, 3, 3], w: [3, 1, 2, 2],
      form: ConvolutionForm(
        strides: [1, 1], dilations: [1, 1], padding: [(0, 0), (1, 0)], groups: 3)),
  ]

  /// Those that kernels take in parts: their taps, their channels, or pixels too far apart to be copied.
  private static let largeWindows: [Window] = [
    Window(
      name: "of many taps", x: [1, 2, 75], w: [7, 2, 70],
      form: ConvolutionForm(strides: [1], dilations: [1], padding: [(0, 30)])),
    Window(
      name: "of many channels", x: [2, 40, 5], w: [7, 40, 7],
      form: ConvolutionForm(strides: [1], dilations: [1], padding: [(2, 3)])),
    Window(
      name: "far apart", x: [1, 1, 1130], w: [7, 1, 2],
      form: ConvolutionForm(strides: [2], dilations: [1100], padding: [(3, 0)])),
  ]

  private static let convolutions: [OperatorCase] =
    smallConvolutions
    + largeWindows.map { window in
      // All of x moves by one step: lanes of its every element would take minutes.
      OperatorCase(name: "convolution \(window.name), x", parameters: [[3]]) { c in
        let shared = try c.apply(.gather(.mean(of: [3]), .sum), c.single(0))
        let moving = try c.apply(.combine(.add), c.constant(window.x), shared)
        return try c.apply(.convolution(window.form), moving, c.constant(window.w))
      }
    }

  private static let smallConvolutions: [OperatorCase] = windows.flatMap { window in
    let convolution = Operator.convolution(window.form)
    let (x, w) = (window.x, window.w)
    return [
      OperatorCase(name: "convolution \(window.name), one weight", parameters: [w]) { c in
        try c.apply(convolution, c.constant(x), c.single(0))
      },
      OperatorCase(name: "convolution \(window.name), x", parameters: [x]) { c in
        try c.apply(convolution, c.full(0), c.constant(w))
      },
      OperatorCase(name: "convolution \(window.name), all weights", parameters: [w]) { c in
        try c.apply(convolution, c.constant(x), c.full(0))
      },
      OperatorCase(name: "convolution \(window.name), both", parameters: [w]) { c in
        let shared = try c.apply(.gather(.mean(of: w), .sum), c.single(0))
        let moving = try c.apply(.combine(.add), c.constant(x), shared)
        return try c.apply(
          .combine(.add), c.apply(convolution, moving, c.single(0)),
          c.apply(convolution, moving, c.full(0)))
      },
      OperatorCase(name: "convolution \(window.name), a channel", parameters: [[x[1]]]) { c in
        try c.apply(convolution, c.slice(0, x, axis: 1), c.constant(w))
      },
    ]
  }

  // MARK: Gathers

  private static let gathers: [OperatorCase] = [
    gather("transpose", .transpose([2, 3, 2]), [2, 3, 2]),
    gather(
      "pad and drop",
      GatherMap(
        outputShape: [2, 5, 3], columns: 4, inner: 3, taking: [-1, 2, 0, -1, 3], fill: 0.5),
      [2, 4, 3]),
    gather(
      "embedding",
      GatherMap(outputShape: [5, 3], columns: 4, inner: 3, taking: [2, 0, 2, 1, 2]), [4, 3]),
    gather(
      "weighted sums",
      GatherMap(
        outputShape: [2, 3, 2], columns: 4, inner: 2, starts: [0, 2, 2, 5],
        sources: [0, 3, 1, 0, 2], weights: [0.5, -1.25, 2, 0.75, 1], fill: -0.5), [2, 4, 2]),
    gather("mean", .mean(of: [3, 4]), [3, 4]),
  ].flatMap { $0 }

  /// A map in every layout that lanes can come in.
  private static func gather(_ name: String, _ map: GatherMap, _ shape: [Int]) -> [OperatorCase] {
    let gather = Operator.gather(map, .sum)
    return [
      OperatorCase(name: "gather \(name), single elements", parameters: [shape]) { c in
        try c.apply(gather, c.single(0))
      },
      OperatorCase(name: "gather \(name), all", parameters: [shape]) { c in
        try c.apply(gather, c.full(0))
      },
    ]
      + shape.indices.map { axis in
        OperatorCase(name: "gather \(name), axis \(axis)", parameters: [[shape[axis]]]) { c in
          try c.apply(gather, c.slice(0, shape, axis: axis))
        }
      }
  }

  private static let reductions: [OperatorCase] = Reduction.allCases.dropFirst().flatMap {
    reduction in
    // Every row of 3; windows of 2 that overlap, where that may be.
    let rows = GatherMap(
      outputShape: [2, 2], columns: 3, inner: 2, starts: [0, 3], sources: [0, 1, 2])
    let windows = GatherMap(
      outputShape: [2, 2, 2], columns: 3, inner: 2, starts: [0, 2, 4], sources: [0, 1, 1, 2])
    return [rows, reduction == .logSumExp ? rows : windows].enumerated().flatMap { number, map in
      [
        OperatorCase(name: "\(reduction) \(number), all", parameters: [[2, 3, 2]]) { c in
          try c.apply(.gather(map, reduction), c.full(0))
        },
        OperatorCase(name: "\(reduction) \(number), single elements", parameters: [[2, 3, 2]]) {
          c in
          try c.apply(.gather(map, reduction), c.single(0))
        },
      ]
        + [2, 3, 2].enumerated().map { axis, extent in
          OperatorCase(name: "\(reduction) \(number), axis \(axis)", parameters: [[extent]]) { c in
            try c.apply(.gather(map, reduction), c.slice(0, [2, 3, 2], axis: axis))
          }
        }
    }
  }
}

extension GatherMap {
  /// The mean of all elements, of shape [1].
  static func mean(of shape: [Int]) -> GatherMap {
    let count = shape.reduce(1, *)
    return GatherMap(
      outputShape: [1], columns: count, inner: 1, starts: [0, Int32(count)],
      sources: (0..<Int32(count)).map { $0 },
      weights: [Double](repeating: 1 / Double(count), count: count))
  }

  /// The first two axes swapped.
  static func transpose(_ shape: [Int]) -> GatherMap {
    let (rows, columns) = (shape[0], shape[1])
    return GatherMap(
      outputShape: [columns, rows] + shape[2...], columns: rows * columns,
      inner: shape[2...].reduce(1, *),
      taking: (0..<rows * columns).map { Int32($0 % rows * columns + $0 / rows) })
  }
}
