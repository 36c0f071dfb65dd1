import Foundation
import GPUCheck
import Testing

/// docs/onnx.md holds the registry's table. `GPUCHECK_UPDATE_DOCS=1 swift test --filter
/// ONNXDocumentTests` writes it anew.
@Suite struct ONNXDocumentTests {
  @Test func tableIsOfToday() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/onnx.md").standardizedFileURL
    let text = try String(contentsOf: file, encoding: .utf8)
    let begin = try #require(text.range(of: "<!-- operators: begin -->\n"))
    let end = try #require(text.range(of: "<!-- operators: end -->"))
    let table = OperatorRegistry.table + "\n"
    if ProcessInfo.processInfo.environment["GPUCHECK_UPDATE_DOCS"] != nil {
      try text.replacingCharacters(in: begin.upperBound..<end.lowerBound, with: table)
        .write(to: file, atomically: true, encoding: .utf8)
    } else {
      let isOfToday = text[begin.upperBound..<end.lowerBound] == table
      #expect(isOfToday, "run GPUCHECK_UPDATE_DOCS=1 swift test --filter ONNXDocumentTests")
    }
  }

  @Test func everyOperatorIsDescribedOnce() {
    let names = OperatorRegistry.all.map { "\($0.domain).\($0.name)" }
    #expect(Set(names).count == names.count)
    #expect(OperatorRegistry.all.allSatisfy { !$0.summary.isEmpty })
  }
}
