import Foundation
import GPUCheck
import Testing

/// The kernels on Oclgrind, a simulator of an OpenCL device that reports every access outside a
/// buffer, every data race and every use of a value that was never set.
@Suite(
  .enabled(
    if: Oclgrind.library != nil || Oclgrind.isRequired,
    "Oclgrind is not installed, and not every release packages it (Debian 13 does not)"))
struct OclgrindTests {
  private let oclgrind: Oclgrind

  init() throws {
    let missing: Comment = "\(Oclgrind.requirement)=1, and there is no \(Oclgrind.fileName)"
    oclgrind = Oclgrind(icd: try #require(Oclgrind.library, missing))
  }

  /// Together they use every kernel: the families of activations, the losses, both weight layouts,
  /// layers without bias, penalties, masks, ties; the test below says which kernel is left out.
  private static let networks = [
    "activation-elu-0.7", "activation-gelu", "activation-gelu-tanh", "activation-leaky-relu",
    "activation-sigmoid", "activation-silu", "activation-softmax", "activation-softmax-output",
    "activation-softplus", "dropout-mask", "l1-l2-everything-per-sample", "layout-in-out",
    "loss-binary-cross-entropy-mean-sum", "loss-binary-cross-entropy-with-logits-sum-sum",
    "loss-cross-entropy-smoothed", "loss-hinge-mean-mean", "loss-huber-mean-sum",
    "loss-multiclass-hinge-mean", "no-bias", "one-layer", "tied-relu",
  ]

  /// Networks that are chains: one and more layers, with and without kinks, both costs.
  private static let chains = [
    "activation-silu", "loss-cross-entropy-smoothed", "loss-huber-mean-sum", "one-layer",
    "tied-relu",
  ]

  @Test("The platform is Oclgrind, its device passes the self-test, and auto does not take it")
  func platform() throws {
    let end = try Program.run(
      ["devices", "--format", "json"], environment: oclgrind.environment)
    let listing = try end.object()
    #expect(end.status == 0)
    #expect(listing["automatic"] as? String == "cpu")
    let devices = try #require(listing["devices"] as? [[String: Any]])
    let device = try #require(devices.first { $0["platform"] as? String == "Oclgrind" })
    #expect(device["simulator"] as? Bool == true)
    #expect((device["selfTest"] as? [String: Any])?["passed"] as? Bool == true)
  }

  @Test(
    "Every kernel runs without a report, and the checks pass",
    arguments: [Evaluator.difference, .direct], ["f64", "f32"])
  func clean(evaluator: Evaluator, precision: String) throws {
    var unused = try Self.kernels(of: evaluator)
    for network in Self.networks {
      let run = try oclgrind.check(
        network, ["--evaluator", evaluator.rawValue, "--precision", precision],
        environment: ["GPUCHECK_KERNELS": "-moments"])
      #expect(run.status == 0, "\(network): \(run.errors)")
      #expect(run.device.contains("Oclgrind"), "\(network)")
      #expect(run.precision == precision, "\(network)")
      #expect(run.reports.isEmpty, "\(network): \(run.reports.prefix(3).joined())")
      #expect(!run.errors.contains("OpenCL runtime error"), "\(network): \(run.errors)")
      unused.subtract(run.kernels)
    }
    for choice in evaluator == .difference ? ["fused", "-fused"] : [""] {
      let model = try oclgrind.check(
        model: "every-kernel", ["--evaluator", evaluator.rawValue, "--precision", precision],
        environment: ["GPUCHECK_KERNELS": choice])
      #expect(model.status == 0, "\(model.errors)")
      #expect(model.reports.isEmpty, "\(model.reports.prefix(3).joined())")
      #expect(model.kernels.contains { $0.hasPrefix("fused_") } == (choice == "fused"))
      unused.subtract(model.kernels)
    }
    for network in Self.chains where evaluator == .difference {
      for choice in ["chains,-moments", "chains"] {
        let run = try oclgrind.check(
          network, ["--precision", precision], environment: ["GPUCHECK_KERNELS": choice])
        #expect(run.status == 0, "\(network): \(run.errors)")
        #expect(choice == "chains" || run.kernels.contains("chain_difference"), "\(network)")
        #expect(run.reports.isEmpty, "\(network): \(run.reports.prefix(3).joined())")
        unused.subtract(run.kernels)
      }
    }
    #expect(unused.isEmpty, "no network of the list uses these kernels")
  }

  /// The kernels that an evaluator can use, by the text in kernels/ and the registry.
  private static func kernels(of evaluator: Evaluator) throws -> Set<String> {
    let modes = ["difference", "value"]
    let (mode, other) = evaluator == .difference ? (modes[0], modes[1]) : (modes[1], modes[0])
    let folder = Program.repository.appendingPathComponent("kernels")
    var names: Set<String> = []
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      names.formUnion(text.matches(of: /kernel void (\w+)\(/).map { String($0.1) })
    }
    // The two templates: a kernel for each family of functions of one element, and one for each
    // function of two.
    try #require(names.remove("KERNEL") != nil)
    names.formUnion(
      CombineFunction.allCases.filter { $0 != .modulo }.map { "combine_\($0.rawValue)_\(mode)" })
    names.formUnion(everyElementFunction.map { "\($0.kernel.rule)_element_\(mode)" })
    // A cost of the user's own is tried by itself, below.
    return names.filter { !$0.hasSuffix("_\(other)") }.subtracting(selfTestKernels)
      .subtracting([userKernel])
  }

  /// Those of the self-test, which runs in a process of its own.
  private static let selfTestKernels: Set = [
    "selftest_functions", "selftest_sum", "moments_run", "moments_listed",
  ]

  /// The kernel around a cost of the user's own.
  private static let userKernel = "user_costs"

  @Test(
    "A cost of the user's own runs without a report, a lane a work-item or a work-group",
    arguments: ["", "#define LANE_WORK_ITEMS 3"])
  func userCost(definition: String) throws {
    let folder = try TemporaryFolder()
    try UserCost.meanSquare(definition).write(
      toFile: folder["cost.cl"], atomically: true, encoding: .utf8)
    let files = try UserCost.Files(in: folder)
    let run = try oclgrind.run(
      ["check", folder["cost.cl"], "--device", "Oclgrind"] + files.arguments)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.kernels.contains(Self.userKernel))
    #expect(run.reports.isEmpty, "\(run.reports.prefix(3).joined())")
  }

  @Test("The self-test runs without a report")
  func selfTest() throws {
    let run = try oclgrind.run(["self-test", "0:0"])
    #expect(run.status == 0)
    #expect(run.kernels == Self.selfTestKernels)
    #expect(run.reports.isEmpty, "\(run.reports.prefix(3).joined())")
  }

  @Test("Lanes from moments run without a report", arguments: ["f64", "f32"])
  func moments(precision: String) throws {
    let folder = Program.repository.appendingPathComponent("examples/digits").path
    let run = try oclgrind.run(
      ["check", "\(folder)/model.json", "--device", "Oclgrind", "--precision", precision]
        + ["batch", "parameters", "gradient"].flatMap { ["--\($0)", "\(folder)/\($0).npz"] })
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.kernels.isSuperset(of: ["moments_run", "moments_listed"]))
    #expect(!run.kernels.contains("dense_weight_difference"))
    #expect(run.reports.isEmpty, "\(run.reports.prefix(3).joined())")
  }

  @Test("Products in tiles, which share local memory, run without a report")
  func tiles() throws {
    let run = try oclgrind.check(
      ONNXCheckTests.Case(name: "cnn"), ["--precision", "f64"],
      environment: ["GPUCHECK_KERNELS": "width=1,tiles,-moments"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.kernels.contains("product_tile_2"))
    #expect(run.reports.isEmpty, "\(run.reports.prefix(3).joined())")
  }

  // MARK: Planted errors

  @Test("A store beyond the end of a buffer is reported, with kernel, file and line")
  func storeOutOfBounds() throws {
    try expectReport(
      of: "Invalid write of size", in: "dense_bias_difference",
      planting: "STORE(d, (s + 1000000) * lane_vectors + g, out);",
      insteadOf: "STORE(d, s * lane_vectors + g, out);", file: "dense.cl")
  }

  @Test("A data race is reported")
  func dataRace() throws {
    try expectReport(
      of: "Write-write data race", in: "dense_bias_difference",
      planting: "STORE(d * (realv)(g + 1), s * lane_vectors, out);",
      insteadOf: "STORE(d, s * lane_vectors + g, out);", file: "dense.cl",
      // With a work-item for every lane.
      kernels: "width=1,-moments")
  }

  @Test("A value that was never set is reported")
  func uninitialised() throws {
    try expectReport(
      of: "Uninitialized value written to global memory", in: "dense_bias_difference",
      planting: "{ realv unset; STORE(unset, s * lane_vectors + g, out); }",
      insteadOf: "STORE(d, s * lane_vectors + g, out);", file: "dense.cl")
  }

  /// Changes a line of a copy of kernels/ and expects Oclgrind to see it.
  private func expectReport(
    of message: String, in kernel: String, planting planted: String, insteadOf original: String,
    file: String, kernels: String? = nil
  ) throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let copy = URL(fileURLWithPath: folder["kernels"])
    let source = Program.repository.appendingPathComponent("kernels")
    try FileManager.default.copyItem(at: source, to: copy)
    let url = copy.appendingPathComponent(file)
    let parts = try String(contentsOf: url, encoding: .utf8).components(separatedBy: original)
    try #require(parts.count == 2, "\(file) has changed: '\(original)' should stand there once")
    try parts.joined(separator: planted).write(to: url, atomically: true, encoding: .utf8)
    let line = parts[0].split(separator: "\n", omittingEmptySubsequences: false).count

    let run = try oclgrind.check(
      "layout-in-out", ["--kernels", copy.path],
      environment: kernels.map { ["GPUCHECK_KERNELS": $0] } ?? [:])
    #expect(run.device.contains("Oclgrind"))
    let isSeen = run.reports.contains { report in
      report.hasPrefix(message) && report.contains("Kernel: \(kernel)\n")
        && report.contains("At line \(line) (") && report.contains("of \(file):")
    }
    #expect(isSeen, "\(run.reports.prefix(3).joined())")
  }

  // MARK: Preloaded

  @Test("`oclgrind gpucheck` runs on Oclgrind, and sees no other platform")
  func preloaded() throws {
    let command = try #require(Oclgrind.command, "no command oclgrind on the PATH")
    let listing = try Program.run(["devices", "--format", "json"], launcher: command).object()
    let devices = try #require(listing["devices"] as? [[String: Any]])
    let platforms = devices.compactMap { $0["platform"] as? String }
    #expect(platforms == ["Oclgrind"])

    let run = try oclgrind.check("layout-in-out", [], launcher: command)
    #expect(run.status == 0)
    #expect(run.device.contains("Oclgrind"))
    #expect(run.reports.isEmpty, "\(run.reports.prefix(3).joined())")
  }
}

/// Oclgrind and what it says of a run.
struct Oclgrind {
  /// Set to 1, this environment variable makes a missing Oclgrind a failure.
  static let requirement = "GPUCHECK_REQUIRE_OCLGRIND"
  static let isRequired = ProcessInfo.processInfo.environment[requirement] == "1"

  /// The library that is a platform of its own for the loader.
  static let fileName = "liboclgrind-rt-icd.so"

  /// Where it is; Debian and Ubuntu have it in the first place.
  static let library: String? = {
    let roots = ["/usr/lib", "/usr/local/lib"]
    let nested = roots.flatMap { root in
      ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()
        .map { "\(root)/\($0)" }
    }
    return (["/usr/lib/oclgrind"] + roots + nested + nested.map { "\($0)/oclgrind" })
      .map { "\($0)/\(fileName)" }.first { FileManager.default.fileExists(atPath: $0) }
  }()

  /// The command that preloads it.
  static let command: URL? = (ProcessInfo.processInfo.environment["PATH"] ?? "")
    .split(separator: ":").map { URL(fileURLWithPath: "\($0)/oclgrind") }
    .first { FileManager.default.isExecutableFile(atPath: $0.path) }

  /// A check and what Oclgrind saw of it.
  struct Run {
    var status: Int32
    var errors: String
    var device = ""
    var precision = ""
    /// What Oclgrind complains of, a text of some lines each.
    var reports: [String] = []
    /// The kernels that ran.
    var kernels: Set<String> = []
  }

  var icd: String

  /// Makes Oclgrind the only platform.
  var environment: [String: String] { ["OCL_ICD_VENDORS": icd] }

  /// Checks some components of a network of the fixtures with all of Oclgrind's checks switched on.
  func check(
    _ network: String, _ options: [String], launcher: URL? = nil,
    environment more: [String: String] = [:]
  ) throws -> Run {
    let inputs = "Tests/GPUCheckTests/Fixtures/networks/\(network)"
    return try check(
      [
        "check", "\(inputs)/model.json", "--batch", "\(inputs)/batch.npz",
        "--parameters", "\(inputs)/parameters.npz", "--gradient", "\(inputs)/gradient.npz",
        "--sample", "8",
      ] + options, launcher: launcher, environment: more)
  }

  /// The same of an ONNX model.
  func check(
    model: String, _ options: [String], environment: [String: String] = [:]
  ) throws -> Run {
    let files = "Tests/GPUCheckTests/Fixtures/onnx/\(model)"
    return try check(
      [
        "check", "\(files).onnx", "--parameters", "\(files).npz", "--gradient",
        "\(files)-gradient.npz", "--sample", "30",
      ] + options, launcher: nil, environment: environment)
  }

  /// The same of a model that PyTorch exported.
  func check(
    _ model: ONNXCheckTests.Case, _ options: [String], environment: [String: String]
  ) throws -> Run {
    let files = ["batch", "parameters", "gradient"].flatMap {
      ["--\($0)", model.file("\($0).safetensors")]
    }
    return try check(
      ["check", model.file("model.onnx"), "--sample", "2"] + files + options, launcher: nil,
      environment: environment)
  }

  private func check(
    _ arguments: [String], launcher: URL?, environment more: [String: String] = [:]
  ) throws -> Run {
    let folder = try TemporaryFolder()
    var run = try self.run(
      arguments + [
        "--device", "Oclgrind", "--profile", "--format", "json", "--output", folder["report.json"],
      ], launcher: launcher, counts: false, environment: more)
    if let data = FileManager.default.contents(atPath: folder["report.json"]) {
      let parsed = try JSONSerialization.jsonObject(with: data)
      let object = try #require(parsed as? [String: Any])
      run.device = object["device"] as? String ?? ""
      run.precision = object["precision"] as? String ?? ""
      let profile = object["profile"] as? [String: Any]
      let kernels = profile?["kernels"] as? [[String: Any]] ?? []
      run.kernels = Set(kernels.compactMap { $0["name"] as? String })
    }
    return run
  }

  /// Runs the program with all of Oclgrind's checks switched on.
  ///
  /// - Parameter counts: whether Oclgrind tells which kernels ran, by the instructions that it counts. In
  ///   21.10 it then writes behind an array's end where kernels call many functions, as lanes' do; their
  ///   checks have a profile.
  func run(
    _ arguments: [String], launcher: URL? = nil, counts: Bool = true,
    environment more: [String: String] = [:]
  ) throws -> Run {
    let folder = try TemporaryFolder()
    let log = folder["oclgrind.log"]
    var checks = [
      "OCLGRIND_CHECK_API": "1", "OCLGRIND_DATA_RACES": "1", "OCLGRIND_UNINITIALIZED": "1",
      "OCLGRIND_MAX_ERRORS": "100000", "OCLGRIND_LOG": log,
      // Its check for uninitialised values (21.10) does not know LLVM's `freeze`, which the
      // optimiser inserts where a division and a remainder meet.
      "OCLGRIND_BUILD_OPTIONS": "-cl-opt-disable",
    ]
    if counts { checks["OCLGRIND_INST_COUNTS"] = "1" }
    let end = try Program.run(
      arguments, launcher: launcher,
      environment: checks.merging(launcher == nil ? environment : [:]) { $1 }
        .merging(more) { $1 })
    var run = Run(status: end.status, errors: end.errors)
    let written = try #require(
      FileManager.default.contents(atPath: log), "Oclgrind wrote no log: \(end.errors)")
    run.reports = Self.reports(String(decoding: written, as: UTF8.self))
    // The counts of instructions stand on stdout, kernel by kernel; where an answer to gpucheck
    // itself goes there, on stderr.
    run.kernels = Set(
      (end.output + end.errors).matches(of: /executed for kernel '(\w+)'/).map { String($0.1) })
    return run
  }

  /// The reports of a log: a message at the margin, indented lines after it.
  private static func reports(_ log: String) -> [String] {
    log.split(separator: "\n").reduce(into: []) { reports, line in
      if line.first == "\t", let last = reports.indices.last {
        reports[last] += line + "\n"
      } else {
        reports.append(line + "\n")
      }
    }
  }
}
