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
    func build(_ graph: Graph, mode: LaneMode, precision: Precision) {}
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
          results.values[lane] *= batch.segment == 0 && batch.components[lane] == 1 ? .nan : 1.25
          if batch.components[lane] == 2 { results.flags[lane].insert(.crossed) }
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
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/comparison.schema.json")
    let schema = try JSONValue(parsing: Data(contentsOf: file))
    let written = try JSONValue(parsing: Data(JSONComparison.write(wrong()).utf8))
    var seen: Set<String> = []
    try expect(written, as: schema, schema, "comparison", &seen)
    // Everything that is defined was met.
    guard case .object(let definitions)? = schema["$defs"] else {
      throw InputError("no definitions")
    }
    #expect(seen.isSuperset(of: definitions.keys))
    let agreeing = try JSONComparison.write(comparison([CPUBackend()]))
    try expect(
      JSONValue(parsing: Data(agreeing.utf8)), as: schema, schema, "comparison", &seen)
  }

  /// Holds a value to the part of JSON Schema that the file uses.
  private func expect(
    _ value: JSONValue, as type: JSONValue, _ schema: JSONValue, _ path: String,
    _ seen: inout Set<String>
  ) throws {
    if case .string(let reference)? = type["$ref"] {
      let name = String(reference.dropFirst("#/$defs/".count))
      seen.insert(name)
      let definition = try #require(schema["$defs"]?[name], "\(path): \(name)")
      return try expect(value, as: definition, schema, path, &seen)
    }
    if case .array(let choices)? = type["oneOf"] {
      // null, or something.
      if value == .null { return }
      return try expect(value, as: try #require(choices.last), schema, path, &seen)
    }
    if let constant = type["const"] { #expect(value == constant, "\(path)") }
    if case .array(let allowed)? = type["enum"] { #expect(allowed.contains(value), "\(path)") }
    if let kind = type["type"] { #expect(Self.is(value, kind), "\(path): \(value)") }
    if case .object(let properties)? = type["properties"] {
      guard case .object(let members) = value, case .array(let required)? = type["required"] else {
        Issue.record("\(path): \(value)")
        return
      }
      #expect(Set(members.keys) == Set(properties.keys), "\(path)")
      #expect(
        required.count == properties.count
          && properties.keys.allSatisfy { required.contains(.string($0)) }, "\(path)")
      for (key, member) in members {
        if let type = properties[key] {
          try expect(member, as: type, schema, "\(path).\(key)", &seen)
        }
      }
    }
    if let items = type["items"], case .array(let elements) = value {
      for element in elements { try expect(element, as: items, schema, path + "[]", &seen) }
    }
  }

  private static func `is`(_ value: JSONValue, _ type: JSONValue) -> Bool {
    if case .array(let types) = type { return types.contains { Self.is(value, $0) } }
    switch (type, value) {
    case (.string("null"), .null), (.string("boolean"), .bool), (.string("number"), .number),
      (.string("string"), .string), (.string("array"), .array), (.string("object"), .object):
      return true
    case (.string("integer"), .number(let number)): return number == number.rounded()
    default: return false
    }
  }
}
