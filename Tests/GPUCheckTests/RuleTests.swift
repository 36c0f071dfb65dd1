import Foundation
import GPUCheck
import Kernels
import Testing

/// The difference rule of every element function alone, against differences at 60 digits
/// (Fixtures/rules/make_rules.py): x over [−20, 20] and |Δ| over [1e-12, 10].
@Suite(.serialized) struct RuleTests {
  @Test(
    "f(x + Δ) − f(x) to rounding, for every size of Δ",
    arguments: TestBackend.allCases)
  func differences(on backend: TestBackend) throws {
    let table = try RuleTable()
    for precision in backend.precisions {
      let evaluator = try table.evaluator(backend.open(), precision)
      for (segment, row) in table.rows.enumerated() {
        let count = row.points.count
        let found = try evaluator.evaluate(
          LaneBatch(
            segment: segment, components: (0..<count).map { Int32($0) },
            moves: row.points.map(\.d))
        ).values
        for (i, point) in row.points.enumerated() {
          let error = (found[i] - point.difference).magnitude
          let allowed = row.bar(point, precision) * point.scale + row.underflow(precision)
          #expect(
            error <= allowed,
            """
            \(row.function) \(backend.rawValue) \(precision) [\(i)]: x \(point.x), Δ \(point.d), \
            y \(point.y): \(found[i]) ± \(allowed), exactly \(point.difference) ± \
            \(point.difference.ulp / 2)
            """)
        }
      }
    }
  }

  @Test("The table covers small and large steps of every function")
  func coverage() throws {
    let table = try RuleTable()
    #expect(table.rows.map(\.function) == everyElementFunction)
    for row in table.rows {
      #expect(row.points.count > 150)
      #expect(row.points.contains { $0.d.magnitude < 2e-12 })
      let largest = row.function == .binaryCrossEntropy ? 0.3 : 9.9
      #expect(row.points.contains { $0.d.magnitude > largest }, "\(row.function)")
      #expect(row.points.contains { $0.difference != 0 })
    }
  }
}

/// The fixture as a graph: each function of a parameter of its own, whose components are the
/// points, so that ΔJ of a lane is the difference at one point.
private struct RuleTable {
  struct Point {
    var x: Double
    var d: Double
    var y: Double
    /// f(x + d) − f(x), rounded once.
    var difference: Double
    /// The size of the terms that it is the sum of.
    var scale: Double
  }

  struct Row {
    var function: ElementFunction
    var points: [Point]

    /// The error that a point may have, relative to the terms. In the tails of GELU a rounding of
    /// the exponent, which is x²/2 or the argument of the tanh form, counts that many times over.
    func bar(_ point: Point, _ precision: Precision) -> Double {
      let rule = precision == .f64 ? 1e-15 : 4e-7
      let x = max(point.x.magnitude, (point.x + point.d).magnitude)
      return switch function {
      case .gelu: rule * (1 + x * x / 2)
      case .erf: rule * (1 + 2 * x * x)
      case .geluTanh: rule * (1 + 1.6 * x * (1 + 0.0447 * x * x))
      default: rule
      }
    }

    /// What coefficients and results below the normal numbers lose.
    func underflow(_ precision: Precision) -> Double {
      64 * (precision == .f32 ? Double(Float.leastNormalMagnitude) : Double.leastNormalMagnitude)
    }
  }

  var rows: [Row]

  init() throws {
    let url = (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
      .appendingPathComponent("Fixtures/rules/rules.npz")
    let tables = try NPZFile.decode(Data(contentsOf: url))
    rows = try everyElementFunction.map { function in
      let table = try #require(tables[Self.name(function)], "rules.npz has no \(function)")
      let points = stride(from: 0, to: table.count, by: 5).map { at in
        let row = table.values[at..<at + 5]
        return Point(
          x: row[at], d: row[at + 1], y: row[at + 2], difference: row[at + 3], scale: row[at + 4])
      }
      return Row(function: function, points: points)
    }
  }

  /// The name of a function's table.
  private static func name(_ function: ElementFunction) -> String {
    if case .elu(let alpha) = function, alpha != 1 { "elu-\(alpha)" } else { function.name }
  }

  func evaluator(_ backend: any Backend, _ precision: Precision) throws -> any LaneEvaluator {
    let layout = ParameterLayout(rows.map { ($0.function.name, [$0.points.count]) })
    var graph = Graph(layout: layout)
    for (segment, row) in rows.enumerated() {
      let x = graph.parameter(segment: segment)
      var inputs = [x]
      if row.function.isBinary {
        let y = Tensor(shape: [row.points.count], values: row.points.map(\.y))
        inputs.append(graph.constant("y", y))
      }
      graph.addToCost(try graph.apply(.element(row.function), inputs, name: "f"), factor: 1)
    }
    let theta = try ParameterVector(
      layout: layout, values: rows.flatMap { $0.points.map(\.x) })
    return try backend.prepare(
      Baseline(graph: graph, parameters: theta), mode: .difference, precision: precision,
      tieRoundoff: precision.unitRoundoff)
  }
}
