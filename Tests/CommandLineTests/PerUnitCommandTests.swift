import Foundation
import GPUCheck
import Testing

/// `gpucheck check --per-unit` as a user sees it.
@Suite(.serialized) struct PerUnitCommandTests {
  private func digits(_ gradient: String, _ options: [String]) throws -> Program.Ending {
    let folder = "examples/digits"
    return try Program.run(
      [
        "check", "\(folder)/model.json", "--batch", "\(folder)/batch.npz",
        "--parameters", "\(folder)/parameters.npz", "--gradient", "\(folder)/\(gradient)",
        "--per-unit",
      ] + options)
  }

  private func model(_ name: String, gradient: String, _ options: [String]) throws -> Program.Ending
  {
    let folder = "Tests/GPUCheckTests/Fixtures/cases/\(name)"
    return try Program.run(
      [
        "check", "\(folder)/model.onnx", "--batch", "\(folder)/batch.safetensors",
        "--parameters", "\(folder)/parameters.safetensors",
        "--gradient", "\(folder)/\(gradient).safetensors", "--per-unit", "--device", "cpu",
      ] + options)
  }

  private func wrongTensors(_ report: [String: Any]) throws -> [String] {
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    return tensors.filter { $0["passed"] as? Bool == false }.compactMap { $0["name"] as? String }
  }

  @Test(
    "Every gradient of the digits: exit status and wrong tensors are those expected",
    arguments: ["cpu", "Portable Computing Language"], ["f64", "f32"])
  func example(device: String, precision: String) throws {
    struct Expected: Decodable {
      struct Gradient: Decodable { var wrong: [String] }
      var gradients: [String: Gradient]
    }
    let file = Program.repository.appendingPathComponent("examples/digits/expected.json")
    let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: file))
    for (name, gradient) in expected.gradients {
      let end = try digits(
        name, ["--device", device, "--precision", precision, "--format", "json"])
      let report = try end.object()
      #expect(try wrongTensors(report) == gradient.wrong, "\(name)")
      #expect(end.status == (gradient.wrong.isEmpty ? 0 : 1), "\(name)")
      #expect(report["perUnit"] as? Bool == true)
      #expect(report["evaluator"] as? String == "difference")
    }
  }

  @Test(
    "A model of PyTorch's: right gradients pass, bugs are found in exactly their tensors",
    arguments: ["mlp-tanh", "mlp-relu-l2"])
  func onnx(name: String) throws {
    let file = Program.repository.appendingPathComponent(
      "Tests/GPUCheckTests/Fixtures/cases/\(name)/case.json")
    let facts = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    let bugs = try #require(facts["bugs"] as? [String: [String: Any]])
    #expect(bugs.count >= 7)
    for gradient in ["gradient", "gradient-f32"] {
      let end = try model(name, gradient: gradient, ["--format", "json"])
      #expect(end.status == 0, "\(gradient) \(end.errors)")
    }
    for (bug, facts) in bugs {
      let end = try model(name, gradient: "bug-\(bug)", ["--format", "json"])
      #expect(end.status == 1, "\(bug) \(end.errors)")
      let wrong = try #require(facts["where"] as? [String])
      #expect(try wrongTensors(end.object()).sorted() == wrong.sorted(), "\(bug)")
    }
  }

  @Test("The report for people says that units were moved")
  func text() throws {
    let end = try digits("gradient.npz", ["--device", "cpu"])
    #expect(end.status == 0 && end.errors.isEmpty)
    #expect(end.output.contains("per unit: units were moved"), "\(end.output)")
  }

  @Test(
    "What does not fit is one line and exit status 2",
    arguments: [
      ("cnn", "body.c1.weight: found it used by 'conv2d' (convolution)"),
      ("lstm", "body.r.weight_ih_l0: found it used by"),
      ("gpt", "body.wte.weight: found it used by"),
      ("resnet-bn-train", "body.stem.weight: found it used by 'conv2d' (convolution)"),
    ])
  func refusals(name: String, line: String) throws {
    let end = try model(name, gradient: "gradient", [])
    #expect(end.status == 2 && end.output.isEmpty)
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.contains(line) && end.errors.contains("leave --per-unit out"))
  }

  @Test("Options that ask for something else, and a cost of one's own, are refused")
  func options() throws {
    for options in [
      ["--sample", "10"], ["--evaluator", "direct"], ["--scheme", "backward"],
      ["--journal", "/tmp/no-such-folder-here.journal"],
    ] {
      let end = try digits("gradient.npz", ["--device", "cpu"] + options)
      #expect(end.status == 2 && end.output.isEmpty)
      #expect(end.errorLines.count == 1 && end.errors.contains("--per-unit"), "\(end.errors)")
    }
    let end = try Program.run([
      "check", "examples/user-cost/cube.cl", "--parameters", "examples/digits/parameters.npz",
      "--gradient", "examples/digits/gradient.npz", "--per-unit",
    ])
    #expect(end.status == 2 && end.errors.contains("not for a cost of your own"), "\(end.errors)")
  }
}
