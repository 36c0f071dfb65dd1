import GPUCheck
import Kernels
import Testing

/// Rules that take eight lanes at a time, held to what they give of one.
@Suite("Eight lanes at a time")
struct LaneVectorTests {
  @Test("Each lane has the bits that it has alone, at steps of all sizes")
  func sameBits() {
    var taken: [String: Int] = [:]
    for (x, y) in [(0.7, 0.2), (-1.3, 0), (0, 0), (2.5e-3, -1)] {
      taken["tanh", default: 0] += check(TanhRule.self, x, y)
      taken["square", default: 0] += check(SquareRule.self, x, y)
      // ReLU, leaky ReLU, |x| and a hinge.
      for attributes: SIMD4<Double> in [
        [0, 1, 0, 0], [0.01, 1, 0, 0], [-1, 1, 0, 0], [0, 1, 1, 1],
      ] {
        taken["straight", default: 0] += check(StraightRule.self, x, y, attributes)
      }
    }
    // In both precisions: tanh where all steps are small, straight functions where none comes near a kink.
    #expect(taken == ["tanh": 28, "square": 48, "straight": 128], "\(taken)")
  }

  @Test("Where one meets a kink all go one by one")
  func kinks() {
    let c: SIMD4<Double> = [0.1, 1, 1e-12, 0]
    let relu: SIMD4<Double> = [0, 1, 0, 0]
    let near = SIMD8<Double>(repeating: -1e-3)
    #expect(StraightRule.difference(near, c, relu) == near)
    var far = near
    for step in [-0.1, -0.2, .nan, -.infinity] {
      far[5] = step
      #expect(StraightRule.difference(far, c, relu) == nil, "\(step)")
    }
    #expect(StraightRule.difference(near, [1e-13, 1, 1e-12, 0], relu) == nil)
  }

  /// How many steps of both precisions a rule takes eight at a time.
  private func check<Rule: ElementRule>(
    _ rule: Rule.Type, _ x: Double, _ y: Double, _ attributes: SIMD4<Double> = .zero
  ) -> Int {
    check(rule, x, y, attributes, in: Double.self) + check(rule, x, y, attributes, in: Float.self)
  }

  private func check<Rule: ElementRule, T: LaneReal>(
    _ rule: Rule.Type, _ x: Double, _ y: Double, _ attributes: SIMD4<Double>, in: T.Type
  ) -> Int {
    let c = SIMD4<T>(rule.coefficients(x, y, attributes, 1e-15))
    let a = SIMD4<T>(attributes)
    var taken = 0
    for size in [1e-30, 1e-9, 1e-5, 1e-3, 0.1, 3] {
      let steps = SIMD8<T>((0..<8).map { T(size * [1, -1, 0.5, 0, 0.25, -0.125, 0.75, -0.3][$0]) })
      guard let changes = rule.difference(steps, c, a) else { continue }
      taken += 1
      for lane in 0..<8 {
        var kinks = KinkMeter(tiePolicy: .natural)
        let alone = rule.difference(steps[lane], c, a, &kinks)
        #expect(
          changes[lane] == alone && changes[lane].sign == alone.sign && kinks.flags == 0,
          "\(rule.kernel.rule) of \(T.self) at \(x), step \(steps[lane])")
      }
    }
    return taken
  }
}
