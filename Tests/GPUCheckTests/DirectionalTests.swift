import Foundation
import GPUCheck
import Testing

/// Checks along directions, of problems made up for the purpose.
@Suite(.serialized) struct DirectionalTests {
  /// x `[3, ins]` → W `[outs, ins]` → tanh → Σ weights·a, and the gradient in double.
  private struct Layer {
    var problem: Problem
    let outs: Int
    let ins: Int

    init(outs: Int, ins: Int) throws {
      (self.outs, self.ins) = (outs, ins)
      let samples = 3
      var random = SplitMix64(seed: 5)
      func numbers(_ count: Int) -> [Double] {
        (0..<count).map { _ in Double.random(in: -1...1, using: &random) }
      }
      let (x, w, weights) = (numbers(samples * ins), numbers(outs * ins), numbers(samples * outs))
      var graph = Graph(layout: ParameterLayout([("W", [outs, ins])]))
      let input = graph.constant("x", Tensor(shape: [samples, ins], values: x))
      let z = try graph.apply(.dense(.outIn), [input, graph.parameter(segment: 0)], name: "z")
      let a = try graph.apply(.element(.tanh), [z], name: "a")
      let c = graph.constant("c", Tensor(shape: [samples, outs], values: weights))
      graph.addToCost(try graph.apply(.element(.multiply), [a, c], name: "J"), factor: 0.01)
      var gradient = [Double](repeating: 0, count: outs * ins)
      for s in 0..<samples {
        for o in 0..<outs {
          var z = 0.0
          for i in 0..<ins { z += w[o * ins + i] * x[s * ins + i] }
          let slope = 0.01 * weights[s * outs + o] / (cosh(z) * cosh(z))
          for i in 0..<ins { gradient[o * ins + i] += slope * x[s * ins + i] }
        }
      }
      problem = Problem(
        graph: graph, parameters: try ParameterVector(layout: graph.layout, values: w),
        gradient: try ParameterVector(layout: graph.layout, values: gradient))
    }

    func at(_ row: Int, _ column: Int) -> Int { row * ins + column }
  }

  private func check(
    _ problem: Problem, _ directions: Int = 4, _ name: TestCheckers.Name = .cpu, seed: UInt64 = 0,
    precision: PrecisionChoice = .auto
  ) throws -> CheckReport {
    var options = CheckOptions()
    options.directions = directions
    options.seed = seed
    options.precision = precision
    return try name.checker().check(problem, options)
  }

  private func places(_ report: CheckReport) throws -> [WrongPlace] {
    let tensor = try #require(report.directional?.tensors.first)
    #expect(!report.passed && report.verdict == .wrong && !tensor.passed)
    #expect(report.textbookAgreement.passed)
    return tensor.places
  }

  @Test(
    "A right gradient passes with every seed, on every device",
    arguments: TestCheckers.Name.allCases)
  func right(name: TestCheckers.Name) throws {
    let problem = try Layer(outs: 20, ins: 30).problem
    for precision in name.precisions {
      for seed in 0..<20 as Range<UInt64> {
        let report = try check(problem, 4, name, seed: seed, precision: precision)
        #expect(report.passed && report.wrong == 0, "\(name) \(precision) seed \(seed)")
        #expect(report.textbookAgreement.passed && report.textbookAgreement.components >= 2)
      }
    }
  }

  @Test("One zeroed component of a million is named")
  func oneOfAMillion() throws {
    var layer = try Layer(outs: 1000, ins: 1000)
    let at = layer.at(614, 37)
    let lost = layer.problem.gradient.values[at]
    layer.problem.gradient.values[at] = 0
    let report = try check(layer.problem)
    let place = try #require(try places(report).first)
    #expect(place.part == .component && place.rows == 614..<615 && place.columns == 37..<38)
    #expect(place.analytic == 0)
    let numeric = try #require(place.numeric)
    #expect((numeric - lost).magnitude <= 1e-9 * lost.magnitude)
    // The report's promise holds: such an error was to be seen.
    let tensor = try #require(report.directional?.tensors.first)
    #expect(lost.magnitude > tensor.detectable)
  }

  @Test("Rows, columns and blocks that are wrong are named, each with what it was multiplied by")
  func parts() throws {
    let right = try Layer(outs: 40, ins: 50)
    var layer = right
    for i in 0..<50 { layer.problem.gradient.values[layer.at(7, i)] *= 1.5 }
    var found = try places(check(layer.problem))
    #expect(found.map(\.part) == [.rows] && found.map(\.rows) == [7..<8])
    #expect(try #require(found.first?.ratio).rounded(toPlaces: 6) == 1.5)

    layer = right
    for i in 0..<50 {
      layer.problem.gradient.values[layer.at(0, i)] = 0
      layer.problem.gradient.values[layer.at(39, i)] *= -1
    }
    found = try places(check(layer.problem))
    #expect(found.map(\.rows) == [0..<1, 39..<40])
    #expect(found.map { $0.ratio?.rounded(toPlaces: 6) } == [0, -1])

    layer = right
    for o in 0..<40 { layer.problem.gradient.values[layer.at(o, 49)] = 0 }
    found = try places(check(layer.problem))
    #expect(found.map(\.part) == [.columns] && found.map(\.columns) == [49..<50])

    layer = right
    for o in 0..<16 {
      for i in 0..<50 { layer.problem.gradient.values[layer.at(o, i)] *= Double(i) }
    }
    found = try places(check(layer.problem))
    #expect(found.map(\.part) == [.rows] && found.first?.rows.lowerBound == 0)
    #expect((15...20).contains(try #require(found.first?.rows.upperBound)))

    layer = right
    layer.problem.gradient.values[layer.at(3, 4)] += 0.01
    layer.problem.gradient.values[layer.at(30, 41)] += 0.01
    found = try places(check(layer.problem))
    #expect(found.map(\.part) == [.component, .component])
    #expect(found.map(\.rows) == [3..<4, 30..<31] && found.map(\.columns) == [4..<5, 41..<42])
  }

  @Test("A tensor that is wrong as a whole is named as such, with its factor where it has one")
  func wholes() throws {
    let right = try Layer(outs: 12, ins: 9)
    for factor in [0, -1, 0.5, 32] as [Double] {
      var layer = right
      for at in layer.problem.gradient.values.indices {
        layer.problem.gradient.values[at] *= factor
      }
      let found = try places(check(layer.problem))
      #expect(found.map(\.part) == [.tensor])
      #expect(found.first?.ratio?.rounded(toPlaces: 6) == factor)
    }
    var layer = right
    layer.problem.gradient.values.reverse()
    let found = try places(check(layer.problem))
    #expect(found.map(\.part) == [.tensor] && found.first?.ratio == nil)
  }

  @Test("Both reports say where; JSON keeps to its schema")
  func written() throws {
    let right = try Layer(outs: 40, ins: 50)
    func report(_ edit: (inout Layer) -> Void) throws -> CheckReport {
      var layer = right
      edit(&layer)
      return try check(layer.problem, 2)
    }
    let row = try report { layer in
      for i in 0..<50 { layer.problem.gradient.values[layer.at(7, i)] *= 1.5 }
    }
    let component = try report { layer in layer.problem.gradient.values[layer.at(3, 49)] = 0 }
    let all = try report { layer in
      layer.problem.gradient.values = layer.problem.gradient.values.map { -$0 }
    }
    let texts = [
      (try report { _ in }, "could have missed"), (row, "W is wrong: row 7 is 1.5 times what"),
      (component, "W is wrong: component [3, 49] is 0 and should be"),
      (all, "W is wrong: all of it is -1 times what it should be."),
    ]
    var schema = try SchemaCheck("report.schema.json")
    for (report, text) in texts {
      try schema.expect(JSONReport.write(report))
      let lines = TextReport.write(report).split(separator: "\n")
      #expect(lines.joined(separator: " ").contains(text), "\(lines)")
      #expect(lines.allSatisfy { $0.count <= 100 })
    }
  }

  @Test("Lanes grow with the logarithm of a tensor's size")
  func lanes() throws {
    var counts: [Int] = []
    for size in [16, 128, 1024] {
      var layer = try Layer(outs: size, ins: 16)
      layer.problem.gradient.values[layer.at(size - 2, 5)] = 0
      let report = try check(layer.problem)
      #expect(try places(report).first?.part == .component)
      counts.append(report.devices.reduce(0) { $0 + $1.lanes })
    }
    // Eight times the rows are one look more, of eight parts with four lanes each.
    #expect(counts[1] - counts[0] <= 64 && counts[2] - counts[1] <= 64, "\(counts)")
  }

  @Test("What the report says may be missed is missed seldom")
  func sensitivity() throws {
    let right = try Layer(outs: 10, ins: 10)
    for directions in [1, 3] {
      var seen = 0
      for seed in 0..<100 as Range<UInt64> {
        var layer = right
        let quiet = try check(layer.problem, directions, seed: seed)
        let tensor = try #require(quiet.directional?.tensors.first)
        #expect(tensor.passed && tensor.detectable > 0)
        layer.problem.gradient.values[Int(seed)] += tensor.detectable
        if try !check(layer.problem, directions, seed: seed).passed { seen += 1 }
      }
      // 99 are expected; fewer than 94 have a probability below 1e-3.
      #expect(seen >= 94, "\(directions): \(seen) of 100")
    }
  }

  @Test("Not a number anywhere fails its tensor and is found without halving")
  func nonFinite() throws {
    var layer = try Layer(outs: 4, ins: 5)
    layer.problem.gradient.values[layer.at(2, 3)] = .nan
    let report = try check(layer.problem)
    #expect(report.verdict == .wrong && report.findings.map(\.kind) == ["nonFinite"])
    #expect(report.directional?.tensors.first?.places.isEmpty == true)
  }

  @Test("Tensors that J does not depend on, and empty ones")
  func unused() throws {
    var graph = Graph(layout: ParameterLayout([("unused", [3]), ("none", [0, 2]), ("w", [2])]))
    graph.addToCost(
      try graph.apply(.element(.square), [graph.parameter(segment: 2)], name: "J"), factor: 1)
    for wrong in [0.0, 1.0] {
      let report = try check(
        Problem(
          graph: graph,
          parameters: try ParameterVector(layout: graph.layout, values: [1, 2, 3, 4, 5]),
          gradient: try ParameterVector(layout: graph.layout, values: [0, wrong, 0, 8, 10])))
      #expect(report.passed == (wrong == 0))
      #expect(report.directional?.tensors.map(\.passed) == [wrong == 0, true, true])
      if wrong != 0 {
        let place = try #require(report.directional?.tensors.first?.places.first)
        #expect(place.part == .component && place.rows == 1..<2 && place.numeric == 0)
      }
    }
  }

  @Test("A ReLU that stands on its kink: either branch passes, and a wrong tensor fails")
  func kinks() throws {
    // J = Σ relu(w·x) of three units, the second of which is at 0 exactly.
    var graph = Graph(layout: ParameterLayout([("W", [3, 2])]))
    let x = graph.constant("x", Tensor(shape: [1, 2], values: [1, 1]))
    let z = try graph.apply(.dense(.outIn), [x, graph.parameter(segment: 0)], name: "z")
    graph.addToCost(try graph.apply(.element(.relu), [z], name: "a"), factor: 1)
    let theta = try ParameterVector(layout: graph.layout, values: [1, 2, 1, -1, 3, -1])
    for (given, passes) in [(0.0, true), (1.0, true), (0.5, true), (-40.0, false)] {
      let report = try check(
        Problem(
          graph: graph, parameters: theta,
          gradient: try ParameterVector(layout: graph.layout, values: [1, 1, given, given, 1, 1])))
      #expect(report.passed == passes, "\(given)")
      #expect(report.kinks.tied == 4)
    }
  }
}

extension Double {
  fileprivate func rounded(toPlaces places: Int) -> Double {
    let scale =
      Double(sign: .plus, exponent: 0, significand: 1) * (0..<places).reduce(1) { p, _ in p * 10 }
    return (self * scale).rounded() / scale
  }
}
