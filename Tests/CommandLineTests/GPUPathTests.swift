import Foundation
import Testing

/// The way that lanes go on a GPU (one a work-item, groups of them side by side, products in tiles), on
/// PoCL, which plays one.
struct GPUPathTests {
  /// Tiles are chosen by measuring elsewhere.
  private static let ways = ["tiles", "tiles,-moments"]

  private func check(_ arguments: [String], _ way: String) throws -> [String: Any] {
    let environment = try FaultyOpenCL.environment("gpu").merging([
      "GPUCHECK_KERNELS": way
    ]) { $1 }
    return try Program.run(
      arguments + ["--device", "gpu", "--format", "json"], environment: environment
    ).object()
  }

  private func expect(
    _ arguments: [String], _ way: String, passes: Bool, precision: String
  ) throws {
    let report = try check(arguments + ["--precision", precision], way)
    #expect(report["passed"] as? Bool == passes, "\(way), \(precision)")
    #expect((report["warnings"] as? [String])?.isEmpty == true)
    let shares = try #require(report["devices"] as? [[String: Any]])
    #expect(shares.count == 1 && (shares[0]["name"] as? String)?.contains("CPU without") == false)
  }

  @Test("Layers: a right gradient passes, a wrong one does not", arguments: ways)
  func layers(way: String) throws {
    for precision in ["f64", "f32"] {
      try expect(digits("gradient.npz"), way, passes: true, precision: precision)
    }
    try expect(digits("wrong-tanh-of-z.npz"), way, passes: false, precision: "f64")
  }

  @Test("Models that PyTorch exported, with convolutions and attention", arguments: ["cnn", "gpt"])
  func models(name: String) throws {
    let model = ONNXCheckTests.Case(name: name)
    let files = [
      "check", model.file("model.onnx"), "--batch", model.file("batch.safetensors"),
      "--parameters", model.file("parameters.safetensors"), "--gradient",
    ]
    try expect(
      files + [model.file("gradient.safetensors")], "tiles", passes: true, precision: "f64")
    let bug = try #require(try model.facts().bugs.keys.min())
    try expect(
      files + [model.file("bug-\(bug).safetensors")], "tiles", passes: false, precision: "f64")
  }
}
