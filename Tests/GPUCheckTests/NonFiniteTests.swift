import Foundation
import GPUCheck
import Testing

/// NaN and infinities in dθ: found, located, and shown in both reports.
@Suite struct NonFiniteTests {
  /// What is planted where (in θ's order: W1 [5, 6], b1 [5], W2 [3, 5], b2 [3]), and what is said.
  static let planted: [(bad: [Int: Double], tensors: [String], says: String)] = [
    ([7: .nan], ["W1"], "1 of 53 components of the gradient given are NaN or infinite: 1 in W1"),
    (
      [7: .nan, 9: .infinity, 52: -.infinity], ["W1", "b2"],
      "3 of 53 components of the gradient given are NaN or infinite: 2 in W1 (first W1[1, 1] = nan), "
        + "1 in b2 (first b2[2] = -inf)"
    ),
    (
      [31: .infinity], ["b1"], "1 in b1 (first b1[1] = inf)"
    ),
    ([:], [], ""),
  ]

  @Test(arguments: planted.indices, [nil, 8] as [Int?])
  func isFound(_ row: Int, _ sample: Int?) throws {
    let (bad, tensors, says) = Self.planted[row]
    let network = HandWrittenNetwork([6, 5, 3])
    var gradient = network.gradient
    for (place, value) in bad { gradient[place] = value }
    var options = CheckOptions()
    // What is not among the sample is found too.
    options.sample = sample
    let report = try TestCheckers.cpu.check(network.problem(gradient: gradient), options)
    #expect(report.findings.map(\.kind) == (bad.isEmpty ? [] : ["nonFinite"]))
    #expect(report.passed == bad.isEmpty)
    #expect((report.verdict == .wrong) == !bad.isEmpty)
    #expect(report.noiseFloor < 1e-6 && (report.noiseFloor > 0))
    guard let finding = report.findings.first else { return }
    #expect(finding.tensors == tensors)
    #expect(finding.text.contains(says), "\(finding.text)")

    let text = TextReport.write(report)
    #expect(text.hasPrefix("WRONG  "))
    #expect(text.contains("Finding: \(bad.count) of 53 components"))
    if report.wrong == 0 { #expect(text.contains("The findings below say why.")) }
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    let json = try JSONValue(parsing: Data(JSONReport.write(report).utf8))
    guard case .array(let findings)? = json["findings"] else {
      Issue.record("no findings")
      return
    }
    #expect(findings.first?["kind"] == .string("nonFinite"))
    #expect(findings.first?["tensors"] == .array(tensors.map(JSONValue.string)))
    if sample == nil { #expect(json["relativeDifference"] == .null) }
  }
}
