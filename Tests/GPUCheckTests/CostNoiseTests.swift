import Foundation
import GPUCheck
import Testing

/// The noise of a cost, and what follows from it.
@Suite("The noise of a cost")
struct CostNoiseTests {
  @Test("Of a smooth row with noise, the noise is found", arguments: [1e-3, 1e-8, 1e-12])
  func table(noise: Double) {
    var random = SplitMix64(seed: 7)
    var ratios: [Double] = []
    for _ in 0..<200 {
      let costs = (0..<9).map { at in
        let x = 1 + 1e-2 * noise.squareRoot() * Double(at)
        return sin(x) + noise * Double.random(in: -1...1, using: &random)
      }
      // Evenly spread over [-1, 1] has a deviation of 1/√3.
      if case .noise(let found) = CostNoise.ofDifferences(costs) {
        ratios.append(found / noise * 3.0.squareRoot())
      }
    }
    #expect(ratios.count > 100)
    let median = ratios.sorted()[ratios.count / 2]
    #expect((0.5...2).contains(median), "\(median)")
  }

  @Test("Equal costs stand too close, those of a steep function too wide")
  func extremes() {
    #expect(CostNoise.ofDifferences([Double](repeating: 1, count: 9)) == .tooClose)
    #expect(CostNoise.ofDifferences((0..<9).map { exp(Double($0)) }) == .tooWide)
    #expect(CostNoise.ofDifferences([]) == .tooWide)
    #expect(CostNoise.ofDifferences([1]) == .tooWide)
  }

  /// A check of J(θ) = θ³ + noise at θ = 1.5.
  private func check(
    average: Int = 1, error: Double = 0, options: CheckOptions = CheckOptions(),
    _ cost: @escaping @Sendable ([Double]) -> Double
  ) throws -> CheckReport {
    let layout = ParameterLayout([("t", [1])])
    var options = options
    options.average = average
    return try Checker.check(
      parameters: ParameterVector(layout: layout, values: [1.5]),
      gradient: ParameterVector(layout: layout, values: [6.75 + error]), options: options,
      cost: cost)
  }

  @Test("The step of θ³ is the one that its third derivative and double ask for")
  func step() throws {
    let report = try check { $0[0] * $0[0] * $0[0] }
    // (3σ / √2·6)^{1/3} for σ from 1 to 16 units of u·J.
    #expect((3e-6...2e-5).contains(report.epsilon), "\(report.epsilon)")
    #expect(report.passed)
  }

  @Test("A cost computed in float32 has float32's noise, a wider step and a wider bar")
  func single() throws {
    let cost = { @Sendable (theta: [Double]) -> Double in
      let t = Float(theta[0])
      return Double(t * t * t)
    }
    let report = try check(cost)
    #expect((1e-8...2e-6).contains(try #require(report.costNoise)))
    #expect(report.epsilon > 1e-3)
    #expect(report.passed, "\(report.worst)")
    #expect(try !check(error: 0.05, cost).passed)
  }

  @Test("A cost that is another each time is refused, or averaged with a wider bar")
  func random() throws {
    let cost = { @Sendable (theta: [Double]) -> Double in
      theta[0] * theta[0] * theta[0] + Double.random(in: -1e-6...1e-6)
    }
    #expect(throws: InputError.self) { try check(cost) }
    let report = try check(average: 25, cost)
    let noise = try #require(report.costNoise)
    #expect((0.3...3).contains(noise / (1e-6 / 3.0.squareRoot() / 5)), "\(noise)")
    #expect(report.passed, "\(report.worst)")
    #expect(try !check(average: 25, error: 0.05, cost).passed)
  }

  /// Σ_k max(0, a_k·θ_i + b_k)² + |…| of some lines: a smooth part, and kinks at every distance of θ.
  private struct Kinked: Sendable {
    let theta: [Double]
    let lines: [(slope: Double, place: Double)]
    let gradient: [Double]

    init(seed: UInt64) {
      var random = SplitMix64(seed: seed)
      theta = (0..<60).map { _ in Double.random(in: -1...1, using: &random) }
      // For every component a kink at a distance from 1e-8 to 1, and one elsewhere.
      let points = theta
      lines = points.flatMap { point in
        let far = pow(10, Double.random(in: -8...0, using: &random))
        return [
          (
            Double.random(in: -1...1, using: &random),
            point + (Bool.random(using: &random) ? far : -far)
          ),
          (Double.random(in: -1...1, using: &random), Double.random(in: -1...1, using: &random)),
        ]
      }
      let all = lines
      gradient = theta.enumerated().map { i, t in
        cos(t) + all[2 * i...2 * i + 1].reduce(0) { $0 + (t > $1.place ? $1.slope : 0) }
      }
    }

    @Sendable func cost(_ theta: [Double]) -> Double {
      theta.indices.reduce(0) { sum, i in
        lines[2 * i...2 * i + 1].reduce(sum + sin(theta[i])) {
          $0 + $1.slope * max(0, theta[i] - $1.place)
        }
      }
    }
  }

  @Test(
    "Kinks at every distance are no error, in double and in float32",
    arguments: 0..<12 as Range<UInt64>,
    [false, true])
  func kinks(seed: UInt64, isSingle: Bool) throws {
    let problem = Kinked(seed: seed)
    let layout = ParameterLayout([("t", [problem.theta.count])])
    func check(_ gradient: [Double]) throws -> CheckReport {
      try Checker.check(
        parameters: ParameterVector(layout: layout, values: problem.theta),
        gradient: ParameterVector(layout: layout, values: gradient)
      ) { isSingle ? Double(Float(problem.cost($0))) : problem.cost($0) }
    }
    let right = try check(problem.gradient)
    #expect(right.wrong == 0, "\(right.worst.prefix(3))")
    guard !isSingle else { return }
    #expect(right.passed)
    var wrong = problem.gradient
    wrong[7] += 0.01
    #expect(try !check(wrong).passed)
  }

  @Test("Large parameters with a kink beside them do not end a check")
  func largeParameters() throws {
    let layout = ParameterLayout([("t", [2])])
    let theta = [1e6, -3e5]
    let report = try Checker.check(
      parameters: ParameterVector(layout: layout, values: theta),
      gradient: ParameterVector(layout: layout, values: [1, 1])
    ) { max(0, $0[0] - 1e6 + 1e-9) + ($0[1] + 3e5) + 1e-3 }
    #expect(report.wrong == 0, "\(report.worst)")
  }

  @Test("A right zero at a minimum passes, a wrong one does not")
  func minimum() throws {
    let layout = ParameterLayout([("t", [3])])
    for (gradient, passes) in [([0.0, 0, 0], true), ([0, 1e-3, 0], false)] {
      let report = try Checker.check(
        parameters: ParameterVector(layout: layout, values: [0, 0, 0]),
        gradient: ParameterVector(layout: layout, values: gradient)
      ) { $0.reduce(1) { $0 + $1 * $1 } }
      #expect(report.passed == passes, "\(report.verdict) \(report.noiseFloor)")
    }
  }
}
