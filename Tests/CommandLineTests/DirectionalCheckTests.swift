import Foundation
import GPUCheck
import Testing

/// `gpucheck check --directional` as a user sees it.
@Suite(.serialized) struct DirectionalCheckTests {
  private static let digits = "examples/digits"

  private func check(
    _ model: ONNXCheckTests.Case, gradient: String, _ options: [String] = []
  ) throws -> (status: Int32, report: [String: Any]) {
    let end = try Program.run(
      [
        "check", model.file("model.onnx"), "--batch", model.file("batch.safetensors"),
        "--parameters", model.file("parameters.safetensors"),
        "--gradient", model.file(gradient + ".safetensors"), "--format", "json",
        "--directional", "3",
      ] + options)
    #expect(end.errors.isEmpty, "\(end.errors)")
    return (end.status, try end.object())
  }

  private func tensors(_ report: [String: Any]) throws -> [[String: Any]] {
    let directional = try #require(report["directional"] as? [String: Any])
    #expect(directional["directions"] as? Int == 3)
    return try #require(directional["tensors"] as? [[String: Any]])
  }

  @Test(
    "Right gradients pass, in both precisions of the gradient and of the lanes",
    arguments: ONNXCheckTests.Case.all)
  func right(model: ONNXCheckTests.Case) throws {
    for device in ["cpu", "Portable Computing Language"] {
      for precision in ["f64", "f32"] {
        for gradient in ["gradient", "gradient-f32"] {
          let (status, report) = try check(
            model, gradient: gradient, ["--device", device, "--precision", precision])
          #expect(status == 0, "\(device) \(precision) \(gradient): \(report["warnings"] ?? "")")
          let most = gradient == "gradient" && precision == "f64" ? 1e-8 : 1e-6
          #expect(try #require(report["relativeDifference"] as? Double) <= most)
          let agreement = try #require(report["textbookAgreement"] as? [String: Any])
          #expect(agreement["passed"] as? Bool == true)
          for tensor in try tensors(report) {
            #expect(try #require(tensor["detectable"] as? Double) > 0)
            #expect((tensor["places"] as? [Any])?.isEmpty == true)
          }
        }
      }
    }
  }

  @Test(
    "Every planted bug is found in exactly the wrong tensors", arguments: ONNXCheckTests.Case.all)
  func bugs(model: ONNXCheckTests.Case) throws {
    for (bug, expected) in try model.facts().bugs {
      let (status, report) = try check(model, gradient: "bug-\(bug)", ["--device", "cpu"])
      #expect(status == 1 && report["verdict"] as? String == "wrong", "\(bug)")
      let wrong = try tensors(report).filter { $0["passed"] as? Bool == false }
      #expect(
        wrong.map { $0["name"] as? String }.sorted(by: { $0 ?? "" < $1 ?? "" })
          == expected.sorted(), "\(bug)")
      for tensor in wrong {
        let place = try #require((tensor["places"] as? [[String: Any]])?.first, "\(bug)")
        let part = place["part"] as? String
        switch bug {
        case "zero":
          #expect(part == "tensor" && place["ratio"] as? Double == 0)
        case "one-component":
          #expect(part == "component")
        default: #expect(part != nil)
        }
      }
    }
  }

  @Test("The example: text says what may be missed, or what is wrong")
  func text() throws {
    let digits = { (gradient: String) in
      try Program.run([
        "check", "\(Self.digits)/model.json", "--batch", "\(Self.digits)/batch.npz",
        "--parameters", "\(Self.digits)/parameters.npz",
        "--gradient", "\(Self.digits)/\(gradient).npz", "--device", "cpu", "--directional", "2",
      ])
    }
    let right = try digits("gradient")
    #expect(right.status == 0 && right.output.hasPrefix("RIGHT  distance "))
    #expect(right.output.contains("along 2 directions in each tensor"))
    #expect(
      right.output.contains("may have been missed") || right.output.contains("could have missed"))
    let wrong = try digits("wrong-no-mean")
    #expect(wrong.status == 1 && wrong.output.hasPrefix("WRONG"))
    #expect(wrong.output.contains("W1 is wrong: all of it is"))
    #expect(right.errors.isEmpty && wrong.errors.isEmpty)
    for line in (right.output + wrong.output).split(separator: "\n") { #expect(line.count <= 100) }
  }

  @Test(
    "What does not go together with it is one line and exit status 2",
    arguments: [
      ["--sample", "100"], ["--evaluator", "direct"], ["--evaluator", "textbook"],
      ["--scheme", "forward"], ["--journal", "/tmp/gpucheck-no-journal"],
      ["--save-numeric", "/tmp/gpucheck-no-numeric.npz"], ["--directional", "0"],
    ])
  func refusals(options: [String]) throws {
    let end = try Program.run(
      [
        "check", "\(Self.digits)/model.json", "--batch", "\(Self.digits)/batch.npz",
        "--parameters", "\(Self.digits)/parameters.npz",
        "--gradient", "\(Self.digits)/gradient.npz", "--device", "cpu", "--directional", "2",
      ] + options)
    #expect(end.status == 2 && end.output.isEmpty)
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.contains("--directional"))
  }
}
