import GPUCheck
import Kernels
import Testing

@Suite("Units in the last place") struct ULPTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var a: Double
    var b: Double
    var f64: UInt64?
    var f32: UInt64?
    var testDescription: String { "\(a) and \(b)" }
  }

  static let cases = [
    Case(a: 0, b: 0, f64: 0, f32: 0),
    Case(a: 0, b: -0.0, f64: 0, f32: 0),
    Case(a: 1, b: 1, f64: 0, f32: 0),
    Case(a: 1, b: 1.0.nextUp, f64: 1, f32: 0),
    Case(a: 1, b: 1.0.nextDown, f64: 1, f32: 0),
    Case(a: 1, b: 1 + 0x1p-23, f64: 1 << 29, f32: 1),
    Case(a: 1, b: 1 - 0x1p-24, f64: 1 << 29, f32: 1),
    Case(a: 1, b: 2, f64: 1 << 52, f32: 1 << 23),
    Case(a: -1, b: -2, f64: 1 << 52, f32: 1 << 23),
    // Across zero, and among the subnormal numbers, every number counts.
    Case(a: .leastNonzeroMagnitude, b: -.leastNonzeroMagnitude, f64: 2, f32: 0),
    Case(a: 0x1p-149, b: -0x1p-149, f64: 2 * ((1023 - 149) << 52), f32: 2),
    Case(a: 0, b: .leastNormalMagnitude, f64: 1 << 52, f32: 0),
    Case(a: .greatestFiniteMagnitude, b: .infinity, f64: 1, f32: 0),
    Case(a: .infinity, b: .infinity, f64: 0, f32: 0),
    Case(
      a: .greatestFiniteMagnitude, b: -.greatestFiniteMagnitude, f64: 2 * (0x7FF << 52) - 2,
      f32: 2 * (0xFF << 23)),
    Case(a: .nan, b: 1, f64: nil, f32: nil),
    Case(a: 1, b: .nan, f64: nil, f32: nil),
    Case(a: .nan, b: .nan, f64: nil, f32: nil),
  ]

  @Test("The distance counts the numbers in between, both ways round", arguments: cases)
  func distance(row: Case) {
    for (a, b) in [(row.a, row.b), (row.b, row.a)] {
      #expect(ulpDistance(a, b, .f64) == row.f64)
      #expect(ulpDistance(a, b, .f32) == row.f32)
    }
  }

  @Test("A value's distance from another, in spacings of the other")
  func spacings() {
    let rows: [(value: Double, other: Double, f64: Double, f32: Double)] = [
      (1, 1, 0, 0), (1 + 0x1p-23, 1, 0x1p29, 1), (1 + 0x1p-25, 1, 0x1p27, 0.25),
      (-2 - 0x1p-21, -2, 0x1p30, 2), (0, 0x1p-149, 0x1p53, 1),
    ]
    for row in rows {
      // 2⁻¹⁴⁹ is a normal number in f64: it lies 2⁵² spacings from 0.
      let f64 = row.value == 0 ? 0x1p52 : row.f64
      #expect(ulps(row.value, from: row.other, .f64) == f64)
      #expect(ulps(row.value, from: row.other, .f32) == row.f32)
    }
  }

  @Test("Buckets double, from 0 to all there is, without gap or overlap")
  func buckets() {
    #expect(
      (0...4).map(ULPHistogram.range(ofBucket:)) == [0...0, 1...1, 2...3, 4...7, 8...15])
    for bucket in 1...64 {
      let before = ULPHistogram.range(ofBucket: bucket - 1)
      #expect(ULPHistogram.range(ofBucket: bucket).lowerBound == before.upperBound + 1)
    }
    #expect(ULPHistogram.range(ofBucket: 64).upperBound == .max)
  }

  @Test("Distances fall into their buckets")
  func histogram() {
    var histogram = ULPHistogram()
    for distance: UInt64? in [0, 0, 1, 2, 3, 3, 4, 7, 8, nil] { histogram.add(distance) }
    #expect(histogram.counts == [2, 1, 3, 2, 1])
    #expect(histogram.notNumbers == 1)
    histogram.add(.max)
    #expect(histogram.counts.count == 65 && histogram.counts.last == 1)
    var empty = ULPHistogram()
    #expect(empty.counts.isEmpty)
    empty.add(nil)
    #expect(empty.counts.isEmpty && empty.notNumbers == 1)
  }
}
