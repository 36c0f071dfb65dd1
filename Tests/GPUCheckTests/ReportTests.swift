import Foundation
import GPUCheck
import Testing

/// Both forms of the report, of reports made up for the purpose.
@Suite struct ReportTests {
  /// A wrong gradient: one component of `W2` is off, one of `b1` is not a number.
  private static func wrong() -> CheckReport {
    let outside = ComponentReport(
      of: "W2", at: [3, 17], analytic: 0.25, numeric: 0.125, uncertainty: 3e-11)
    let unknown = ComponentReport(
      of: "b1", at: [5], analytic: .nan, numeric: 1 / 3, uncertainty: 1e-12)
    var tensors = [
      TensorReport(right: "W1", shape: [32, 64], relativeDifference: 2.5e-12),
      TensorReport(right: "b1", shape: [32], relativeDifference: .nan),
      TensorReport(right: "W2", shape: [10, 32], relativeDifference: 0.5),
    ]
    for (place, worst) in [(1, unknown), (2, outside)] {
      tensors[place].wrong = 1
      tensors[place].passed = false
      tensors[place].worst = worst
    }
    tensors[0].kinks = 3
    var report = CheckReport(madeOf: tensors, verdict: .wrong, relativeDifference: .infinity)
    report.cost = 0.1
    report.worst = [unknown, outside]
    report.wrong = 2
    report.kinks.crossed = 2
    report.kinks.tied = 1
    report.findings = [Finding("transposed", about: ["W2"], text: "dW2 looks transposed.")]
    report.warnings = ["a \"quoted\" name\nand a second line"]
    report.seconds.evaluation = 0.5
    return report
  }

  private static func right() -> CheckReport {
    var report = CheckReport(
      madeOf: [TensorReport(right: "W1", shape: [3, 4], relativeDifference: 1e-12)],
      verdict: .right, relativeDifference: 1e-12)
    report.worst = (0..<3).map {
      ComponentReport(
        of: "W1", at: [$0, 1], analytic: 1, numeric: 1 + 1e-13, uncertainty: 1e-12)
    }
    return report
  }

  // MARK: JSON

  private func object(_ text: String) throws -> [String: Any] {
    let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
    return try #require(parsed as? [String: Any])
  }

  @Test("JSON holds every value, and null for what is not finite")
  func values() throws {
    let report = try object(try JSONReport.write(Self.wrong()))
    #expect(report["schema"] as? String == "gpucheck.report/1")
    #expect(report["passed"] as? Bool == false)
    #expect(report["verdict"] as? String == "wrong")
    #expect(report["relativeDifference"] is NSNull)
    #expect(report["noiseFloor"] as? Double == 1e-10)
    #expect(report["wrong"] as? Int == 2)
    #expect(report["cost"] as? Double == 0.1)
    #expect(report["parameters"] as? Int == 2400)
    #expect(report["checked"] as? Int == 2400)
    #expect(report["perUnit"] as? Bool == false)
    #expect(report["evaluator"] as? String == "difference")
    #expect(report["precision"] as? String == "f64")
    #expect(report["scheme"] as? String == "central")
    #expect(report["epsilon"] as? Double == 1e-5)
    #expect(report["device"] as? String == "a device")
    let seconds = try #require(report["seconds"] as? [String: Double])
    #expect(seconds == ["load": 0, "setup": 0, "evaluation": 0.5, "total": 0])
    #expect(report["kinks"] as? [String: Int] == ["crossed": 2, "tied": 1])
    let agreement = try #require(report["textbookAgreement"] as? [String: Any])
    #expect(agreement["components"] as? Int == 4)
    #expect(agreement["relativeDifference"] as? Double == 1e-9)
    #expect(agreement["passed"] as? Bool == true)
    let finding = try #require((report["findings"] as? [[String: Any]])?.first)
    #expect(finding["kind"] as? String == "transposed")
    #expect(finding["text"] as? String == "dW2 looks transposed.")
    #expect(finding["tensors"] as? [String] == ["W2"])
    #expect(report["warnings"] as? [String] == ["a \"quoted\" name\nand a second line"])
  }

  @Test("JSON holds every tensor in order, and the worst components")
  func tensors() throws {
    let report = try object(try JSONReport.write(Self.wrong()))
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    #expect(tensors.map { $0["name"] as? String } == ["W1", "b1", "W2"])
    #expect(tensors.map { $0["shape"] as? [Int] } == [[32, 64], [32], [10, 32]])
    #expect(tensors.map { $0["checked"] as? Int } == [2048, 32, 320])
    #expect(tensors.map { $0["wrong"] as? Int } == [0, 1, 1])
    #expect(tensors.map { $0["passed"] as? Bool } == [true, false, false])
    #expect(tensors.map { $0["kinks"] as? Int } == [3, 0, 0])
    #expect(tensors[0]["relativeDifference"] as? Double == 2.5e-12)
    #expect(tensors[1]["relativeDifference"] is NSNull)
    #expect(tensors[0]["worst"] is NSNull)
    let worst = try #require(tensors[2]["worst"] as? [String: Any])
    #expect(worst["index"] as? [Int] == [3, 17])
    #expect(worst["analytic"] as? Double == 0.25)
    #expect(worst["numeric"] as? Double == 0.125)
    #expect(worst["difference"] as? Double == 0.125)
    #expect(worst["uncertainty"] as? Double == 3e-11)
    #expect(worst["passed"] as? Bool == false)
    let components = try #require(report["components"] as? [[String: Any]])
    #expect(components.map { $0["tensor"] as? String } == ["b1", "W2"])
    #expect(components[0]["analytic"] is NSNull && components[0]["difference"] is NSNull)
    #expect(components[0]["numeric"] as? Double == 1.0 / 3.0)
  }

  @Test("The schema in docs/ has the keys that are written, and no others")
  func schema() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/report.schema.json")
    let schema = try object(String(contentsOf: file, encoding: .utf8))
    let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
    let report = try object(try JSONReport.write(Self.wrong()))
    func expectKeys(_ value: Any?, _ definition: [String: Any]?, _ name: String) throws {
      let value = try #require(value as? [String: Any], "\(name)")
      let properties = try #require(definition?["properties"] as? [String: Any], "\(name)")
      #expect(Set(value.keys) == Set(properties.keys), "\(name)")
      #expect(Set(definition?["required"] as? [String] ?? []) == Set(properties.keys), "\(name)")
    }
    let tensor = (report["tensors"] as? [[String: Any]])?.last
    try expectKeys(report, schema, "report")
    try expectKeys(report["seconds"], definitions["seconds"], "seconds")
    try expectKeys(tensor, definitions["tensor"], "tensor")
    try expectKeys(tensor?["worst"], definitions["worst"], "worst")
    try expectKeys(
      (report["components"] as? [Any])?.first, definitions["component"], "component")
    try expectKeys(report["kinks"], definitions["kinks"], "kinks")
    try expectKeys(
      report["textbookAgreement"], definitions["textbookAgreement"], "textbookAgreement")
    try expectKeys((report["findings"] as? [Any])?.first, definitions["finding"], "finding")
  }

  @Test(
    "Numbers read back as the same double",
    arguments: [
      0.1, 1.0 / 3.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 1e16, 123_456_789.0,
      1e-7, -2.5,
    ] as [Double])
  func roundTrip(value: Double) throws {
    var report = Self.right()
    report.cost = value
    let text = try JSONReport.write(report)
    let read = try JSONDecoder().decode([String: Double].self, from: Data(costOnly(text).utf8))
    #expect(read["cost"]?.bitPattern == value.bitPattern, "\(text)")
  }

  private func costOnly(_ text: String) -> String {
    let line = text.split(separator: "\n").first { $0.contains("\"cost\"") } ?? ""
    return "{" + line.dropLast() + "}"
  }

  @Test("Strings are escaped, whatever they hold")
  func escapes() throws {
    let names = ["\u{0}\u{1B}[31m", "tab\tquote\"back\\slash", "θ/кириллица/🧮", "\u{7F}\r\n"]
    var report = Self.right()
    report.warnings = names
    let text = try JSONReport.write(report)
    #expect(try object(text)["warnings"] as? [String] == names)
    #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
  }

  @Test("A line break ends the object")
  func lastLine() throws {
    #expect(try JSONReport.write(Self.wrong()).hasSuffix("\n}\n"))
  }

  // MARK: Text

  private func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  @Test("Text begins with the verdict and names the wrong components")
  func wrongText() {
    let text = TextReport.write(Self.wrong())
    let lines = lines(text)
    #expect(lines[0] == "WRONG  distance infinity over 2,400 of 2,400 parameters")
    #expect(text.contains("2 components lie outside their error bars, in b1, W2."))
    let row = lines.first { $0.contains("W2[3, 17]") } ?? ""
    #expect(
      row.split(separator: " ").map(String.init).suffix(5) == [
        "0.25", "0.125", "1.2e-1", "3.0e-11", "WRONG",
      ])
    #expect(lines.contains { $0.contains("b1[5]") && $0.contains("not a number") })
    #expect(text.contains("2 components crossed a kink"))
    #expect(text.contains("1 component stands on a kink"))
    #expect(text.contains("Finding: dW2 looks transposed. (W2)"))
    #expect(text.contains("Warning: a \"quoted\" name and a second line"))
    #expect(text.contains("4,800 parameters/s"))
    #expect(text.contains("4 components evaluated again"))
  }

  @Test("Text of a right gradient shows one component only")
  func rightText() {
    let text = TextReport.write(Self.right())
    #expect(text.hasPrefix("RIGHT  distance 1.0e-12 over 12 of 12 parameters\n"))
    #expect(text.contains("W1[0, 1]") && !text.contains("W1[1, 1]"))
    #expect(!text.contains("Warning") && !text.contains("Kinks") && !text.contains("Finding"))
    var report = Self.right()
    report.verdict = .acceptable
    report.relativeDifference = 3e-6
    let acceptable = TextReport.write(report)
    #expect(acceptable.hasPrefix("ACCEPTABLE  distance 3.0e-6"))
    #expect(acceptable.contains("not below 1e-7") && acceptable.contains("W1[2, 1]"))
    report.relativeDifference = 3e-4
    report.noiseFloor = 1e-3
    #expect(TextReport.write(report).contains("within the noise floor"))
  }

  @Test("Every reason not to pass is told")
  func reasons() {
    var report = Self.right()
    report.passed = false
    report.relativeDifference = 1e-8
    let tight = TextReport.write(report, tolerance: 1e-9)
    #expect(tight.hasPrefix("FAILED  ") && tight.contains("beyond the tolerance 1e-9"))
    report.verdict = .undecidable
    report.noiseFloor = 0.03
    let blind = TextReport.write(report)
    #expect(blind.hasPrefix("UNDECIDABLE  ") && blind.contains("noise floor 3.0e-2 is too high"))
    report.textbookAgreement.passed = false
    let disputed = TextReport.write(report)
    #expect(disputed.contains("textbook disagrees") && !disputed.contains("is too high"))
    #expect(disputed.contains("THEY DISAGREE"))
    report.checked = 0
    report.verdict = .wrong
    report.textbookAgreement.passed = true
    report.relativeDifference = 0
    report.warnings = ["the cost differs"]
    let unchecked = TextReport.write(report)
    #expect(unchecked.hasPrefix("WRONG  none of 12 parameters was checked\n"))
    #expect(unchecked.contains("Warning: the cost differs") && !unchecked.contains("Textbook"))
  }

  @Test("Text is at most 100 columns wide, and colours only when told to")
  func width() {
    var report = Self.wrong()
    let name = "encoder/" + String(repeating: "very-", count: 40) + "long/kernel"
    for i in report.tensors.indices { report.tensors[i].name = name }
    for i in report.worst.indices { report.worst[i].tensor = name }
    report.device = String(repeating: "a device of many words ", count: 20)
    report.warnings = [String(repeating: "a long warning ", count: 30)]
    let plain = TextReport.write(report)
    #expect(lines(plain).allSatisfy { $0.count <= 100 })
    #expect(plain.contains("long/kernel") && plain.contains("…"))
    #expect(!plain.contains("\u{1B}"))
    let coloured = TextReport.write(report, colour: true)
    #expect(coloured.contains("\u{1B}[31m"))
    #expect(coloured.replacing(/\u{1B}\[[0-9]*m/, with: "") == plain)
  }

  @Test("Names from files cannot command the terminal")
  func control() {
    var report = Self.wrong()
    report.tensors[2].name = "W\u{1B}[2J\u{7}"
    report.worst[1].tensor = "W\u{1B}[2J\u{7}"
    report.device = "a\u{9B}b"
    report.warnings = ["\u{1B}]0;title\u{7}"]
    let scalars = TextReport.write(report).unicodeScalars
    #expect(
      !scalars.contains { ($0.value < 0x20 && $0 != "\n") || (0x7F...0x9F).contains($0.value) })
  }

  @Test(
    "Numbers for people",
    arguments: [
      (TextFormat.count(0), "0"), (TextFormat.count(999), "999"),
      (TextFormat.count(1000), "1,000"), (TextFormat.count(-1_234_567), "-1,234,567"),
      (TextFormat.count(1, "core"), "1 core"), (TextFormat.rough(0), "0"),
      (TextFormat.rough(3.14e-12), "3.1e-12"), (TextFormat.rough(.nan), "not a number"),
      (TextFormat.exact(1e-5), "1e-5"), (TextFormat.exact(0.25), "0.25"),
      (TextFormat.exact(100), "100"),
      (TextFormat.value(1 / 3), "0.333333333"), (TextFormat.seconds(0.0212), "22 ms"),
      (TextFormat.seconds(0.000238), "0.3 ms"), (TextFormat.seconds(0), "0 ms"),
      (TextFormat.seconds(0.21), "0.21 s"), (TextFormat.seconds(14.4), "14 s"),
      (TextFormat.seconds(200), "3 min 20 s"), (TextFormat.seconds(7500), "2 h 5 min"),
      (TextFormat.seconds(.infinity), "unknown"), (TextFormat.bytes(512), "512 bytes"),
      (TextFormat.bytes(5_607_422_976), "5.2 GiB"),
      (TextFormat.shortened("abcdefghij", to: 5), "ab…ij"),
      (TextFormat.wrapped("a bb ccc", first: "> ", columns: 6), "> a bb\n  ccc"),
    ])
  func numbers(found: String, expected: String) {
    #expect(found == expected)
  }
}
