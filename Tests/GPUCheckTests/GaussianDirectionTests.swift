import Foundation
import GPUCheck
import Testing

/// The numbers of random directions.
@Suite struct GaussianDirectionTests {
  private func direction(_ box: TensorBox, _ shape: [Int], seed: UInt64 = 1, draw: UInt64 = 1)
    -> [Double]
  {
    GaussianDirection(box, of: shape, seed: seed, draw: draw).values(count: shape.reduce(1, *))
  }

  @Test("They are Gaussians of both signs, and their squares add up to 1")
  func moments() {
    let shape = [200, 500]
    let v = direction(TensorBox(whole: shape), shape)
    let n = Double(v.count)
    let scaled = v.map { $0 * n.squareRoot() }
    // Standard errors at 100,000 numbers: 0.003, 0.0045, 0.008, 0.03.
    #expect(scaled.reduce(0, +).magnitude / n < 0.015)
    #expect((scaled.reduce(0) { $0 + $1 * $1 } / n - 1).magnitude < 0.02)
    #expect(scaled.reduce(0) { $0 + $1 * $1 * $1 }.magnitude / n < 0.05)
    #expect((scaled.reduce(0) { $0 + $1 * $1 * $1 * $1 } / n - 3).magnitude < 0.15)
    let beyond = Double(scaled.filter { $0.magnitude > 1.959964 }.count) / n
    #expect((beyond - 0.05).magnitude < 0.004)
    // Neighbours have nothing to do with each other.
    let product = zip(scaled, scaled.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / n
    #expect(product.magnitude < 0.016)
  }

  @Test("Outside its box a direction is zero, within it every number is not")
  func box() {
    let shape = [6, 2, 5]
    let v = direction(TensorBox(rows: 2..<4, columns: 3..<7), shape)
    for (at, v) in v.enumerated() {
      #expect((v != 0) == ((2..<4).contains(at / 10) && (3..<7).contains(at % 10)), "\(at)")
    }
  }

  @Test("Seed and draw tell directions apart, and nothing else does")
  func draws() {
    let shape = [30]
    let all = TensorBox(whole: shape)
    let v = direction(all, shape)
    #expect(v == direction(all, shape))
    #expect(v != direction(all, shape, seed: 2))
    #expect(v != direction(all, shape, draw: 2))
    #expect(Set(v).count == 30)
  }

  @Test("Tensors without axes or elements")
  func small() {
    #expect(direction(TensorBox(whole: []), []).count == 1)
    #expect(direction(TensorBox(whole: [0, 3]), [0, 3]).isEmpty)
  }
}
