import Foundation
import GPUCheck
import Testing

/// What the tests of costs of the user's own share.
enum UserCost {
  /// J(θ) = Σ x_i·(θ_i − y_i)² / 4 over the four components of θ, in OpenCL C.
  static func meanSquare(_ definition: String = "") -> String {
    """
    \(definition)
    real cost(lane_t lane, global const real *x, global const int *y) {
      real sum = 0;
      for (int i = lane.item; i < theta_count; i += lane.items) {
        const real r = theta(i) - y[i];
        sum += x[i] * r * r;
      }
      return lane_sum(sum) / theta_count;
    }
    """
  }

  /// θ, its right gradient, the same with one component wrong, and the batch of `meanSquare`.
  struct Files {
    private let folder: TemporaryFolder

    init(in folder: TemporaryFolder) throws {
      self.folder = folder
      let theta = [0.5, -1.5, 2, 0.25]
      let x = [1.0, 0.5, 2, 3]
      let y = [0.0, 1, 3, -1]
      let gradient = (0..<4).map { x[$0] * (theta[$0] - y[$0]) / 2 }
      var wrong = gradient
      wrong[2] += 1e-4
      // θ's order is its file's; that of the gradient does not matter.
      func tensors(_ values: [Double]) -> [(name: String, tensor: Tensor)] {
        [
          ("W", Tensor(shape: [3, 1], values: Array(values[..<3]))),
          ("B", Tensor(shape: [1], values: Array(values[3...]))),
        ]
      }
      try TensorFile.write(tensors(theta), to: folder["theta.npz"])
      try TensorFile.write(tensors(gradient).reversed(), to: folder["right.npz"])
      try TensorFile.write(tensors(wrong), to: folder["wrong.npz"])
      try TensorFile.write(
        [("x", Tensor(shape: [4], values: x)), ("y", Tensor(shape: [2, 2], values: y))],
        to: folder["batch.npz"])
    }

    /// The files for the command line; the right gradient unless another is named.
    func arguments(_ gradient: String = "right.npz", batch: Bool = true) -> [String] {
      ["--parameters", folder["theta.npz"], "--gradient", folder[gradient]]
        + (batch ? ["--batch", folder["batch.npz"]] : [])
    }

    var arguments: [String] { arguments() }
  }
}

/// `gpucheck check cost.cl`, on PoCL.
@Suite("A cost in OpenCL C")
struct UserCostTests {
  private let folder: TemporaryFolder
  private let files: UserCost.Files

  init() throws {
    folder = try TemporaryFolder()
    files = try UserCost.Files(in: folder)
  }

  private func check(
    _ text: String, _ options: [String] = [], gradient: String = "right.npz", batch: Bool = true,
    environment: [String: String] = [:]
  ) throws -> Program.Ending {
    try text.write(toFile: folder["cost.cl"], atomically: true, encoding: .utf8)
    let device = options.contains("--device") ? [] : ["--device", "Portable Computing Language"]
    return try Program.run(
      ["check", folder["cost.cl"], "--format", "json"] + device + options
        + files.arguments(gradient, batch: batch), environment: environment)
  }

  @Test("θ³, the first example of docs/user-cost.md", arguments: [(0.0, 0 as Int32), (1e-4, 1)])
  func cube(error: Double, status: Int32) throws {
    let theta = 1.5
    for (name, value) in [("t.npz", theta), ("d.npz", 3 * theta * theta + error)] {
      try TensorFile.write([("t", Tensor(shape: [1], values: [value]))], to: folder[name])
    }
    let end = try Program.run([
      "check", "examples/user-cost/cube.cl", "--device", "Portable Computing Language",
      "--parameters", folder["t.npz"], "--gradient", folder["d.npz"], "--format", "json",
    ])
    #expect(end.status == status, "\(end.errors)")
    let report = try end.object()
    #expect(report["cost"] as? Double == theta * theta * theta)
    #expect(report["evaluator"] as? String == "textbook")
    #expect(report["wrong"] as? Int == Int(status))
    #expect(try #require(report["costNoise"] as? Double) < 1e-14)
  }

  @Test(
    "A right gradient passes, a wrong component is found, a lane a work-item or a work-group",
    arguments: ["", "#define LANE_WORK_ITEMS 3"], [("right.npz", 0 as Int32), ("wrong.npz", 1)])
  func lanes(definition: String, row: (gradient: String, status: Int32)) throws {
    let end = try check(UserCost.meanSquare(definition), gradient: row.gradient)
    #expect(end.status == row.status, "\(end.errors)")
    let report = try end.object()
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    #expect(tensors.map { $0["name"] as? String } == ["W", "B"])
    #expect(tensors.map { $0["wrong"] as? Int } == [Int(row.status), 0])
  }

  @Test("Without double it runs in f32, with the noise that follows")
  func withoutDouble() throws {
    let end = try check(UserCost.meanSquare(), environment: ["GPUCHECK_NO_DOUBLE": "1"])
    let report = try end.object()
    #expect(end.status == 0, "\(end.errors)")
    #expect(report["precision"] as? String == "f32")
    #expect(try #require(report["costNoise"] as? Double) > 1e-9)
  }

  @Test("The examples' network has the gradient of the built-in one")
  func network() throws {
    let digits = "examples/digits"
    for (gradient, status) in [("gradient.npz", 0 as Int32), ("wrong-bias-not-summed.npz", 1)] {
      let end = try Program.run([
        "check", "examples/user-cost/mlp.cl", "--device", "Portable Computing Language",
        "--batch", "\(digits)/batch.npz", "--parameters", "\(digits)/parameters.npz",
        "--gradient", "\(digits)/\(gradient)", "--sample", "200", "--format", "json",
      ])
      #expect(end.status == status, "\(gradient): \(end.errors)")
      let cost = try #require(try end.object()["cost"] as? Double)
      // As examples/digits/expected.json has it.
      #expect(abs(cost - 0.337299377) < 1e-9)
    }
  }

  @Test("Errors of the compiler have the user's own lines")
  func compileError() throws {
    let end = try check(
      "// one\nreal cost(lane_t lane) {\n  return theta(0) * nothing;\n}\n", batch: false)
    #expect(end.status == 2 && end.output.isEmpty)
    #expect(end.errors.contains("it does not compile"), "\(end.errors)")
    #expect(end.errors.contains("cost.cl:3:"), "\(end.errors)")
  }

  @Test(
    "What cannot be checked is refused in one line",
    arguments: [
      ("real cots(lane_t lane) { return 0; }", [], "there is no function named cost"),
      ("real cost(int lane) { return 0; }", [], "line 1: the first argument of cost is 'int lane'"),
      (
        "real cost(lane_t lane,\n global const real *xx) { return xx[0]; }", [],
        "line 2: cost takes a buffer xx, which the batch does not hold; found x, y"
      ),
      ("real cost(lane_t lane, int n) { return n; }", [], "line 1: cost takes 'int n', expected"),
      (
        "real cost(lane_t lane, global const int *x) { return x[0]; }", [],
        "x[1]: found 0.5, expected a whole number"
      ),
      (
        "real cost(lane_t lane) {\n  return theta(theta_count);\n}", [],
        "line 2: theta(4) was read, expected an index from 0 to 3"
      ),
      ("real cost(lane_t lane) { return theta(-1); }", [], "theta(-1) was read"),
      ("real cost(lane_t lane) { return NAN; }", [], "the cost at θ is nan"),
      (
        "#define h_count 2\nreal cost(lane_t lane, local real *h) { return 0; }", [],
        "local memory h, which only a work-group can share"
      ),
      (
        "#define LANE_WORK_ITEMS 1000000\nreal cost(lane_t lane) { return theta(0); }", [],
        "LANE_WORK_ITEMS is 1000000"
      ),
      (
        "real cost(lane_t lane) { return theta(0); }", ["--device", "cpu"], "needs an OpenCL device"
      ),
      (
        "real cost(lane_t lane) { return theta(0); }", ["--evaluator", "direct"],
        "is evaluated as the textbook does it; leave --evaluator"
      ),
      (
        "real cost(lane_t lane) { return theta(0); }", ["--rename", "a=b"],
        "--rename and --transpose are for networks"
      ),
      (
        "real cost(lane_t lane) { return theta(0); }", ["--device", "cpu", "--device", "0:0"],
        "2 devices are chosen, expected one"
      ),
    ])
  func refusals(text: String, options: [String], expected: String) throws {
    let end = try check(text, options)
    #expect(end.status == 2 && end.output.isEmpty)
    #expect(
      end.errorLines.last { $0.hasPrefix("gpucheck: ") }?.contains(expected) == true,
      "\(end.errors)")
  }

  @Test("Without a batch, a cost that asks for one says so")
  func noBatch() throws {
    let end = try check(UserCost.meanSquare(), batch: false)
    #expect(end.status == 2)
    #expect(end.errors.contains("cost takes a buffer x, and there is no batch; give --batch"))
  }

  @Test("Without any platform there is one clear line")
  func noPlatform() throws {
    let end = try check(
      UserCost.meanSquare(), ["--device", "auto"], environment: ["OCL_ICD_VENDORS": folder["none"]])
    #expect(end.status == 2 && end.errorLines.count == 1)
    #expect(end.errors.contains("a cost in OpenCL C needs an OpenCL device"), "\(end.errors)")
  }

  @Test("A journal answers for it the second time, and not for another text")
  func journal() throws {
    let options = ["--journal", folder["check.journal"]]
    let first = try check(UserCost.meanSquare(), options).object()
    let second = try check(UserCost.meanSquare(), options, gradient: "wrong.npz").object()
    #expect(first["recalled"] as? Int == 0)
    #expect(try #require(second["recalled"] as? Int) > 0)
    #expect(first["epsilon"] as? Double == second["epsilon"] as? Double)
    let other = try check("// another\n" + UserCost.meanSquare(), options)
    #expect(other.status == 2)
    #expect(other.errors.contains("the journal is of another check: the model or the batch"))
  }

  @Test("compare does not take it, in one line")
  func compare() throws {
    let end = try Program.run([
      "compare", "examples/user-cost/cube.cl", "--parameters", folder["theta.npz"],
    ])
    #expect(end.status == 2 && end.errorLines.count == 1)
    #expect(end.errors.contains("compare takes networks; use gpucheck check"), "\(end.errors)")
  }
}
