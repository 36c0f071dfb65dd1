import CLanes
import Testing

/// The host's innermost loops, with every instruction set of this machine.
struct LaneLoopTests {
  /// Numbers between −1 and 1, the same every time.
  private static func numbers(_ count: Int, seed: UInt64) -> [Double] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: state) >> 11) * 0x1p-52
    }
  }

  private static func shape(
    lanes: Int, outs: Int, depth: Int, adds: Bool,
    at: (weights: UnsafePointer<Int>, rows: UnsafePointer<Int>)? = nil
  ) -> LaneProducts {
    LaneProducts(
      lanes: lanes, outs: outs, depth: depth, out_stride: depth, depth_stride: 1,
      row_stride: lanes, weight_at: at?.weights, row_at: at?.rows, output_stride: lanes,
      adds: adds)
  }

  @Test(arguments: [1, 2, 3, 7, 16, 31, 40, 67])
  func sumsAreThoseOfPlainLoops(lanes: Int) {
    for (outs, depth) in [(1, 5), (2, 1), (3, 64), (5, 9), (6, 33), (11, 12)] {
      let weights = Self.numbers(outs * depth, seed: 1)
      let rows = Self.numbers(depth * lanes, seed: 2)
      let before = Self.numbers(outs * lanes, seed: 3)
      // Terms in the opposite order, by lists.
      let weightAt = Array((0..<depth).reversed())
      let rowAt = weightAt.map { $0 * lanes }
      for adds in [false, true] {
        for isListed in [false, true] {
          for set in 0..<lane_instruction_sets() {
            var single = before.map(Float.init)
            var double = before
            weightAt.withUnsafeBufferPointer { weightAt in
              rowAt.withUnsafeBufferPointer { rowAt in
                var shape = Self.shape(
                  lanes: lanes, outs: outs, depth: depth, adds: adds,
                  at: isListed
                    ? weightAt.baseAddress.flatMap { w in rowAt.baseAddress.map { (w, $0) } } : nil)
                lane_products_f64(set, &shape, weights, rows, &double)
                lane_products_f32(
                  set, &shape, weights.map(Float.init), rows.map(Float.init), &single)
              }
            }
            for o in 0..<outs {
              for lane in 0..<lanes {
                let at = o * lanes + lane
                let sum = (0..<depth).reduce(adds ? before[at] : 0) {
                  $0 + weights[o * depth + $1] * rows[$1 * lanes + lane]
                }
                #expect((double[at] - sum).magnitude <= Double(depth + 1) * 0x1p-52)
                #expect((Double(single[at]) - sum).magnitude <= Double(depth + 3) * 0x1p-23)
              }
            }
          }
        }
      }
    }
  }

  /// What a lane's neighbours are, and how many, is nothing to it.
  @Test func lanesAreIndependent() {
    let (lanes, outs, depth) = (61, 7, 19)
    let weights = Self.numbers(outs * depth, seed: 4)
    let rows = Self.numbers(depth * lanes, seed: 5)
    for set in 0..<lane_instruction_sets() {
      var all = [Double](repeating: 0, count: outs * lanes)
      var shape = Self.shape(lanes: lanes, outs: outs, depth: depth, adds: false)
      lane_products_f64(set, &shape, weights, rows, &all)
      for lane in 0..<lanes {
        var alone = [Double](repeating: 0, count: outs)
        var single = Self.shape(lanes: 1, outs: outs, depth: depth, adds: false)
        let own = (0..<depth).map { rows[$0 * lanes + lane] }
        lane_products_f64(set, &single, weights, own, &alone)
        #expect(alone == (0..<outs).map { all[$0 * lanes + lane] })
      }
    }
  }

  @Test func seriesStopAtTheFirstLargeStep() {
    let (elements, stride, lanes) = (9, 7, Int(LANE_SERIES_LANES))
    let terms = Self.numbers(elements * stride, seed: 6)
    for large in [nil, 0, 5, 8] {
      for set in 0..<lane_instruction_sets() {
        var steps = Self.numbers(elements * lanes, seed: 7).map { $0 * 0x1p-13 }
        if let large { steps[large * lanes + lanes - 1] = -0.5 }
        var (double, single) = (steps, steps.map(Float.init))
        let limit = 0x1p-12
        #expect(
          lane_series_f64(set, elements, limit, terms, stride, &double) == large ?? elements)
        #expect(
          lane_series_f32(set, elements, Float(limit), terms.map(Float.init), stride, &single)
            == large ?? elements)
        for (at, d) in steps.enumerated() {
          let c = terms[(at / lanes * stride)...].prefix(Int(LANE_SERIES_TERMS))
          let isDone = at / lanes < large ?? elements
          let expected = isDone ? c.reversed().reduce(0) { $0 * d + $1 } * d : d
          #expect((double[at] - expected).magnitude <= 0x1p-51 * d.magnitude)
          #expect((Double(single[at]) - expected).magnitude <= 0x1p-22 * d.magnitude)
        }
      }
    }
  }
}
