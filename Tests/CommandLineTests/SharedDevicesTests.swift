import Foundation
import GPUCheck
import Testing

/// Several devices in one check: PoCL plays two of a kind.
struct SharedDevicesTests {
  private func check(
    _ options: [String], environment: [String: String] = [:]
  ) throws -> Program.Ending {
    let digits = "examples/digits"
    return try Program.run(
      [
        "check", "\(digits)/model.json", "--batch", "\(digits)/batch.npz",
        "--parameters", "\(digits)/parameters.npz", "--gradient", "\(digits)/gradient.npz",
        "--format", "json",
      ] + options,
      environment: environment.merging(["POCL_DEVICES": "pthread pthread"]) { one, _ in one })
  }

  /// The index of PoCL's platform.
  private func platform() throws -> String {
    let listing = try Program.run(["devices", "--format", "json"]).object()
    let devices = try #require(listing["devices"] as? [[String: Any]])
    let pocl = devices.first { $0["platform"] as? String == "Portable Computing Language" }
    let index = try #require(pocl?["index"] as? String, "no PoCL")
    return String(index.prefix { $0 != ":" })
  }

  @Test(
    "Devices of one kind give the same bits, however many share the work",
    arguments: ["f64", "f32"], ["difference", "direct"])
  func oneKind(precision: String, evaluator: String) throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let platform = try platform()
    let (one, two) = (folder["one.npy"], folder["two.npy"])
    let options = ["--precision", precision, "--evaluator", evaluator, "--save-numeric"]
    let alone = try check(["--device", "\(platform):0"] + options + [one])
    let shared = try check(
      ["--device", "\(platform):0", "--device", "\(platform):1"] + options + [two])
    #expect(alone.status == shared.status && shared.status == 0, "\(shared.errors)")
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: one)) == Data(contentsOf: URL(fileURLWithPath: two))
    )
    let shares = try #require(try shared.object()["devices"] as? [[String: Any]])
    #expect(shares.count == 2)
    #expect(shares.allSatisfy { ($0["lanes"] as? Int ?? 0) > 0 }, "\(shares)")
  }

  @Test("The CPU shares too, and GPUCHECK_DEVICE names several")
  func mixed() throws {
    let platform = try platform()
    let end = try check([], environment: ["GPUCHECK_DEVICE": "cpu,\(platform):0"])
    let report = try end.object()
    #expect(end.status == 0)
    #expect((report["devices"] as? [Any])?.count == 2)
    #expect(try #require(report["device"] as? String).contains(" + "))
    #expect(try #require(report["relativeDifference"] as? Double) < 1e-10)
  }

  @Test("A device named twice is one line that says so")
  func twice() throws {
    let platform = try platform()
    for second in ["\(platform):0", "cpu"] {
      let end = try check(["--device", second, "--device", second])
      #expect(end.status == 2 && end.errorLines.count == 1, "\(end.errors)")
      #expect(end.errors.contains("is chosen twice"), "\(end.errors)")
    }
  }

  @Test("A limit on memory is kept, or said to be too small")
  func memory() throws {
    #expect(try check(["--device", "cpu", "--memory", "64M"]).status == 0)
    for (size, says) in [
      ("1K", "of the host's memory, and 1.0 KiB may be used"), ("0", "such as 512M or 2G"),
      ("many", "such as 512M or 2G"), ("-1G", "such as 512M or 2G"), ("1e9G", "such as 512M"),
    ] {
      let end = try check(["--memory", size])
      #expect(end.status == 2 && end.errorLines.count == 1, "\(end.errors)")
      #expect(end.errors.contains(says), "\(size): \(end.errors)")
    }
  }
}
