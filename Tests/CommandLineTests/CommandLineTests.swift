import Foundation
import GPUCheck
import Testing

/// The program as a user sees it: exit statuses, stdout, stderr, files.
@Suite(.serialized) struct CommandLineTests {
  private static let digits = "examples/digits"

  /// `gpucheck check` of a gradient of examples/digits.
  private func check(
    _ more: [String] = ["--device", "cpu"], gradient: String = "gradient.npz",
    point: String = "", environment: [String: String] = [:]
  ) throws -> Program.Ending {
    try Program.run(
      arguments(gradient: gradient, point: point) + more, environment: environment)
  }

  private func arguments(gradient: String = "gradient.npz", point: String = "") -> [String] {
    let folder = Self.digits
    return [
      "check", "\(folder)/model.json", "--batch", "\(folder)/batch.npz",
      "--parameters", "\(folder)/\(point)parameters.npz",
      "--gradient", "\(folder)/\(point)\(gradient)",
    ]
  }

  // MARK: Right and wrong

  @Test("A right gradient passes: exit 0, the verdict first, nothing on stderr")
  func right() throws {
    let end = try check()
    #expect(end.status == 0)
    #expect(end.output.hasPrefix("RIGHT  distance "))
    #expect(end.output.contains("2,410 of 2,410 parameters"))
    #expect(end.errors.isEmpty)
    #expect(!end.output.contains("\u{1B}"))
  }

  @Test(
    "Every gradient of the example: exit status and wrong tensors are those expected",
    arguments: ["", "trained/"], ["cpu", "auto"])
  func example(point: String, device: String) throws {
    let file = Program.repository.appendingPathComponent("\(Self.digits)/\(point)expected.json")
    struct Expected: Decodable {
      struct Gradient: Decodable { var wrong: [String] }
      var cost: Double
      var gradients: [String: Gradient]
    }
    let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: file))
    for (name, gradient) in expected.gradients {
      let end = try check(
        ["--device", device, "--format", "json"], gradient: name, point: point)
      let report = try end.object()
      let tensors = try #require(report["tensors"] as? [[String: Any]])
      let wrong = tensors.filter { $0["passed"] as? Bool == false }.map { $0["name"] as? String }
      #expect(wrong == gradient.wrong, "\(name)")
      #expect(end.status == (gradient.wrong.isEmpty ? 0 : 1), "\(name)")
      #expect(report["passed"] as? Bool == gradient.wrong.isEmpty, "\(name)")
      let cost = try #require(report["cost"] as? Double)
      #expect((cost - expected.cost).magnitude <= 1e-12 * expected.cost, "\(name)")
    }
  }

  @Test("A wrong gradient's text names the tensor and the worst components")
  func wrong() throws {
    let end = try check(
      ["--device", "cpu", "--top", "3"], gradient: "wrong-transposed-W2.npz")
    #expect(end.status == 1)
    #expect(end.output.hasPrefix("WRONG  distance 4.1e-1"))
    #expect(end.output.contains("lie outside their error bars, in W2."))
    #expect(end.output.split(separator: "\n").filter { $0.hasPrefix("  W2[") }.count == 3)
    #expect(end.errors.isEmpty)
  }

  @Test("A cost that differs from one's own fails at once")
  func expectedCost() throws {
    for (cost, status) in [("0.3372993767", 0), ("0.34", 0), ("0.35", 1), ("-0.337", 1)] {
      let end = try check(["--device", "cpu", "--expected-cost", cost])
      #expect(end.status == Int32(status), "\(cost)")
      #expect(end.output.contains("Warning: the cost is 0.337299") == (status == 1), "\(cost)")
    }
  }

  @Test("A check that noise hides is undecidable: exit 3, and what would decide it")
  func undecidable() throws {
    let end = try check([
      "--device", "cpu", "--evaluator", "textbook", "--epsilon", "1e-14", "--sample", "40",
    ])
    #expect(end.status == 3)
    #expect(end.output.hasPrefix("UNDECIDABLE  "))
    #expect(end.output.contains("--evaluator difference"))
  }

  @Test("Options reach the check and the report")
  func options() throws {
    let end = try check([
      "--device", "cpu", "--precision", "f32", "--evaluator", "direct", "--scheme", "forward",
      "--epsilon", "1e-3", "--sample", "50", "--seed", "9", "--top", "2", "--tolerance", "1",
      "--format", "json",
    ])
    let report = try end.object()
    #expect(report["precision"] as? String == "f32")
    #expect(report["evaluator"] as? String == "direct")
    #expect(report["scheme"] as? String == "forward")
    #expect(report["epsilon"] as? Double == 1e-3)
    // About fifty: at least four of every tensor.
    #expect((50..<66).contains(try #require(report["checked"] as? Int)))
    #expect((report["components"] as? [Any])?.count == 2)
    #expect(end.errors.isEmpty)
  }

  // MARK: What goes where

  @Test("JSON on stdout is one object and nothing else; stderr is empty")
  func json() throws {
    let end = try check(["--device", "cpu", "--format", "json"])
    let report = try end.object()
    #expect(end.status == 0 && end.errors.isEmpty)
    #expect(report["schema"] as? String == "gpucheck.report/1")
    #expect(report["passed"] as? Bool == true)
    let seconds = try #require(report["seconds"] as? [String: Double])
    let parts = ["load", "setup", "evaluation"].compactMap { seconds[$0] }
    #expect(parts.count == 3 && parts.allSatisfy { $0 >= 0 })
    #expect(try #require(seconds["total"]) >= parts.reduce(0, +) * 0.999)
  }

  @Test("--output writes the report to a file, whole, and leaves stdout empty")
  func output() throws {
    let folder = try TemporaryFolder()
    let file = folder["report.json"]
    try Data("old".utf8).write(to: URL(fileURLWithPath: file))
    let end = try check(["--device", "cpu", "--format", "json", "--output", file])
    #expect(end.status == 0 && end.output.isEmpty && end.errors.isEmpty)
    let read = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: file)))
    #expect((read as? [String: Any])?["verdict"] as? String == "right")
    #expect(try folder.names() == ["report.json"])
  }

  @Test(
    "--save-numeric writes the numeric gradient and its bars by name or flat, NaN where not checked",
    arguments: ["npz", "safetensors"])
  func saveNumeric(_ suffix: String) throws {
    let folder = try TemporaryFolder()
    let right = try TensorFile.read(
      Program.repository.appendingPathComponent("\(Self.digits)/gradient.npz").path)
    guard case .named(let expected) = right else {
      Issue.record("gradient.npz has no names")
      return
    }
    let file = "n.\(suffix)"
    #expect(try check(["--device", "cpu", "--save-numeric", folder[file]]).status == 0)
    guard case .named(let found) = try TensorFile.read(folder[file]) else {
      Issue.record("\(file) has no names")
      return
    }
    #expect(Set(found.keys) == Set(expected.keys.flatMap { [$0, $0 + ".uncertainty"] }))
    for (name, wanted) in expected {
      let tensor = try #require(found[name])
      let bars = try #require(found[name + ".uncertainty"])
      #expect(tensor.shape == wanted.shape && bars.shape == wanted.shape)
      for at in wanted.values.indices {
        let (one, other, bar) = (tensor.values[at], wanted.values[at], bars.values[at])
        #expect(
          (one - other).magnitude <= bar && bar < 1e-9,
          "\(name) \(at): \(one) ± \(bar), expected \(other)")
      }
    }
    let sampled = try check([
      "--device", "cpu", "--sample", "100", "--save-numeric", folder["n.npy"], "--format", "json",
    ])
    let checked = try #require(sampled.object()["checked"] as? Int)
    #expect(sampled.status == 0 && (100..<116).contains(checked))
    guard case .flat(let flat) = try TensorFile.read(folder["n.npy"]) else {
      Issue.record("n.npy has names")
      return
    }
    #expect(flat.shape == [2, 2410])
    for row in [flat.values[..<2410], flat.values[2410...]] {
      #expect(row.filter { !$0.isNaN }.count == checked)
    }
    #expect(try Set(folder.names()) == [file, "n.npy"])
  }

  // MARK: Bad input

  @Test(
    "Bad options and files: one line that says what to do, exit 2, nothing on stdout",
    arguments: [
      (["--precison", "f64"], "unknown option '--precison'. Did you mean '--precision'?"),
      (["--precision", "f46"], "did you mean f64? expected auto, f32, f64"),
      (["--evaluator", "diference"], "did you mean difference?"),
      (["--scheme", "sideways"], "expected central, forward, backward"),
      (["--format", "xml"], "expected text, json"),
      (["--epsilon", "0"], "expected auto, or a number above 0"),
      (["--epsilon", "-1e-5"], "expected auto, or a number above 0"),
      (["--epsilon", "inf"], "expected auto, or a number above 0"),
      (["--sample", "0"], "expected a whole number of at least 1"),
      (["--seed", "-1"], "expected a whole number from 0"),
      (["--top", "-1"], "expected a whole number of at least 0"),
      (["--tolerance", "nan"], "expected a number of at least 0"),
      (["--expected-cost", "2,3"], "expected the cost that your code gives"),
      (["--top"], "missing value for '--top <k>'"),
      (["another.json"], "unexpected argument 'another.json'"),
      (["--device", "no such thing"], "there is: cpu (without OpenCL)"),
      (["--gradient", "no-such.npz"], "no-such.npz: no such file"),
      (["--batch", "README.md"], "README.md"),
      (["--kernels", "examples"], "--kernels takes a folder like kernels/"),
      (["--save-numeric", "numeric.txt"], "end the name in .npz"),
      (["--save-numeric", "examples/digits/gradient.npz"], "would be overwritten"),
      (["--output", "no-such-folder/report.txt"], "make the folder first"),
      (["--output", "examples"], "a folder stands there"),
      (["--output", "x.npz", "--save-numeric", "x.npz"], "would be overwritten"),
    ])
  func refusals(options: [String], text: String) throws {
    let end = try check(options)
    #expect(end.status == 2)
    #expect(end.output.isEmpty)
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.hasPrefix("gpucheck: "))
    #expect(end.errors.contains(text), "\(end.errors)")
  }

  @Test("A report that could not be written is found before anything is read")
  func outputFirst() throws {
    let end = try check(["--output", "/proc/report.txt"], gradient: "no-such.npz")
    #expect(end.status == 2)
    #expect(end.errors.contains("--output /proc/report.txt"), "\(end.errors)")
  }

  @Test("Unknown commands and missing arguments: one line, exit 2")
  func usage() throws {
    let files = ["--parameters", "t.npz", "--gradient", "g.npz"]
    for (arguments, text) in [
      (["chekc"], "unknown command 'chekc'; did you mean check?"),
      (["frobnicate"], "expected check, compare, inspect, devices, help"),
      (["check"], "missing expected argument '--gradient <file>'"),
      (["check"] + files, "missing expected argument '<model>'"),
      (["check", "m.json"] + files, "missing expected argument '--batch <file>'"),
      (["check", "m.json", "--library", "l.so"] + files, "found both m.json and l.so"),
      (["devices", "--format", "jsom"], "did you mean json?"),
    ] {
      let end = try Program.run(arguments)
      #expect(end.status == 2 && end.output.isEmpty)
      #expect(end.errorLines.count == 1 && end.errors.contains(text), "\(end.errors)")
    }
  }

  @Test("Help, version and completions go to stdout with exit 0")
  func help() throws {
    for (arguments, text) in [
      (["--help"], "gpucheck check model.json"), (["--version"], "0.1.0"),
      (["check", "--help"], "--expected-cost <j>"), (["help", "devices"], "--format <text|json>"),
      (["--generate-completion-script", "bash"], "--save-numeric"),
      (["--generate-completion-script", "zsh"], "textbook"),
      (["--generate-completion-script", "fish"], "backward"),
    ] {
      let end = try Program.run(arguments)
      #expect(end.status == 0 && end.errors.isEmpty, "\(arguments)")
      #expect(end.output.contains(text), "\(arguments)")
    }
  }

  // MARK: Devices

  @Test("devices lists the CPU last, every device with its self-test")
  func devices() throws {
    let end = try Program.run(["devices", "--format", "json"])
    #expect(end.status == 0)
    let listing = try end.object()
    #expect(listing["schema"] as? String == "gpucheck.devices/1")
    let devices = try #require(listing["devices"] as? [[String: Any]])
    let keys: Set = [
      "index", "platform", "name", "vendor", "type", "simulator", "version", "driver",
      "memoryBytes", "computeUnits", "double", "selfTest",
    ]
    for device in devices {
      #expect(Set(device.keys) == keys)
      #expect(try #require(device["memoryBytes"] as? Int) > 0)
      #expect(try #require(device["computeUnits"] as? Int) > 0)
      let test = try #require(device["selfTest"] as? [String: Any])
      #expect(test["passed"] as? Bool == (test["failure"] is NSNull))
      let functions = try #require(test["functions"] as? [[String: Any]])
      #expect(functions.isEmpty == (device["index"] as? String == "cpu"))
    }
    #expect(devices.last?["index"] as? String == "cpu")
    #expect(devices.last?["double"] as? Bool == true)
    let automatic = try #require(listing["automatic"] as? String)
    #expect(devices.contains { $0["index"] as? String == automatic })
    #expect(listing["problems"] is [String])
    let text = try Program.run(["devices"])
    #expect(text.status == 0)
    for device in devices {
      #expect(text.output.contains(try #require(device["name"] as? String)))
    }
  }

  @Test("Without the OpenCL loader a check runs on the CPU and says so in one line")
  func noLoader() throws {
    let environment = ["GPUCHECK_OPENCL_LIBRARY": "libnone.so"]
    let text = try check([], environment: environment)
    #expect(text.status == 0)
    #expect(text.errorLines.count == 1)
    #expect(text.errors.contains("libnone.so") && text.errors.contains("running on the CPU"))
    let quiet = try check(["--quiet"], environment: environment)
    #expect(quiet.status == 0 && quiet.errors.isEmpty)
    #expect(quiet.output.contains("Warning: no OpenCL"))
    let json = try check(["--format", "json"], environment: environment)
    let warnings = try #require(json.object()["warnings"] as? [String])
    #expect(json.status == 0 && json.errors.isEmpty)
    #expect(warnings.count == 1 && warnings[0].contains("running on the CPU"))
    let devices = try Program.run(["devices", "--format", "json"], environment: environment)
    #expect(devices.status == 0 && devices.errorLines.count == 1)
    let listing = try devices.object()
    #expect((listing["devices"] as? [Any])?.count == 1)
    #expect((listing["problems"] as? [String])?.count == 1)
    #expect(listing["automatic"] as? String == "cpu")
    let cpu = try check(["--device", "cpu"], environment: environment)
    #expect(cpu.status == 0 && cpu.errors.isEmpty)
  }

  @Test("GPUCHECK_DEVICE sets the device where --device does not")
  func deviceVariable() throws {
    let unknown = try check([], environment: ["GPUCHECK_DEVICE": "no such thing"])
    #expect(unknown.status == 2)
    #expect(unknown.errors.contains("gpucheck: GPUCHECK_DEVICE: no device"), "\(unknown.errors)")
    let option = try check(["--device", "cpu"], environment: ["GPUCHECK_DEVICE": "no such thing"])
    #expect(option.status == 0)
    let cpu = try check(["--format", "json"], environment: ["GPUCHECK_DEVICE": "cpu"])
    #expect((try cpu.object()["device"] as? String)?.hasPrefix("CPU without OpenCL") == true)
  }

  // MARK: Ctrl-C

  @Test("Ctrl-C ends a long check within a second with exit 130, and leaves no file")
  func interruption() throws {
    let folder = try TemporaryFolder()
    try LongProblem.write(to: folder)
    let before = try Set(folder.names())
    let arguments = [
      "check", folder["model.json"], "--batch", folder["batch.npz"],
      "--parameters", folder["parameters.npz"], "--gradient", folder["parameters.npz"],
      "--evaluator", "textbook", "--device", "cpu", "--output", folder["report.txt"],
      "--save-numeric", folder["numeric.npz"],
    ]
    let end = try Program.run(arguments, interruptAfter: 1)
    #expect(end.status == 130 && !end.wasKilled)
    #expect(try #require(end.secondsAfterInterruption) < 1)
    #expect(end.output.isEmpty && end.errors.isEmpty)
    #expect(try Set(folder.names()) == before)
  }
}

/// A network that the textbook takes minutes for: 784-128-10, batch 32.
enum LongProblem {
  static func write(to folder: TemporaryFolder) throws {
    let model = """
      {"schema": "gpucheck.network/1", "inputs": 784,
       "layers": [{"units": 128, "activation": "tanh"}, {"units": 10}],
       "loss": "softmax-cross-entropy"}
      """
    try Data(model.utf8).write(to: URL(fileURLWithPath: folder["model.json"]))
    func tensor(_ shape: [Int], _ value: (Int) -> Double) -> Tensor {
      Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map(value))
    }
    let wave = { (place: Int) in 0.05 * sin(Double(place)) }
    try TensorFile.write(
      [("x", tensor([32, 784], wave)), ("y", tensor([32]) { Double($0 % 10) })],
      to: folder["batch.npz"])
    try TensorFile.write(
      [
        ("W1", tensor([128, 784], wave)), ("b1", tensor([128], wave)),
        ("W2", tensor([10, 128], wave)), ("b2", tensor([10], wave)),
      ], to: folder["parameters.npz"])
  }
}
