import Foundation
import GPUCheck
import Testing

/// Models that PyTorch exported, with right gradients and planted bugs, as a user checks them
/// (Tests/GPUCheckTests/Fixtures/cases/README.md).
@Suite(.serialized) struct ONNXCheckTests {
  /// A model with its gradients.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var testDescription: String { name }

    var folder: URL {
      Program.repository.appendingPathComponent("Tests/GPUCheckTests/Fixtures/cases/\(name)")
    }

    func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// case.json: the cost, and for every bug the tensors that it makes wrong.
    func facts() throws -> (cost: Double, bugs: [String: [String]]) {
      let data = try Data(contentsOf: URL(fileURLWithPath: file("case.json")))
      let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
      let bugs = try #require(object["bugs"] as? [String: [String: Any]])
      return (
        try #require(object["loss"] as? Double),
        try bugs.mapValues { try #require($0["where"] as? [String]) }
      )
    }

    static let all = ["mlp-tanh", "mlp-relu-l2", "cnn", "lstm", "gpt", "resnet-bn-train"].map {
      Case(name: $0)
    }
  }

  private func check(
    _ model: Case, gradient: String, file: String = "model.onnx", _ options: [String] = []
  ) throws -> (status: Int32, report: [String: Any]) {
    let end = try Program.run(
      [
        "check", model.file(file), "--batch", model.file("batch.safetensors"),
        "--parameters", model.file("parameters.safetensors"), "--gradient", gradient,
        "--format", "json",
      ] + options)
    #expect(end.errors.isEmpty, "\(end.errors)")
    return (end.status, try end.object())
  }

  @Test("What --save-numeric wrote is a gradient that passes")
  func savedNumeric() throws {
    let folder = try TemporaryFolder()
    let model = Case.all[0]
    let saved = folder["numeric.safetensors"]
    let first = try check(
      model, gradient: model.file("gradient.safetensors"), ["--save-numeric", saved])
    #expect(first.status == 0)
    let second = try check(model, gradient: saved)
    #expect(second.status == 0)
    #expect(try distance(second.report) <= 1e-12)
  }

  private func distance(_ report: [String: Any]) throws -> Double {
    try #require(report["relativeDifference"] as? Double)
  }

  @Test(
    "A right gradient passes in every precision on every device, and the textbook agrees",
    arguments: Case.all)
  func right(model: Case) throws {
    let cost = try model.facts().cost
    for device in ["cpu", "Portable Computing Language"] {
      for (precision, most) in [("f64", 1e-8), ("f32", 1e-7)] {
        let options = ["--device", device, "--precision", precision]
        let (status, report) = try check(
          model, gradient: model.file("gradient.safetensors"), options)
        #expect(status == 0, "\(device) \(precision)")
        #expect(try distance(report) <= most, "\(device) \(precision)")
        let found = try #require(report["cost"] as? Double)
        #expect((found - cost).magnitude <= 1e-6 * cost)
        let agreement = try #require(report["textbookAgreement"] as? [String: Any])
        #expect(agreement["passed"] as? Bool == true)
        #expect(try #require(agreement["components"] as? Int) >= 4)
        // As a trainer in float32 holds it: its own rounding is 1e-7 and more.
        let single = try check(model, gradient: model.file("gradient-f32.safetensors"), options)
        #expect(single.status == 0, "float32, \(device) \(precision)")
        #expect(try distance(single.report) <= 1e-6)
      }
    }
  }

  @Test("The same from .npz files, and by whole forward passes", arguments: Case.all)
  func otherFiles(model: Case) throws {
    let folder = try TemporaryFolder()
    func npz(_ name: String) throws -> String {
      guard case .named(let tensors) = try TensorFile.read(model.file("\(name).safetensors")) else {
        throw CocoaError(.fileReadCorruptFile)
      }
      let path = folder["\(name).npz"]
      try TensorFile.write(tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: path)
      return path
    }
    for evaluator in ["difference", "direct"] {
      let end = try Program.run([
        "check", model.file("model.onnx"), "--batch", model.file("batch.npz"),
        "--parameters", try npz("parameters"), "--gradient", try npz("gradient"),
        "--evaluator", evaluator, "--sample", "100", "--format", "json",
      ])
      #expect(end.status == 0, "\(evaluator) \(end.errors)")
      #expect(try distance(end.object()) <= 1e-8, "\(evaluator)")
    }
  }

  @Test("A planted bug fails, and exactly the wrong tensors are named", arguments: Case.all)
  func bugs(model: Case) throws {
    let bugs = try model.facts().bugs
    #expect(bugs.count >= 5)
    for (bug, places) in bugs {
      for precision in ["f64", "f32"] {
        let (status, report) = try check(
          model, gradient: model.file("bug-\(bug).safetensors"), ["--precision", precision])
        #expect(status == 1, "\(bug) \(precision)")
        let tensors = try #require(report["tensors"] as? [[String: Any]])
        let wrong = try tensors.filter { ($0["passed"] as? Bool) == false }
          .map { try #require($0["name"] as? String) }
        #expect(wrong.sorted() == places.sorted(), "\(bug) \(precision)")
      }
    }
  }

  /// What the plain export of each case does: its parameters are initialisers, some of them folded.
  @Test("The plain export passes, or says what the exporter folded", arguments: Case.all)
  func folded(model: Case) throws {
    let end = try Program.run([
      "check", model.file("model-folded.onnx"), "--batch", model.file("batch.npz"),
      "--gradient", model.file("gradient.safetensors"),
    ])
    switch model.name {
    case "mlp-tanh", "cnn": #expect(end.status == 0)
    case "mlp-relu-l2":
      // Its penalty became a number.
      #expect(end.status == 1)
      #expect(end.output.contains("0.01·Σθ²"))
    default:
      #expect(end.status == 2)
      #expect(end.errorLines.count == 1)
      #expect(end.errors.contains("the exporter has folded"))
      let lost = ["lstm": "body.o.weight", "gpt": "body.wpe.weight"][model.name] ?? "body.b2.bias"
      #expect(end.errors.contains(lost), "\(end.errors)")
    }
  }

  @Test("dout at a model's output gives the same as the cost behind it")
  func upstream() throws {
    let model = Case(name: "mlp-tanh")
    let folder = try TemporaryFolder()
    let dout = folder["dout.npy"]
    try TensorFile.write([("dout", Tensor(shape: [], values: [2.5]))], to: dout)
    guard
      case .named(let gradient) = try TensorFile.read(model.file("gradient.safetensors"))
    else { return }
    let scaled = folder["scaled.npz"]
    try TensorFile.write(
      gradient.map { name, tensor in
        (name, Tensor(shape: tensor.shape, values: tensor.values.map { 2.5 * $0 }))
      }, to: scaled)
    let (status, _) = try check(model, gradient: scaled, ["--upstream", dout])
    #expect(status == 0)
    let (plain, _) = try check(model, gradient: scaled)
    #expect(plain == 1)
  }

  @Test("compare takes a model, too")
  func compare() throws {
    let model = Case(name: "cnn")
    let end = try Program.run([
      "compare", model.file("model.onnx"), "--batch", model.file("batch.npz"),
      "--parameters", model.file("parameters.safetensors"), "--device", "cpu",
      "--device", "Portable Computing Language",
    ])
    #expect(end.status == 0, "\(end.errors)")
    #expect(end.output.hasPrefix("AGREE"))
  }
}
