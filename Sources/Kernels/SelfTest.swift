import Foundation

/// What the self-test found on a device in one precision.
package struct SelfTestResult: Sendable, Equatable, Codable {
  /// How a function did.
  package struct Function: Sendable, Equatable, Codable {
    /// The function's name in OpenCL C, or what was computed.
    package let name: String
    /// Its largest error in units in the last place, infinite for a wrong infinity, sign or NaN.
    package let maxULP: Double
    /// The largest error allowed.
    package let limit: Double

    var isWithinLimit: Bool { maxULP <= limit }
  }

  /// The precision tested.
  package let precision: Precision
  /// The vector width it ran with.
  package let vectorWidth: Int
  /// Every function of the test, in its order; none where the test could not run.
  package let functions: [Function]
  /// Why the device is refused, in one line; nil where it passed.
  package let failure: String?
  /// Whether the result is one of an earlier run.
  package internal(set) var isCached = false

  private enum CodingKeys: CodingKey { case precision, vectorWidth, functions, failure }

  /// Whether every function was within its limit and sums held.
  package var passed: Bool { failure == nil }
}

/// Runs the functions of selftest.cl and the kernels of moments.cl on a device and holds them to the
/// host's values.
package enum SelfTest {
  /// Tests every precision the device has, or those given. Never throws: a build or a call that
  /// fails is a failure of the device, in one line.
  package static func run(
    _ programs: ProgramCache, precisions: [Precision]? = nil
  ) -> [SelfTestResult] {
    let device = programs.context.device.description
    return (precisions ?? device.precisions).map { precision in
      let specialisation = Specialisation(precision: precision, for: device)
      var found: [SelfTestResult.Function] = []
      var failure: String?
      do {
        let program = try programs.program(MomentKernels.units, specialisation)
        let queue = try CommandQueue(programs.context)
        found = try functionErrors(program, queue, specialisation)
        failure = functionFailure(found, precision)
        if failure == nil {
          failure =
            try sumFailure(program, queue, specialisation)
            ?? momentFailure(program, queue, specialisation)
        }
      } catch let error as OpenCLError {
        failure = error.line
      } catch {
        failure = "\(error)"
      }
      return SelfTestResult(
        precision: precision, vectorWidth: specialisation.vectorWidth, functions: found,
        failure: failure.map { "\(device.name) fails its self-test in \(precision): \($0)" })
    }
  }

  /// The first function beyond its limit, in words.
  private static func functionFailure(
    _ found: [SelfTestResult.Function], _ precision: Precision
  ) -> String? {
    guard let bad = found.first(where: { !$0.isWithinLimit }) else { return nil }
    guard bad.maxULP.isFinite else {
      return "\(bad.name) gives a wrong infinity, a wrong sign or no number"
    }
    let error = String(format: "%.3g", bad.maxULP)
    return "\(bad.name) is off by \(error) units in the last place, allowed \(bad.limit)"
  }

  /// Runs `selftest_functions` and measures it against the host.
  private static func functionErrors(
    _ program: Program, _ queue: CommandQueue, _ specialisation: Specialisation
  ) throws -> [SelfTestResult.Function] {
    let precision = specialisation.precision
    let table = SelfTestTable(precision)
    let count = table.x.count
    let context = program.context
    let out = try Buffer(context, realCount: SelfTestTable.functions.count * count, precision)
    let kernel = try Kernel(program, "selftest_functions")
    try kernel.set(
      SelfTestFunctions(
        x: Buffer(context, reals: table.x, precision),
        y: Buffer(context, reals: table.y, precision),
        z: Buffer(context, reals: table.z, precision),
        out: out, count: count))
    try queue.enqueue(kernel, global: [count / specialisation.vectorWidth])
    let values = try queue.reals(
      of: out, count: SelfTestTable.functions.count * count, precision)
    return SelfTestTable.functions.enumerated().map { row, function in
      var worst = 0.0
      for i in 0..<count {
        let expected = function.value(table.x[i], table.y[i], table.z[i])
        let error = ulpError(values[row * count + i], expected, precision)
        if !(error <= worst) { worst = error.isNaN ? .infinity : error }
      }
      return SelfTestResult.Function(
        name: function.name, maxULP: worst, limit: function.limit(precision))
    }
  }

  /// Sums 1 and 1,024 terms that are each lost beside it, in every lane, then takes 1 away again;
  /// compensated, the sum is exact. nil where it is.
  private static func sumFailure(
    _ program: Program, _ queue: CommandQueue, _ specialisation: Specialisation
  ) throws -> String? {
    let precision = specialisation.precision
    let width = specialisation.vectorWidth
    let small = precision.unitRoundoff * 0x1p-5
    let column = [1.0] + [Double](repeating: small, count: 1024) + [-1.0]
    let terms = column.flatMap { [Double](repeating: $0, count: width) }
    let context = program.context
    let out = try Buffer(context, realCount: 2 * width, precision)
    let kernel = try Kernel(program, "selftest_sum")
    try kernel.set(
      SelfTestSum(
        terms: Buffer(context, reals: terms, precision), out: out,
        count: column.count))
    try queue.enqueue(kernel, global: [1])
    let values = try queue.reals(of: out, count: 2 * width, precision)
    for lane in 0..<width {
      let sum = values[lane] + values[width + lane]
      if sum != 1024 * small {
        return "a compensated sum gives \(sum) instead of \(1024 * small); the compiler breaks it"
      }
    }
    return nil
  }

  /// The distance of a device's value from the exact one in units in the last place (OpenCL 1.2,
  /// section 7.4), as rounded to the precision. In f32 a subnormal result may be 0.
  static func ulpError(_ value: Double, _ exact: Double, _ precision: Precision) -> Double {
    if exact.isNaN { return value.isNaN ? 0 : .infinity }
    let largest: Double
    let smallest: Double
    switch precision {
    case .f32:
      largest = Double(Float.greatestFiniteMagnitude)
      smallest = Double(Float.leastNormalMagnitude)
    case .f64:
      largest = .greatestFiniteMagnitude
      smallest = .leastNormalMagnitude
    }
    if exact.magnitude > largest {
      return value.isInfinite && value.sign == exact.sign ? 0 : .infinity
    }
    if precision == .f32 && exact.magnitude < smallest && value == 0 { return 0 }
    let spacing = max(exact.magnitude, smallest).ulp * (precision == .f32 ? 0x1p29 : 1)
    return (value - exact).magnitude / spacing
  }
}

/// The arguments of `selftest_functions`.
private struct SelfTestFunctions: KernelArguments {
  let kernel = "selftest_functions"
  let x, y, z, out: Buffer
  let count: Int
  var arguments: [KernelArgument] {
    [.buffer(x), .buffer(y), .buffer(z), .buffer(out), .int(count)]
  }
}

/// The arguments of `selftest_sum`.
private struct SelfTestSum: KernelArguments {
  let kernel = "selftest_sum"
  let terms, out: Buffer
  let count: Int
  var arguments: [KernelArgument] { [.buffer(terms), .buffer(out), .int(count)] }
}
