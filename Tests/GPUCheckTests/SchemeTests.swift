import Foundation
import GPUCheck
import Testing

/// f(θ) = θ³ and friends: the three schemes as the textbook defines them.
@Suite("Schemes and steps")
struct SchemeTests {
  private func approximation(
    _ scheme: Scheme, epsilon: Double?, at theta: Double = 1,
    _ cost: @escaping @Sendable (Double) -> Double = { $0 * $0 * $0 }
  ) throws -> Double {
    let layout = ParameterLayout([("θ", [1])])
    var options = CheckOptions()
    options.scheme = scheme
    options.epsilon = epsilon
    let theta = try ParameterVector(layout: layout, values: [theta])
    // A NaN gradient is no suspect: the numeric value comes back as the scheme gives it.
    let gradient = try ParameterVector(layout: layout, values: [.nan])
    let report = try Checker.check(
      parameters: theta, gradient: gradient, options: options, cost: { cost($0[0]) })
    return try #require(report.numeric.first)
  }

  @Test("The course's example: 3.0001, 3.0301 and, backward, 2.9701")
  func courseExample() throws {
    #expect(abs(try approximation(.central, epsilon: 0.01) - 3.0001) < 1e-12)
    #expect(abs(try approximation(.forward, epsilon: 0.01) - 3.0301) < 1e-12)
    #expect(abs(try approximation(.backward, epsilon: 0.01) - 2.9701) < 1e-12)
  }

  @Test(
    "Halving the step divides the error by 2^order",
    arguments: [(Scheme.central, 2.0), (.forward, 1.0), (.backward, 1.0)])
  func errorOrder(scheme: Scheme, order: Double) throws {
    let exact = exp(0.7)
    let steps = [0.08, 0.04, 0.02, 0.01]
    let errors = try steps.map {
      abs(try approximation(scheme, epsilon: $0, at: 0.7, { exp($0) }) - exact)
    }
    for (large, small) in zip(errors, errors.dropFirst()) {
      let found = log2(large / small)
      #expect(abs(found - order) < 0.06, "\(scheme): order \(found), expected \(order)")
    }
  }

  @Test("The automatic step is near the best", arguments: Scheme.allCases)
  func automaticStep(scheme: Scheme) throws {
    let found = try approximation(scheme, epsilon: nil, at: 0.7, { exp($0) })
    #expect(abs(found / exp(0.7) - 1) < (scheme == .central ? 1e-9 : 1e-7))
  }
}

@Suite("Relative difference and verdict")
struct RelativeDifferenceTests {
  @Test("‖a − b‖ / (‖a‖ + ‖b‖)")
  func definition() {
    #expect(relativeDifference([3, 4], [3, 4]) == 0)
    #expect(relativeDifference([0, 0], [0, 0]) == 0)
    #expect(relativeDifference([1, 0], [-1, 0]) == 1)
    #expect(relativeDifference([0], [5]) == 1)
    #expect(abs(relativeDifference([3, 4], [6, 8]) - 1.0 / 3) < 1e-15)
    #expect(relativeDifference([Double](), [Double]()) == 0)
  }

  @Test(
    "Neither overflow nor underflow",
    arguments: [Double.leastNonzeroMagnitude * 2048, 1e-200, 1.0, 1e200, 1e308])
  func range(scale: Double) {
    let a = [scale, -scale, scale]
    let b = [scale, scale, scale]
    let expected = 2 / (2 * 3.0.squareRoot())
    #expect(abs(relativeDifference(a, b) - expected) < 1e-3)
  }

  @Test("NaN and infinity are not small")
  func nonFinite() {
    #expect(relativeDifference([.nan, 1], [1, 1]).isNaN)
    #expect(!(relativeDifference([.infinity, 1], [1, 1]) <= 1))
  }

  @Test(
    "The bands",
    arguments: [
      (0.0, Verdict.right), (1e-7, .right), (1.01e-7, .acceptable), (1e-5, .acceptable),
      (1.01e-5, .suspicious), (1e-3, .suspicious), (1.01e-3, .wrong), (1.0, .wrong),
      (.nan, .wrong),
    ])
  func bands(distance: Double, verdict: Verdict) {
    #expect(Verdict(distance: distance) == verdict)
  }
}

@Suite("Closures")
struct ClosureTests {
  private static let layout = ParameterLayout([("W", [3, 2]), ("b", [3])])

  /// J = Σ softplus(W x + b) + ½‖W‖², and its gradient by hand.
  @Sendable private static func cost(_ theta: [Double]) -> Double {
    let x = [0.3, -1.2]
    var total = 0.0
    for o in 0..<3 {
      let z = theta[2 * o] * x[0] + theta[2 * o + 1] * x[1] + theta[6 + o]
      total += log1p(exp(z))
    }
    for w in theta[0..<6] { total += w * w / 2 }
    return total
  }

  private static let theta = [0.1, -0.4, 0.7, 0.2, -0.9, 0.5, 0.05, -0.3, 0.6]

  private static var gradient: [Double] {
    let x = [0.3, -1.2]
    var g = [Double](repeating: 0, count: 9)
    for o in 0..<3 {
      let z = theta[2 * o] * x[0] + theta[2 * o + 1] * x[1] + theta[6 + o]
      let s = 1 / (1 + exp(-z))
      g[2 * o] = s * x[0] + theta[2 * o]
      g[2 * o + 1] = s * x[1] + theta[2 * o + 1]
      g[6 + o] = s
    }
    return g
  }

  private func check(_ gradient: [Double], _ options: CheckOptions = .init()) throws -> CheckReport
  {
    try Checker.check(
      parameters: ParameterVector(layout: Self.layout, values: Self.theta),
      gradient: ParameterVector(layout: Self.layout, values: gradient), options: options,
      cost: Self.cost)
  }

  @Test("A right gradient passes in every scheme", arguments: Scheme.allCases)
  func right(scheme: Scheme) throws {
    var options = CheckOptions()
    options.scheme = scheme
    let report = try check(Self.gradient, options)
    #expect(report.passed, "distance \(report.relativeDifference), wrong \(report.wrong)")
    #expect(report.relativeDifference < 1e-7)
    #expect(report.checked == 9)
  }

  @Test("One wrong component is found", arguments: 0..<9)
  func wrong(component: Int) throws {
    var gradient = Self.gradient
    gradient[component] += 1e-5
    let report = try check(gradient)
    #expect(!report.passed)
    #expect(report.wrong == 1)
    #expect(report.worst.first?.passed == false)
  }

  @Test("A ReLU's kink between θ − ε and θ + ε is no error")
  func kink() throws {
    // One of nine elements is nearer to its kink than the step.
    let values = [0.5, -0.3, 1e-6, 0.2, -0.1, 0.9, -0.7, 0.4, 0.6]
    let layout = ParameterLayout([("θ", [9])])
    let theta = try ParameterVector(layout: layout, values: values)
    let gradient = try ParameterVector(
      layout: layout, values: values.map { $0 > 0 ? 2 * $0 + 1 : 0 })
    var options = CheckOptions()
    options.epsilon = 3e-6
    let report = try Checker.check(
      parameters: theta, gradient: gradient, options: options,
      cost: { $0.reduce(0) { $0 + max($1, 0) * (1 + max($1, 0)) } })
    #expect(report.passed, "\(report.worst)")
  }

  @Test("Bad input is refused")
  func refusals() throws {
    let other = ParameterLayout([("W", [9])])
    #expect(throws: InputError.self) {
      try Checker.check(
        parameters: ParameterVector(layout: Self.layout, values: Self.theta),
        gradient: ParameterVector(layout: other, values: Self.gradient), cost: Self.cost)
    }
    #expect(throws: InputError.self) {
      try Checker.check(
        parameters: ParameterVector(layout: Self.layout, values: Self.theta),
        gradient: ParameterVector(layout: Self.layout, values: Self.gradient),
        cost: { _ in .infinity })
    }
  }
}
