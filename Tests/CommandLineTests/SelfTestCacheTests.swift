import Foundation
import Testing

/// The self-test runs once per device, driver and version; what is kept of it is trusted only where
/// it is whole and of the same key.
@Suite(.serialized) struct SelfTestCacheTests {
  private let folder: TemporaryFolder
  private let environment: [String: String]

  init() throws {
    folder = try TemporaryFolder()
    environment = try FaultyOpenCL.environment()
      .merging(["GPUCHECK_CACHE_DIR": folder["cache"]]) { $1 }
  }

  /// What `gpucheck devices` says of the self-test of the first device.
  private struct Tested: Equatable {
    var passed: Bool
    var isCached: Bool
    var failure: String?
    /// The measured errors by precision and function.
    var errors: [String: Double]
  }

  private func devices(
    _ options: [String] = [], with more: [String: String] = [:]
  ) throws -> Tested {
    let end = try Program.run(
      ["devices", "--format", "json"] + options, environment: environment.merging(more) { $1 })
    #expect(end.status == 0 && end.errors.isEmpty, "\(end.errors)")
    let devices = try #require(try end.object()["devices"] as? [[String: Any]])
    let test = try #require(devices.first?["selfTest"] as? [String: Any])
    let functions = try #require(test["functions"] as? [[String: Any]])
    return Tested(
      passed: try #require(test["passed"] as? Bool),
      isCached: try #require(test["cached"] as? Bool), failure: test["failure"] as? String,
      errors: Dictionary(
        uniqueKeysWithValues: try functions.map {
          let name = "\(try #require($0["precision"])) \(try #require($0["name"]))"
          return (name, $0["maxULP"] as? Double ?? .infinity)
        }))
  }

  /// The files that hold results.
  private func entries() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(
      at: URL(fileURLWithPath: folder["cache"]), includingPropertiesForKeys: nil
    ).filter { $0.lastPathComponent.hasPrefix("selftest-") }
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
  }

  @Test("The second run takes the results of the first; --retest runs the test again")
  func once() throws {
    let first = try devices()
    #expect(first.passed && !first.isCached && first.errors.count == 20)
    let second = try devices()
    #expect(second.passed && second.isCached && second.errors == first.errors)
    // A driver that cannot build any more is not asked to, unless by name.
    let fault = ["FAULTY_OPENCL": "abort clBuildProgram 1"]
    #expect(try devices(with: fault) == second)
    let again = try devices(["--retest"], with: fault)
    #expect(!again.passed && !again.isCached && again.failure?.contains("signal 6") == true)
    // What failed is not known to have passed any more.
    #expect(try devices() == first)
  }

  @Test("A check finds what devices has found, and the other way round")
  func shared() throws {
    // The check's own programs are built after the self-test's, which is that of its precision.
    for (number, precision) in ["f64", "f32"].enumerated() {
      let end = try Program.run(
        digits("gradient.npz", ["--device", "0:0", "--precision", precision]),
        environment: environment)
      #expect(end.status == 0)
      #expect(try entries().count == number + 1)
    }
    #expect(try devices().isCached)
  }

  @Test("A failure is not kept")
  func failure() throws {
    let failed = try devices(with: ["FAULTY_OPENCL": "corrupt clEnqueueReadBuffer 1"])
    #expect(!failed.passed)
    let healed = try devices()
    #expect(healed.passed && healed.errors.count == 20)
  }

  @Test("What a device depends on is part of the key")
  func keys() throws {
    _ = try devices()
    let single = try devices(with: ["GPUCHECK_NO_DOUBLE": "1"])
    #expect(single.isCached && single.errors.count == 10)
    // Other kernels, another text.
    let kernels = folder["kernels"]
    try FileManager.default.copyItem(
      atPath: Program.repository.appendingPathComponent("kernels").path, toPath: kernels)
    let file = URL(fileURLWithPath: "\(kernels)/selftest.cl")
    let text = try String(contentsOf: file, encoding: .utf8)
    try Data(text.replacingOccurrences(of: "expm1(a)", with: "exp(a) - R(1.0)").utf8).write(
      to: file)
    let end = try Program.run(
      digits("gradient.npz", ["--device", "0:0", "--kernels", kernels]), environment: environment)
    #expect(end.status == 2 && end.errors.contains("expm1 is off by"), "\(end.errors)")
    #expect(try devices().isCached)
  }

  @Test(
    "An entry that is damaged, of another key or beyond the limits is not trusted, and rebuilt",
    arguments: [
      "empty", "truncated", "text", "another schema", "another key", "beyond the limit",
      "a missing function", "a folder",
    ])
  func damage(kind: String) throws {
    let first = try devices()
    let files = try entries()
    #expect(files.count == 2)
    let sound = try files.map { try Data(contentsOf: $0) }
    for (file, data) in zip(files, sound) {
      var object = try #require(
        try JSONSerialization.jsonObject(with: data) as? [String: Any])
      var value = try #require(object["value"] as? [String: Any])
      var functions = try #require(value["functions"] as? [[String: Any]])
      switch kind {
      case "another schema": object["schema"] = "gpucheck.cache/2"
      case "another key": object["key"] = "some other device"
      case "beyond the limit": functions[0]["maxULP"] = 1e9
      case "a missing function": functions.removeLast()
      default: break
      }
      value["functions"] = functions
      object["value"] = value
      var bytes = try JSONSerialization.data(withJSONObject: object)
      if kind == "empty" { bytes = Data() }
      if kind == "truncated" { bytes = data.prefix(data.count / 2) }
      if kind == "text" { bytes = Data("not JSON".utf8) }
      if kind == "a folder" {
        try FileManager.default.removeItem(at: file)
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
      } else {
        try bytes.write(to: file)
      }
    }
    let again = try devices()
    #expect(again == first)
    guard kind != "a folder" else { return }
    #expect(try entries().map { try Data(contentsOf: $0) } == sound)
    #expect(try devices().isCached)
  }

  @Test("A cache that cannot be written, or that is switched off, costs the time and nothing else")
  func unwritable() throws {
    let file = folder["file"]
    try Data("in the way".utf8).write(to: URL(fileURLWithPath: file))
    for place in ["", file, "/proc/gpucheck"] {
      let off = ["GPUCHECK_CACHE_DIR": place]
      for _ in 0..<2 {
        let tested = try devices(with: off)
        #expect(tested.passed && !tested.isCached)
      }
    }
    #expect(try folder.names() == ["file"])
  }

  @Test("Where another driver may be loaded, the drivers are tried in another process again")
  func otherDrivers() throws {
    let vendors = ProcessInfo.processInfo.environment["OCL_ICD_VENDORS"] ?? "/etc/OpenCL/vendors"
    let copy = folder["vendors"]
    try FileManager.default.copyItem(atPath: vendors, toPath: copy)
    let own = environment.merging(["OCL_ICD_VENDORS": copy]) { $1 }
    #expect(try Program.run(["devices"], environment: own).status == 0)
    try Data("libnone.so\n".utf8).write(to: URL(fileURLWithPath: "\(copy)/another.icd"))
    let fault = own.merging(["FAULTY_OPENCL": "abort clGetDeviceIDs 1"]) { $1 }
    let end = try Program.run(["devices"], environment: fault)
    #expect(end.status == 0 && !end.wasKilled)
    #expect(end.errors.contains("signal 6"), "\(end.errors)")
  }

  @Test("Processes that write the same entries at once all end well")
  func together() async throws {
    let environment = environment
    let statuses = try await withThrowingTaskGroup(of: Int32.self) { group in
      for _ in 0..<4 {
        group.addTask { try Program.run(["devices"], environment: environment).status }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(statuses == [0, 0, 0, 0])
    #expect(try devices().isCached)
    // Nothing half-written is left.
    let names = try FileManager.default.contentsOfDirectory(atPath: folder["cache"])
    #expect(names.count == 3 && names.allSatisfy { $0.hasSuffix(".json") }, "\(names)")
  }
}
