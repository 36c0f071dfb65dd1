import Foundation
import GPUCheck

/// One of ONNX's node tests, as write_node_tests.py writes it: a model, its inputs and the outputs
/// that ONNX's reference computes.
struct NodeTest {
  let name: String
  /// The operator it is a test of.
  let operation: String
  private let folder: URL

  /// How it went; the text says why not.
  enum Outcome: Equatable {
    case passed
    case failed(String)
  }

  init(_ folder: URL) throws {
    self.folder = folder
    name = folder.lastPathComponent
    let note = try JSONSerialization.jsonObject(
      with: Data(contentsOf: folder.appendingPathComponent("test.json")))
    operation = (note as? [String: String])?["operator"] ?? "?"
  }

  /// The tests in a folder, by name.
  static func all(in folder: URL) throws -> [NodeTest] {
    try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.hasDirectoryPath }
      .sorted { $0.path < $1.path }
      .map { try NodeTest($0) }
  }

  /// The outputs by name, as they should be.
  func expected() throws -> [String: Tensor] { try tensors("outputs.npz") }

  private func tensors(_ file: String) throws -> [String: Tensor] {
    guard
      case .named(let tensors) = try TensorFile.read(
        folder.appendingPathComponent(file).path, expecting: 1 << 24)
    else { return [:] }
    return tensors
  }

  /// Runs the model with its floating inputs as θ by the primitives, with all inputs constant, by the
  /// textbook with J a weighted sum of the outputs, and by lanes on the CPU and on PoCL.
  func run() -> Outcome {
    do {
      let model = try ONNXFile.read(folder.appendingPathComponent("model.onnx").path)
      let inputs = try tensors("inputs.npz")
      var expected = try expected()
      // What is stored as float32 may have been bfloat16.
      for output in model.graph.outputs {
        if let type = output.elementType { expected[output.name]?.elementType = type }
      }
      let floats = model.graph.inputs.filter { input in
        guard let tensor = inputs[input.name], input.elementType?.isFloatingPoint ?? false else {
          return false
        }
        return tensor.values.allSatisfy(\.isFinite)
      }.map(\.name)
      // Only outputs, whatever their shape: dout picks them.
      let names = model.graph.outputs.map(\.name).filter { expected[$0] != nil }
      var douts: [String: Tensor] = [:]
      for name in names {
        if let tensor = expected[name] { douts[name] = dout(tensor) }
      }
      let source = ONNXProblemSource(model: model, cost: .upstream(douts))
      for gradient in floats.isEmpty ? [[]] : [floats, []] {
        let outputs = try source.outputs(
          batch: inputs, parameters: gradient.isEmpty ? [:] : inputs, gradient: gradient)
        for name in names {
          guard let found = outputs[name], let wanted = expected[name] else { continue }
          if let problem = difference(found, wanted) {
            return .failed("\(name)\(gradient.isEmpty ? " (all constant)" : ""): \(problem)")
          }
        }
      }
      guard !floats.isEmpty, douts.values.allSatisfy({ $0.values.allSatisfy(\.isFinite) }),
        expected.values.allSatisfy({ $0.values.allSatisfy(\.isFinite) })
      else { return .passed }
      return try judge(source, inputs, floats, expected, douts)
    } catch {
      return .failed("\(error)")
    }
  }

  /// J by the textbook, and by lanes.
  private func judge(
    _ source: ONNXProblemSource, _ inputs: [String: Tensor], _ floats: [String],
    _ expected: [String: Tensor], _ douts: [String: Tensor]
  ) throws -> Outcome {
    let lowered = try source.lower(batch: inputs, parameters: inputs, gradient: floats)
    let found = Textbook.cost(lowered.graph, lowered.parameters.values)
    var (wanted, scale) = (0.0, 1e-3)
    for (name, dout) in douts {
      for (a, b) in zip(dout.values, expected[name]?.values ?? []) {
        wanted += a * b
        scale += abs(a * b)
      }
    }
    let tolerance = tolerance(expected.values)
    guard abs(found - wanted) <= tolerance * scale else {
      return .failed("the textbook's J is \(found), expected \(wanted)")
    }
    let lanes = try LaneRun(lowered)
    for (name, backend) in LaneRun.backends {
      if let problem = try lanes.problem(on: backend) { return .failed("\(name): \(problem)") }
    }
    return .passed
  }

  /// Weights between 0.5 and 1.5 that repeat late.
  private func dout(_ tensor: Tensor) -> Tensor {
    Tensor(
      shape: tensor.shape,
      values: tensor.values.indices.map {
        0.5 + (Double($0) * 0.618034).truncatingRemainder(dividingBy: 1)
      })
  }

  /// What is left where outputs are stored as float32, or less exactly.
  private func tolerance(_ tensors: some Sequence<Tensor>) -> Double {
    tensors.map { max($0.elementType.unitRoundoff * 512, 3e-5) }.max() ?? 3e-5
  }

  private func difference(_ found: Tensor, _ wanted: Tensor) -> String? {
    guard found.shape == wanted.shape else {
      return "found shape \(found.shape), expected \(wanted.shape)"
    }
    let tolerance = tolerance([wanted])
    for (flat, (a, b)) in zip(found.values, wanted.values).enumerated() {
      let isEqual =
        a == b || (a.isNaN && b.isNaN) || abs(a - b) <= tolerance * max(1, abs(b))
      if !isEqual { return "\(wanted.index(ofFlat: flat)) is \(a), expected \(b)" }
    }
    return nil
  }
}
