import Foundation
import Testing

/// A device without double, played by PoCL, which has it.
struct NoDoubleTests {
  private func check(_ options: [String]) throws -> Program.Ending {
    let folder = "examples/digits"
    return try Program.run(
      [
        "check", "\(folder)/model.json", "--batch", "\(folder)/batch.npz",
        "--parameters", "\(folder)/parameters.npz", "--gradient", "\(folder)/gradient.npz",
        "--device", "Portable Computing Language", "--format", "json",
      ] + options, environment: ["GPUCHECK_NO_DOUBLE": "1"])
  }

  @Test("It is listed as one without double")
  func listing() throws {
    let end = try Program.run(
      ["devices", "--format", "json"], environment: ["GPUCHECK_NO_DOUBLE": "1"])
    let devices = try #require(try end.object()["devices"] as? [[String: Any]])
    let opencl = devices.filter { $0["platform"] is String }
    #expect(!opencl.isEmpty)
    #expect(opencl.allSatisfy { $0["double"] as? Bool == false })
  }

  @Test("A check runs in f32 by itself, to a distance of 1e-7")
  func automatic() throws {
    let end = try check([])
    let report = try end.object()
    #expect(end.status == 0)
    #expect(report["precision"] as? String == "f32")
    #expect(report["passed"] as? Bool == true)
    #expect((report["device"] as? String)?.contains("Portable Computing Language") == true)
    #expect(try #require(report["relativeDifference"] as? Double) <= 1e-7)
  }

  @Test("f64 on it is refused in one line that says what to do")
  func refused() throws {
    let end = try check(["--precision", "f64"])
    #expect(end.status == 2)
    #expect(end.output.isEmpty)
    #expect(end.errorLines.count == 1)
    #expect(end.errors.contains("has no double; use --precision f32, or --device cpu"))
  }
}
