import Kernels

/// Operators that work element by element. The rules stand in Elements/, one family a file; here
/// is what they share: the walk over elements and lanes (twin of kernels/element.cl).
package struct Element: Primitive {
  package let function: ElementFunction

  package var name: String { function.name }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard let shape = inputs.first, inputs.count == (function.isBinary ? 2 : 1) else {
      throw InputError("\(name): found \(inputs.count) inputs, expected one or two")
    }
    guard inputs.allSatisfy({ $0 == shape }) else {
      throw InputError("\(name): found shapes \(inputs), expected equal ones")
    }
    return shape
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] {
    function.visit(ForwardVisitor(inputs: inputs, attributes: function.attributes))
  }

  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  {
    function.visit(
      CoefficientVisitor(inputs: values.inputs, ties: ties, attributes: function.attributes)
    ).map { .values($0) }
  }

  package func tableSizes(shapes: [[Int]]) -> TableSizes {
    TableSizes(elements: function.kernel.coefficients * shapes[0].reduce(1, *))
  }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  {
    guard inputs.dropFirst().allSatisfy({ $0 == nil }) else {
      throw InputError("\(name): its second operand depends on θ, which has no rule")
    }
    return inputs[0]
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] {
    let kernel = function.kernel
    return kernel.files.map { KernelUnit(file: $0) } + [
      KernelUnit(
        file: "element.cl",
        defines: [
          ("KERNEL", kernelName(mode)),
          ("RULE", kernel.function(mode)),
          ("COEFFICIENTS", "\(kernel.coefficients)"),
          ("KINKS", kernel.kinks ? "1" : "0"),
        ])
    ]
  }

  private func kernelName(_ mode: LaneMode) -> String {
    "\(function.kernel.rule)_element_\(mode.rawValue)"
  }

  package func launches(_ call: KernelCall) -> [Launch] {
    let slice: LaneLayout.Slice? =
      if case .slice(let slice) = call.step.output.layout { slice } else { nil }
    let a = function.attributes
    let elements = call.step.outputElements
    return [
      Launch(
        arguments: ElementArguments(
          kernel: kernelName(call.mode), laneVectors: call.laneVectors, elements: elements,
          axisLength: slice?.axisLength ?? 0, inner: slice?.inner ?? 1, tiePolicy: call.tiePolicy,
          attributes: a, index: call.index(0),
          tables: (0..<4).map { call.coefficient($0) }, input: call.input(0), output: call.output,
          flags: call.flags),
        global: call.global(over: elements))
    ]
  }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    function.visit(
      VarianceVisitor(values: values, variance: inputs[0], attributes: function.attributes))
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    let adjoint = function.visit(
      AdjointVisitor(
        values: values, output: output, source: source, attributes: function.attributes))
    return [adjoint] + (function.isBinary ? [nil] : [])
  }

  /// Takes a chunk of CPU lanes through a function of the family.
  package static func lanes<T: LaneReal, Rule: ElementRule>(
    _ rule: Rule.Type, _ attributes: SIMD4<Double>, _ call: LaneCall<T>
  ) {
    guard let input = call.inputs[0] else { return }
    let a = attributes.rounded(to: T.self)
    let (lanes, flags) = (call.lanes, call.flags)
    let slice = call.step.output.slice
    let coefficients = { (at: Int) in
      var c = SIMD4<T>()
      for table in 0..<rule.kernel.coefficients { c[table] = call.coefficients[table][at] }
      return c
    }
    for element in 0..<call.step.outputElements {
      let (x, y) = (input + element * lanes, call.output + element * lanes)
      var c = SIMD4<T>()
      var next = 0
      if slice == nil {
        c = coefficients(element)
        while call.mode == .difference, next + LaneVector<T>.scalarCount <= lanes,
          let change = rule.difference(x.vector(next), c, a)
        {
          y.store(change, next)
          next += LaneVector<T>.scalarCount
        }
      }
      for lane in next..<lanes {
        if let slice { c = coefficients(slice.base(element, Int(call.indices[0][lane]))) }
        var kinks = KinkMeter(tiePolicy: call.tiePolicy)
        y[lane] =
          call.mode == .difference
          ? rule.difference(x[lane], c, a, &kinks) : rule.value(x[lane], c, a, &kinks)
        flags[lane] |= kinks.flags
      }
    }
  }
}

extension ElementFunction {
  /// How many terms series have: SERIES_TERMS of kernels/chain.cl.
  static let seriesTerms = 5

  /// The terms of the function's series at each of some points, `[terms][points]`; none where small
  /// steps have no series.
  func series(_ x: [Double]) -> [[Double]] { visit(SeriesVisitor(x: x)) }

  /// The slopes about some points, and how far each may move up to a kink, from the coefficients there; nil
  /// unless the function is straight on both sides of one.
  func pieces(_ coefficients: [[Double]]) -> (slopes: [Double], gaps: [Double])? {
    visit(PieceVisitor(coefficients: coefficients, attributes: attributes))
  }
}

extension SIMD4<Double> {
  /// The attributes of a function as lanes of a precision have them.
  @inline(__always)
  func rounded<T: LaneReal>(to: T.Type) -> SIMD4<T> { SIMD4<T>(T(x), T(y), T(z), T(w)) }
}

/// The arguments of element.cl, in its order.
private struct ElementArguments: KernelArguments {
  var kernel: String
  var laneVectors: Int
  var elements: Int
  var axisLength: Int
  var inner: Int
  var tiePolicy: TiePolicy
  var attributes: SIMD4<Double>
  var index: KernelArgument
  var tables: [KernelArgument]
  var input: KernelArgument
  var output: Buffer
  var flags: Buffer

  var arguments: [KernelArgument] {
    [
      .int(laneVectors), .int(elements), .int(axisLength), .int(inner),
      .int(Int(tiePolicy.rawValue)), .real(attributes[0]), .real(attributes[1]),
      .real(attributes[2]), index,
    ] + tables + [input, .buffer(output), .buffer(flags)]
  }
}

/// Calls a generic function with the rule family of an element function.
package protocol ElementVisitor {
  associatedtype Result
  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> Result
}

private struct ForwardVisitor: ElementVisitor {
  var inputs: [[Double]]
  var attributes: SIMD4<Double>

  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> [Double] {
    mapElements(inputs[0].count) { e in
      var kinks = KinkMeter(tiePolicy: .natural)
      let y = inputs.count > 1 ? inputs[1][e] : 0
      let c = rule.coefficients(inputs[0][e], y, attributes, 0)
      return rule.value(inputs[0][e], c, attributes, &kinks)
    }
  }
}

private struct CoefficientVisitor: ElementVisitor {
  var inputs: [[Double]]
  var ties: TieTolerances
  var attributes: SIMD4<Double>

  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> [[Double]] {
    let (x, y) = (inputs[0], inputs.dropFirst().first)
    return mapElements(x.count, rows: rule.kernel.coefficients) { e in
      rule.coefficients(x[e], y?[e] ?? 0, attributes, ties[0, e])
    }
  }
}

/// The variance of the function's rounding error.
private struct VarianceVisitor: ElementVisitor {
  var values: NodeValues
  var variance: [Double]?
  var attributes: SIMD4<Double>

  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> [Double] {
    let (x, y) = (values.inputs[0], values.inputs.dropFirst().first)
    return mapElements(values.output.count) { e in
      let slope = rule.slope(x[e], y?[e] ?? 0, attributes).value
      let own = values.output[e]
      // One rounding of the function's value, and its library's own error.
      return slope * slope * (variance?[e] ?? 0) + 2 * unitVariance * own * own
    }
  }
}

/// The adjoint of the function's argument.
private struct AdjointVisitor: ElementVisitor {
  var values: NodeValues
  var output: Adjoint
  var source: ErrorSource
  var attributes: SIMD4<Double>

  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> Adjoint {
    let (x, y) = (values.inputs[0], values.inputs.dropFirst().first)
    let isBackPropagation = if case .backPropagation = source { true } else { false }
    let variance = source.variance(0)
    var adjoint = Adjoint(count: values.output.count)
    adjoint.withMutableBuffers { gradients, variances in
      for e in values.output.indices {
        let operand = y?[e] ?? 0
        let slope = rule.slope(x[e], operand, attributes)
        let g = output.gradient[e]
        gradients[e] = slope.value * g
        var local = unitVariance * slope.value * slope.value
        if isBackPropagation {
          let curvature = rule.curvature(x[e], operand, attributes)
          local =
            unitVariance * slope.terms * slope.terms + curvature * curvature * (variance?[e] ?? 0)
        }
        variances[e] = slope.value * slope.value * output.variance[e] + g * g * local
      }
    }
    return adjoint
  }
}

/// The series of a function at each of some points, `[terms][points]`; none where it has none.
private struct SeriesVisitor: ElementVisitor {
  var x: [Double]

  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> [[Double]] {
    guard rule.series(0) != nil else { return [] }
    return mapElements(x.count, rows: ElementFunction.seriesTerms) { rule.series(x[$0]) ?? SIMD8() }
  }
}

private struct PieceVisitor: ElementVisitor {
  var coefficients: [[Double]]
  var attributes: SIMD4<Double>

  func visit<Rule: ElementRule>(_ rule: Rule.Type) -> (slopes: [Double], gaps: [Double])? {
    guard rule.piece(.zero, attributes) != nil else { return nil }
    let pieces = mapElements(coefficients.first?.count ?? 0) { e in
      var c = SIMD4<Double>()
      for (k, table) in coefficients.enumerated() { c[k] = table[e] }
      return rule.piece(c, attributes) ?? (.nan, 0)
    }
    return (pieces.map(\.slope), pieces.map(\.gap))
  }
}
