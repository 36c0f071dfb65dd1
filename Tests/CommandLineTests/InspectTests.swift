import Foundation
import Testing

/// `gpucheck inspect` as a user runs it.
@Suite struct InspectTests {
  private static let cases = "Tests/GPUCheckTests/Fixtures/cases"
  private static let digits = [
    "examples/digits/model.json", "--batch", "examples/digits/batch.npz",
  ]

  private func inspect(_ arguments: [String]) throws -> Program.Ending {
    try Program.run(["inspect"] + arguments)
  }

  @Test("A network and its batch")
  func network() throws {
    let end = try inspect(Self.digits + ["--sample", "100"])
    #expect(end.status == 0 && end.errors.isEmpty, "\(end.errors)")
    for words in ["2,410 parameters in 4 tensors", "A sample:", "cpu CPU"] {
      #expect(end.output.contains(words), "\(end.output)")
    }
  }

  @Test("An ONNX model, with a batch and without")
  func model() throws {
    let model = Self.cases + "/gpt/model.onnx"
    let alone = try inspect([model])
    #expect(alone.status == 0 && alone.output.contains("with a batch (--batch)"))
    let end = try inspect([model, "--batch", Self.cases + "/gpt/batch.npz", "--format", "json"])
    #expect(end.status == 0, "\(end.errors)")
    let object = try end.object()
    #expect(object["schema"] as? String == "gpucheck.inspect/1")
    let estimate = try #require(object["estimate"] as? [String: Any])
    let devices = try #require(estimate["devices"] as? [[String: Any]])
    #expect(devices.last?["selector"] as? String == "cpu")
    let dot = try inspect([model, "--format", "dot"])
    #expect(dot.status == 0 && dot.output.hasPrefix("digraph ") && dot.output.hasSuffix("}\n"))
  }

  @Test("--nodes lists every node; --output writes a file")
  func nodes() throws {
    let folder = try TemporaryFolder()
    let short = try inspect(Self.digits)
    let end = try inspect(Self.digits + ["--nodes", "--output", folder["out.txt"]])
    #expect(end.status == 0 && end.output.isEmpty)
    let text = try String(contentsOfFile: folder["out.txt"], encoding: .utf8)
    #expect(text.contains("l2 of W1") && !short.output.contains("l2 of W1"))
  }

  @Test("A model that a check would refuse is told of all the same")
  func refused() throws {
    let end = try inspect(["Tests/GPUCheckTests/Fixtures/onnx/functions.onnx"])
    #expect(end.status == 0 && end.output.contains("A check would refuse: no output"))
  }

  @Test(
    "Bad input: one line that says what and what to do, and nothing else",
    arguments: [
      (["none.onnx"], "none.onnx: no such file"),
      ([], "missing expected argument '<model>'"),
      (["examples/user-cost/cube.cl"], "cube.cl: this is a cost of your own, which has no graph"),
      (["--library", "x.so"], "x.so: this is a cost of your own, which has no graph"),
      (["examples/digits/batch.npz"], "batch.npz: "),
      (digits + ["--format", "svg"], "expected text, json, dot"),
      (digits + ["--sample", "0"], "a whole number of at least 1"),
      (digits + ["--loss", "squared-error"], "are for ONNX models"),
      (digits + ["--output", "examples/digits/batch.npz"], "would be overwritten"),
      (digits + ["--output", "none/out"], "make the folder first"),
      (
        digits + ["--gradient", "examples/digits/batch.npz"],
        "batch.npz: W1: there is no such tensor"
      ),
      (
        [cases + "/gpt/model.onnx", "--batch", "examples/digits/parameters.npz"],
        "x: the batch has no such tensor"
      ),
      (
        [cases + "/gpt/model.onnx", "--cost", "nothing"], "nothing: the model has no such output"
      ),
    ])
  func badInput(arguments: [String], words: String) throws {
    let end = try inspect(arguments)
    #expect(end.status == 2 && end.output.isEmpty, "\(end.output)")
    #expect(end.errorLines.count == 1 && end.errors.hasPrefix("gpucheck: "), "\(end.errors)")
    #expect(end.errors.contains(words), "\(end.errors)")
  }

  @Test("A layer that is too wide to make numbers up is refused before they take memory")
  func wideNetwork() throws {
    let folder = try TemporaryFolder()
    let text = """
      {"schema": "gpucheck.network/1", "inputs": 2000000000, "layers": [{"units": 1}],
       "loss": "mean-squared-error"}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder["wide.json"]))
    let end = try inspect([folder["wide.json"]])
    #expect(end.status == 2 && end.errorLines.count == 1)
    #expect(end.errors.contains("too wide to make a sample up; give a --batch"), "\(end.errors)")
  }
}
