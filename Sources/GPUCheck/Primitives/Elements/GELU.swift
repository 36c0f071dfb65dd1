import RealModule

/// x·Φ(x), Φ the normal distribution function. Twin of kernels/gelu.cl.
package enum GELURule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "gelu", files: ["small.cl", "sigmoid.cl", "gelu.cl"], coefficients: 3)

  /// Φ(x), accurate in the lower tail.
  package static func distribution<T: LaneReal>(_ x: T) -> T {
    T.erfc(-x * T(0.5).squareRoot()) / 2
  }

  /// φ(x).
  package static func density(_ x: Double) -> Double {
    Double.exp(-x * x / 2) / (2 * Double.pi).squareRoot()
  }

  /// Φ(x + d) − Φ(x) = φ(x)·d·∫₀¹ e^{−h(x + h/2)} with h running along the step. Small against
  /// 1/max(1, |x|): six terms of the series in d (its coefficients are Hermite polynomials); up to
  /// one such unit: eight Gauss–Legendre nodes; beyond: the difference of erfc on the side where
  /// it keeps its digits, where the two values differ by a factor and nothing cancels.
  package static func step<T: LaneReal>(_ d: T, _ x: T, _ density: T) -> T {
    let size = d.magnitude * T.maximum(1, x.magnitude)
    if size <= T(1e-3) {
      let h2 = x * x - 1
      let h3 = x * (h2 - 2)
      let h4 = x * h3 - 3 * h2
      let h5 = x * h4 - 4 * h3
      var sum = h4 / 120 - d * h5 / 720
      sum = -h3 / 24 + d * sum
      sum = h2 / 6 + d * sum
      sum = -x / 2 + d * sum
      return density * d * (1 + d * sum)
    }
    if size <= 1 {
      var sum: T = 0
      for (node, weight) in gaussLegendre {
        for side in [node, 1 - node] {
          let h = T(side) * d
          sum += T(weight) * T.exp(-h * (x + h / 2))
        }
      }
      return density * d * sum
    }
    let z = x + d
    let scale = T(0.5).squareRoot()
    if x * z < 0 {
      let areas = (T.erf(z.magnitude * scale) + T.erf(x.magnitude * scale)) / 2
      return d > 0 ? areas : -areas
    }
    let tails = (T.erfc(x.magnitude * scale) - T.erfc(z.magnitude * scale)) / 2
    return x + z >= 0 ? tails : -tails
  }

  /// The lower four of the eight nodes on [0, 1] and their weights (DLMF 3.5.v, shifted).
  private static let gaussLegendre: [(node: Double, weight: Double)] = [
    (0.01985507175123188, 0.05061426814518813), (0.10166676129318664, 0.11119051722668724),
    (0.2372337950418355, 0.15685332293894363), (0.4082826787521751, 0.18134189168918100),
  ]

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    [x, distribution(x), density(x), 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    d * c[1] + (c[0] + d) * step(d, c[0], c[2])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    x * distribution(x)
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let (part, whole) = (x * density(x), distribution(x))
    return Slope(value: whole + part, terms: Double.sqrt(whole * whole + part * part))
  }
}

/// x/2·(1 + tanh(√(2/π)(x + 0.044715x³))) = x·σ(2√(2/π)(x + 0.044715x³)). Twin of kernels/gelu.cl.
package enum GELUTanhRule: ElementRule {
  package static let kernel = ElementKernel(
    rule: "gelu_tanh", files: ["small.cl", "sigmoid.cl", "gelu.cl"], coefficients: 3)

  private static let cubic = 0.044715
  private static let twoK = 2 * (2 / Double.pi).squareRoot()

  @inline(__always)
  private static func argument<T: LaneReal>(_ x: T) -> T {
    T(twoK) * x * (1 + T(cubic) * x * x)
  }

  package static func coefficients(
    _ x: Double, _ y: Double, _ a: SIMD4<Double>, _ tolerance: Double
  ) -> SIMD4<Double> {
    let (s, t) = SigmoidRule.both(argument(x))
    return [x, s, t, 0]
  }

  @inline(__always)
  package static func difference<T: LaneReal>(
    _ d: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    let x = c[0]
    let inner = T(twoK) * d * (1 + T(cubic) * (3 * x * (x + d) + d * d))
    if T.minimum(c[1], c[2]) < T.leastNormalMagnitude {
      // One gate has underflowed, so that the other's step is all that it comes to.
      let moved = argument(x + d)
      let step = c[1] > c[2] ? c[2] - SigmoidRule.of(-moved) : SigmoidRule.of(moved) - c[1]
      return d * c[1] + (x + d) * step
    }
    return d * c[1] + (x + d) * SigmoidRule.step(inner, c[1], c[2])
  }

  @inline(__always)
  package static func value<T: LaneReal>(
    _ x: T, _ c: SIMD4<T>, _ a: SIMD4<T>, _ kinks: inout KinkMeter
  ) -> T {
    x * SigmoidRule.of(argument(x))
  }

  package static func slope(_ x: Double, _ y: Double, _ a: SIMD4<Double>) -> Slope {
    let (s, t) = SigmoidRule.both(argument(x))
    let part = x * s * t * twoK * (1 + 3 * cubic * x * x)
    return Slope(value: s + part, terms: s + part.magnitude)
  }
}
