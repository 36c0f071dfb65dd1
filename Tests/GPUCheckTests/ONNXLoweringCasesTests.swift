import Foundation
import GPUCheck
import Testing

/// PyTorch's models (Fixtures/cases): J, and a few components of the gradient.
@Suite struct ONNXLoweringCasesTests {
  static let names = ["cnn", "gpt", "lstm", "mlp-relu-l2", "mlp-tanh", "resnet-bn-train"]

  /// A case's files.
  struct Files {
    let model: ONNXModel
    let batch: [String: Tensor]
    let parameters: [String: Tensor]
    let gradient: [String: Tensor]
    let loss: Double

    init(_ name: String, model file: String, gradient: String = "gradient.safetensors") throws {
      let folder = (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
        .appendingPathComponent("Fixtures/cases/\(name)")
      func tensors(_ file: String) throws -> [String: Tensor] {
        guard
          case .named(let tensors) = try TensorFile.read(folder.appendingPathComponent(file).path)
        else { return [:] }
        return tensors
      }
      model = try ONNXFile.read(folder.appendingPathComponent(file).path)
      batch = try tensors("batch.safetensors")
      parameters = try tensors("parameters.safetensors")
      self.gradient = try tensors(gradient)
      struct Case: Decodable { var loss: Double }
      loss = try JSONDecoder().decode(
        Case.self, from: Data(contentsOf: folder.appendingPathComponent("case.json"))
      ).loss
    }
  }

  @Test(arguments: names)
  func costEqualsPyTorch(_ name: String) throws {
    let files = try Files(name, model: "model.onnx")
    let lowered = try ONNXProblemSource(model: files.model).lower(
      batch: files.batch, parameters: files.parameters, gradient: Array(files.gradient.keys))
    #expect(lowered.warnings == [])
    #expect(
      lowered.parameters.layout.segments.map(\.name)
        == files.model.graph.inputs.map(\.name).filter { files.gradient[$0] != nil })
    let baseline = Baseline(graph: lowered.graph, parameters: lowered.parameters)
    let textbook = Textbook.cost(lowered.graph, lowered.parameters.values)
    #expect(abs(baseline.cost / files.loss - 1) < 1e-6, "\(baseline.cost), \(files.loss)")
    #expect(abs(textbook / files.loss - 1) < 1e-6, "\(textbook), \(files.loss)")
  }

  /// Where parameters are initialisers, those that the exporter left under their names are θ.
  @Test(arguments: names)
  func costOfFoldedModel(_ name: String) throws {
    let files = try Files(name, model: "model-folded.onnx")
    let known = files.gradient.keys.filter { files.model.graph.initializers[$0] != nil }
    let lowered = try ONNXProblemSource(model: files.model).lower(
      batch: files.batch, gradient: known)
    #expect(lowered.parameters.layout.segments.count == known.count && !known.isEmpty)
    let textbook = Textbook.cost(lowered.graph, lowered.parameters.values)
    #expect(abs(textbook / files.loss - 1) < 1e-6, "\(textbook), \(files.loss)")
  }

  /// Central differences of the textbook's J against PyTorch's gradient, two of each tensor.
  @Test(arguments: names)
  func slopesEqualPyTorch(_ name: String) throws {
    let files = try Files(name, model: "model.onnx")
    let lowered = try ONNXProblemSource(model: files.model).lower(
      batch: files.batch, parameters: files.parameters, gradient: Array(files.gradient.keys))
    let theta = lowered.parameters.values
    let step = 1e-5
    for segment in lowered.parameters.layout.segments {
      for index in [0, segment.count / 2] {
        let component = segment.offset + index
        func cost(_ sign: Double) -> Double {
          Textbook.cost(
            lowered.graph, theta, component: component, movedTo: theta[component] + sign * step)
        }
        let slope = (cost(1) - cost(-1)) / (2 * step)
        let expected = try #require(files.gradient[segment.name]).values[index]
        #expect(
          abs(slope - expected) < 1e-6 * max(1, abs(expected)),
          "\(segment.name)[\(index)]: \(slope), \(expected)")
      }
    }
  }
}
