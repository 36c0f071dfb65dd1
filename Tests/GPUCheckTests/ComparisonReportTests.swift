import Foundation
import GPUCheck
import Kernels
import Testing

/// Both forms of a comparison.
@Suite("Reports of comparisons") struct ComparisonReportTests {
  /// A device whose values are wrong by a factor, and NaN at one component.
  private struct Wrong: Backend {
    var name: String
    let supportsDouble = true
    func build(_ graph: Graph, mode: LaneMode, precision: Precision, components: Int) {}
    func prepare(
      _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
    ) throws -> any LaneEvaluator {
      Lanes(
        right: try CPUBackend().prepare(
          baseline, mode: mode, precision: precision, tieRoundoff: tieRoundoff))
    }

    struct Lanes: LaneEvaluator {
      let right: any LaneEvaluator
      var mode: LaneMode { right.mode }
      var precision: Precision { right.precision }
      func wantedLanes(segment: Int) -> Int { right.wantedLanes(segment: segment) }
      func evaluate(_ batch: LaneBatch) throws -> LaneResults {
        var results = try right.evaluate(batch)
        for lane in results.values.indices {
          let component = batch.lane(lane).component
          results.values[lane] *= batch.segment == 0 && component == 1 ? .nan : 1.25
          if component == 2 { results.flags[lane].insert(.crossed) }
        }
        return results
      }
    }
  }

  private func comparison(_ backends: [any Backend], gradient: Bool = false) throws
    -> GPUCheck.Comparison
  {
    let problem = try NetworkFixture.named("activation-relu").problem()
    var options = CompareOptions()
    options.evaluators = [.difference, .direct]
    options.top = 3
    return try Comparer(backends).compare(
      problem.graph, at: problem.parameters, gradient: gradient ? problem.gradient : nil, options)
  }

  private func wrong() throws -> GPUCheck.Comparison {
    let long = String(repeating: "a device with a long name, ", count: 9) + "\u{1B}[31m"
    var comparison = try comparison(
      [CPUBackend(), Wrong(name: long), TestBackend.pocl.open()], gradient: true)
    comparison.warnings = ["something to know"]
    return comparison
  }

  @Test("Text keeps to 100 columns and obeys no terminal codes of a name")
  func columns() throws {
    for text in try [
      TextComparison.write(wrong()), TextComparison.write(comparison([CPUBackend()])),
    ] {
      for line in text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
      #expect(!text.contains("\u{1B}"))
    }
    #expect(TextComparison.write(try wrong(), colour: true).contains("\u{1B}[31m"))
  }

  @Test("Text says what differs: runs, components with both values and bars, kinks, warnings")
  func text() throws {
    let text = TextComparison.write(try wrong())
    let phrases = [
      "DIFFER  12 runs on 3 devices", "lie outside their error bars in", "5 B difference f64",
      "not a number", "The components farthest outside the bars of two (3 of ",
      "met one in some runs and not in others: ", "Warning: something to know",
      "what gpucheck check says of the gradient", "division and square root correctly rounded",
    ]
    for phrase in phrases { #expect(text.contains(phrase), "\(phrase)") }
    let agreeing = TextComparison.write(try comparison([CPUBackend()]))
    #expect(agreeing.hasPrefix("AGREE  4 runs on 1 device, "))
    #expect(agreeing.contains("what a check would say of the run's gradient"))
    #expect(!agreeing.contains("farthest outside"))
  }

  @Test("A device's arithmetic in words")
  func arithmetic() {
    let rows: [(Arithmetic, String)] = [
      (
        .ieee,
        "denormals kept; infinities and NaN; rounds to nearest, to zero, to infinity; fma; "
          + "division and square root correctly rounded"
      ),
      (
        [.roundsToZero, .isSoftware],
        "denormals may be flushed to zero; no infinities, no NaN; rounds to zero; no fma "
          + "claimed; division and square root not correctly rounded; in software"
      ),
    ]
    for (facts, words) in rows { #expect(TextComparison.words(facts) == words) }
  }

  @Test("The schema in docs/ has the keys that are written, and no others")
  func schema() throws {
    var schema = try SchemaCheck("comparison.schema.json")
    try schema.expect(JSONComparison.write(wrong()))
    // Everything that is defined was met.
    try schema.expectAllMet()
    try schema.expect(JSONComparison.write(comparison([CPUBackend()])))
  }
}
