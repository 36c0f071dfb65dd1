import Foundation
import GPUCheck
import Testing

/// Some of ONNX's node tests; scripts/onnx-conformance runs them all.
@Suite struct ONNXNodeTests {
  static var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
      .filter { !$0.contains(".") }.sorted()
  }

  static var folder: URL {
    (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
      .appendingPathComponent("Fixtures/onnx-node")
  }

  @Test(arguments: names)
  func equalsReference(_ name: String) throws {
    let test = try NodeTest(Self.folder.appendingPathComponent(name, isDirectory: true))
    #expect(test.run() == .passed)
  }

  /// The sample is one of the operators that are lowered, and not a few of them.
  @Test func coversOperators() throws {
    let operations = try Set(
      Self.names.map { try NodeTest(Self.folder.appendingPathComponent($0)).operation })
    #expect(operations.count > 60)
    #expect(operations.isSubset(of: OperatorRegistry.all.map(\.name)))
  }
}
