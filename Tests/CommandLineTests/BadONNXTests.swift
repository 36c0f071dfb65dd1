import Foundation
import GPUCheck
import Testing

/// ONNX models that cannot be checked: one line on stderr that says what and what to do, exit 2.
/// Tests/GPUCheckTests/ONNXBadFileTests.swift has the rest, file by file.
@Suite struct BadONNXTests {
  /// A change to the bytes of a model, options to add, and parts of the line.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var says: [String]
    var options: [String] = []
    var change: @Sendable (inout Data) -> Void = { _ in }
    var testDescription: String { name }
  }

  /// Replaces a text by another of its length.
  private static func replace(_ old: String, _ new: String) -> @Sendable (inout Data) -> Void {
    { data in
      while let range = data.range(of: Data(old.utf8)) {
        data.replaceSubrange(range, with: Data(new.utf8))
      }
    }
  }

  static let rows: [Row] = [
    Row(name: "empty", says: ["model.onnx: the file is empty"]) { $0 = Data() },
    Row(name: "cut short", says: ["model.onnx: ", "; "]) { $0 = $0.dropLast(100) },
    Row(name: "of another format", says: ["model.onnx: "]) {
      $0 = Data("PK\u{3}\u{4} and so on, at some length, as an archive has it".utf8)
    },
    Row(
      name: "an operator that is not supported",
      says: ["the operator Gemx is not supported"], change: replace("Gemm", "Gemx")),
    Row(
      name: "an operator that draws random numbers", says: ["Bernoulli", "random"],
      change: replace("LeakyRelu", "Bernoulli")),
    Row(
      name: "a parameter that the model lacks", says: ["body.c1.weight", "did you mean"],
      change: replace("body.c1.weight", "body.c9.weight")),
    Row(
      name: "no such output", says: ["the model has no such output", "loss"],
      options: ["--cost", "lost"]),
    Row(
      name: "labels that the batch lacks",
      says: ["batch.npz", "labels", "expected the labels of --loss"],
      options: ["--loss", "cross-entropy", "--labels", "labels"]),
    Row(
      name: "options of other models", says: ["--average is for a cost of your own"],
      options: ["--average", "4"]),
  ]

  @Test("One line and exit 2", arguments: rows)
  func oneLine(row: Row) throws {
    let folder = try TemporaryFolder()
    let source = ONNXCheckTests.Case(name: "cnn")
    var data = try Data(contentsOf: URL(fileURLWithPath: source.file("model.onnx")))
    row.change(&data)
    try data.write(to: URL(fileURLWithPath: folder["model.onnx"]))
    let end = try Program.run(
      [
        "check", folder["model.onnx"], "--batch", source.file("batch.npz"), "--parameters",
        source.file("parameters.safetensors"), "--gradient", source.file("gradient.safetensors"),
        "--device", "cpu",
      ] + row.options)
    #expect(end.status == 2)
    #expect(end.output.isEmpty)
    #expect(end.errorLines.count == 1, "\(end.errors)")
    for part in row.says { #expect(end.errors.contains(part), "\(part): \(end.errors)") }
    #expect(try folder.names() == ["model.onnx"])
  }
}
