import Foundation
import GPUCheck
import Testing

/// `gpucheck compare` as a user sees it.
struct CompareTests {
  private static let pocl = ["--device", "Portable Computing Language"]

  private func compare(
    _ options: [String], folder: String = "examples/digits", environment: [String: String] = [:]
  ) throws -> Program.Ending {
    try Program.run(
      [
        "compare", "\(folder)/model.json", "--batch", "\(folder)/batch.npz",
        "--parameters", "\(folder)/parameters.npz",
      ] + options, environment: environment)
  }

  // MARK: Agreement

  @Test("CPU and PoCL agree in both precisions: exit 0, the outcome first, nothing on stderr")
  func agreement() throws {
    let end = try compare(
      ["--device", "cpu", "--gradient", "examples/digits/gradient.npz"] + Self.pocl)
    #expect(end.status == 0)
    #expect(end.output.hasPrefix("AGREE  4 runs on 2 devices, 2,410 of 2,410 components\n"))
    #expect(end.errors.isEmpty)
    #expect(!end.output.contains("\u{1B}"))
    for line in end.output.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    for phrase in [
      "1 A difference f64", "4 B difference f32", "denormals", "fma", "log1p", "1/sqrt",
    ] {
      #expect(end.output.contains(phrase), "\(phrase)")
    }
  }

  @Test("What subtraction costs: direct beside difference, as JSON")
  func subtraction() throws {
    let end = try compare(
      [
        "--device", "cpu", "--evaluator", "difference", "--evaluator", "direct", "--format", "json",
      ] + Self.pocl)
    let object = try end.object()
    #expect(end.status == 0 && end.errors.isEmpty)
    #expect(object["schema"] as? String == "gpucheck.compare/1")
    #expect(object["outcome"] as? String == "agree")
    let runs = try #require(object["runs"] as? [[String: Any]])
    #expect(
      runs.map { "\($0["device"] ?? "") \($0["evaluator"] ?? "") \($0["precision"] ?? "")" } == [
        "0 difference f64", "0 direct f64", "0 difference f32", "0 direct f32",
        "1 difference f64", "1 direct f64", "1 difference f32", "1 direct f32",
      ])
    let pairs = try #require(object["pairs"] as? [[String: Any]])
    #expect(pairs.count == 28)
    func distance(_ run: Int) throws -> Double {
      let pair = try #require(pairs.first { $0["runs"] as? [Int] == [0, run] })
      let histogram = try #require(pair["histogram"] as? [[String: Any]])
      #expect(histogram.reduce(0) { $0 + ($1["count"] as? Int ?? 0) } == 2410)
      return try #require(pair["relativeDifference"] as? Double)
    }
    // Rounding in float32 costs 1e-8, subtracting costs there 1e-5.
    for device in [0, 4] {
      #expect(try distance(device + 1) > 1e-14 && distance(device + 1) < 1e-11)
      #expect(try distance(device + 2) > 1e-9 && distance(device + 2) < 1e-7)
      #expect(try distance(device + 3) > 1e-6 && distance(device + 3) < 1e-3)
    }
    #expect(try distance(4) < 1e-15)
    // Too many components for the textbook: a sample, at least four of each tensor.
    let textbook = try #require(object["textbook"] as? [String: Any])
    #expect((500..<530).contains(try #require(textbook["components"] as? Int)))
  }

  @Test("The same command writes the same, but for times")
  func repeatable() throws {
    let options = ["--device", "cpu", "--sample", "200", "--seed", "3", "--format", "json"]
    let outputs = try (0..<2).map { _ in
      try compare(options).output.split(separator: "\n").filter { !$0.contains("\"seconds\"") }
    }
    #expect(outputs[0] == outputs[1])
  }

  // MARK: Disagreement

  @Test("A wrong kernel is found: exit 1, with the components that it gets wrong")
  func wrongKernel() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let copy = URL(fileURLWithPath: folder["kernels"])
    try FileManager.default.copyItem(
      at: Program.repository.appendingPathComponent("kernels"), to: copy)
    let file = copy.appendingPathComponent("moments.cl")
    let parts = try String(contentsOf: file, encoding: .utf8)
      .components(separatedBy: "(realv)(step * factor)")
    try #require(parts.count == 2, "moments.cl has changed")
    // In the layer that has 32 units, and not in the self-test.
    try parts.joined(separator: "(realv)(step * factor * (outs == 32 ? 1.0001f : 1))")
      .write(to: file, atomically: true, encoding: .utf8)

    let output = folder["comparison.txt"]
    let end = try compare(
      [
        "--device", "cpu", "--precision", "f64", "--kernels", copy.path, "--top", "3",
        "--output", output, "--quiet",
      ] + Self.pocl)
    #expect(end.status == 1 && end.output.isEmpty && !end.errors.contains("gpucheck: "))
    let text = try String(contentsOfFile: output, encoding: .utf8)
    #expect(text.hasPrefix("DIFFER  2 runs on 2 devices"))
    #expect(text.contains("The components farthest outside the bars of two (3 of "))
    // tanh stands behind the first layer only.
    let list = text.components(separatedBy: "farthest outside").last ?? ""
    #expect(list.contains("  W1[") || list.contains("  b1["))
    #expect(!list.contains("W2[") && !list.contains("b2["))
  }

  @Test("Bars too wide to tell: exit 3")
  func undecidable() throws {
    let end = try compare([
      "--device", "cpu", "--evaluator", "direct", "--epsilon", "1e-6", "--sample", "100",
    ])
    #expect(end.status == 3)
    #expect(end.output.hasPrefix("UNDECIDABLE  "))
  }

  // MARK: Bad input

  @Test(
    "One clear line and exit 2",
    arguments: [
      (["--device", "cpu", "--device", "nowhere"], "no device or platform is named \"nowhere\""),
      (["--device", "cpu", "--precision", "f64"], "there is 1 run, expected at least 2"),
      (["--device", "cpu", "--device", "cpu"], "device cpu is chosen twice"),
      (["--device", "cpu", "--evaluator", "textbook"], "expected difference or direct"),
      (["--device", "cpu", "--output", "examples/digits/batch.npz"], "would be overwritten"),
      (["--device", "cpu", "--gradient", "nothing.npz"], "nothing.npz"),
      (["--device", "cpu", "--kernels", "nowhere"], "nowhere/common.cl"),
      (["--device", "cpu", "--epsilon", "1e-60", "--evaluator", "direct"], "does not change"),
    ])
  func badInput(options: [String], message: String) throws {
    let end = try compare(options)
    #expect(end.status == 2)
    #expect(end.output.isEmpty)
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.contains(message), "\(end.errors)")
  }

  @Test("A device without double runs in f32 only; f64 on it is refused")
  func withoutDouble() throws {
    let environment = ["GPUCHECK_NO_DOUBLE": "1"]
    let options = ["--device", "cpu", "--sample", "100"] + Self.pocl
    let both = try compare(options + ["--format", "json"], environment: environment)
    #expect(both.status == 0)
    let runs = try #require(try both.object()["runs"] as? [[String: Any]])
    #expect(runs.map { $0["precision"] as? String } == ["f64", "f32", "f32"])
    let double = try compare(options + ["--precision", "f64"], environment: environment)
    #expect(double.status == 2 && double.errors.contains("has no double; add --precision f32"))
  }

  @Test("Ctrl-C ends it with status 130 and nothing written")
  func interrupted() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    try LongProblem.write(to: folder)
    let before = try Set(folder.names())
    let end = try Program.run(
      [
        "compare", folder["model.json"], "--batch", folder["batch.npz"],
        "--parameters", folder["parameters.npz"], "--device", "cpu", "--evaluator", "direct",
        "--output", folder["comparison.txt"],
      ], interruptAfter: 1)
    #expect(end.status == 130)
    #expect(try Set(folder.names()) == before)
  }
}

/// Two platforms at once: a simulator beside the machine's OpenCL CPU.
@Suite(
  .enabled(
    if: Oclgrind.library != nil || Oclgrind.isRequired,
    "Oclgrind is not installed, and not every release packages it (Debian 13 does not)"))
struct ComparePlatformsTests {
  @Test("Oclgrind, PoCL and the CPU agree on a sample of a small network")
  func threeWays() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let library = try #require(Oclgrind.library)
    let installed = "/etc/OpenCL/vendors/pocl.icd"
    try #require(FileManager.default.fileExists(atPath: installed), "no PoCL")
    // The loader takes every .icd file of a folder.
    try FileManager.default.copyItem(atPath: installed, toPath: folder["pocl.icd"])
    try Data("\(library)\n".utf8).write(to: URL(fileURLWithPath: folder["oclgrind.icd"]))
    let vendors = URL(fileURLWithPath: folder["pocl.icd"]).deletingLastPathComponent().path

    let inputs = "Tests/GPUCheckTests/Fixtures/networks/activation-gelu"
    let end = try Program.run(
      [
        "compare", "\(inputs)/model.json", "--batch", "\(inputs)/batch.npz",
        "--parameters", "\(inputs)/parameters.npz", "--gradient", "\(inputs)/gradient.npz",
        "--device", "Oclgrind", "--device", "Portable Computing Language", "--device", "cpu",
        "--sample", "8", "--format", "json",
      ], environment: ["OCL_ICD_VENDORS": vendors])
    #expect(end.status == 0, "\(end.errors)")
    let object = try end.object()
    let devices = try #require(object["devices"] as? [[String: Any]])
    #expect(
      devices.map { $0["platform"] as? String } == ["Oclgrind", "Portable Computing Language", nil])
    #expect(devices.map { $0["simulator"] as? Bool } == [true, false, false])
    // The CPU without OpenCL, in f64.
    #expect(object["reference"] as? Int == 4)
    let runs = try #require(object["runs"] as? [[String: Any]])
    #expect(runs.count == 6)
    #expect(runs.allSatisfy { $0["passed"] as? Bool == true })
    for device in devices.prefix(2) {
      #expect((device["arithmetic"] as? [Any])?.count == 2)
      #expect((device["selfTest"] as? [Any])?.isEmpty == false)
    }
  }
}
