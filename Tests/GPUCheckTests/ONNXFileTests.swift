import Foundation
import GPUCheck
import ONNXFormat
import Testing

/// ONNX files of PyTorch's exporter and of the format's own package.
@Suite struct ONNXFileTests {
  // MARK: Files of PyTorch

  /// Nodes, inputs and initialisers as the package onnx counts them.
  @Test(
    arguments: [
      ("cnn/model", 8, 8, 1), ("cnn/model-folded", 8, 2, 7), ("gpt/model", 40, 18, 8),
      ("gpt/model-folded", 34, 2, 20), ("lstm/model", 36, 9, 9), ("lstm/model-folded", 11, 2, 10),
      ("mlp-relu-l2/model", 16, 8, 1), ("mlp-relu-l2/model-folded", 7, 2, 7),
      ("mlp-tanh/model", 4, 6, 0), ("mlp-tanh/model-folded", 4, 2, 4),
      ("resnet-bn-train/model", 33, 14, 3), ("resnet-bn-train/model-folded", 33, 2, 11),
    ])
  func readsExports(_ name: String, _ nodes: Int, _ inputs: Int, _ constants: Int) throws {
    let model = try ONNXFile.read(fixture("cases/\(name).onnx"))
    #expect(model.opset == 20 && model.irVersion == 10 && model.opsets == ["": 20])
    #expect(model.producer == "pytorch 2.15.0+cu132")
    #expect(model.graph.nodes.count == nodes)
    #expect(model.graph.inputs.count == inputs)
    #expect(model.graph.initializers.count == constants)
    #expect(model.graph.initializerOrder.count == constants)
    #expect(model.graph.outputs.map(\.name) == ["loss"])
  }

  /// The parameters that the exporter left in place are those of the Safetensors file.
  @Test(arguments: ["cnn", "gpt", "lstm", "mlp-relu-l2", "mlp-tanh", "resnet-bn-train"])
  func readsParameters(_ name: String) throws {
    let model = try ONNXFile.read(fixture("cases/\(name)/model-folded.onnx"))
    let file = try TensorFile.read(fixture("cases/\(name)/parameters.safetensors"))
    guard case .named(let parameters) = file else { return #expect(Bool(false)) }
    let shared = parameters.filter { model.graph.initializers[$0.key] != nil }
    #expect(!shared.isEmpty)
    for (name, tensor) in shared {
      #expect(try model.graph.initializers[name]?.tensor() == tensor, "\(name)")
    }
  }

  // MARK: Constants

  @Test func readsEveryTypeRawAndListed() throws {
    let graph = try ONNXFile.read(fixture("onnx/types.onnx")).graph
    let types: [(String, ElementType)] = [
      ("FLOAT", .float32), ("DOUBLE", .float64), ("FLOAT16", .float16), ("BFLOAT16", .bfloat16),
      ("INT8", .int8), ("INT16", .int16), ("INT32", .int32), ("INT64", .int64), ("UINT8", .uint8),
      ("UINT16", .uint16), ("UINT32", .uint32), ("UINT64", .uint64), ("BOOL", .bool),
    ]
    for (name, type) in types {
      for how in ["raw", "list"] {
        let tensor = try #require(graph.initializers["\(how)/\(name)"])
        #expect(
          try tensor.tensor()
            == Tensor(shape: [2, 3], values: [0, 1, 0, 1, 1, 0], elementType: type),
          "\(how) \(name)")
      }
    }
    let values: [(String, [Double])] = [
      ("values/FLOAT", [-1.5, Double(Float(0.1))]), ("values/FLOAT16", [-2.5, 0.25]),
      ("values/BFLOAT16", [-2.5, 3.140625]), ("values/INT8", [-128, 127]),
      ("values/INT16", [-32768, 32767]), ("values/INT64", [-0x1p53, 0x1p53]),
      ("values/UINT32", [0, 4_294_967_295]), ("values/UINT16", [0, 65535]), ("scalar", [-1.5]),
      ("none", []),
    ]
    for (name, expected) in values {
      #expect(try graph.initializers[name]?.tensor().values == expected, "\(name)")
    }
    #expect(graph.initializers["scalar"]?.shape == [])
    #expect(graph.initializers["none"]?.shape == [0, 4])
    #expect(graph.initializers.count == 2 * types.count + values.count)
    #expect(graph.inputs[0].elementType == .float32)
    #expect(graph.inputs[0].shape == [.symbol("batch"), .size(3), .unknown])
  }

  @Test func readsExternalData() throws {
    let graph = try ONNXFile.read(fixture("onnx/external.onnx")).graph
    #expect(
      try graph.initializers["w"]?.tensor()
        == Tensor(shape: [2, 3], values: [0, 1, 2, 3, 4, 5], elementType: .float32))
    #expect(
      try graph.initializers["k"]?.tensor()
        == Tensor(shape: [2], values: [7, -7], elementType: .int64))
  }

  // MARK: Nodes

  @Test func sortsNodesAndReadsAttributes() throws {
    let graph = try ONNXFile.read(fixture("onnx/attributes.onnx")).graph
    // The file has the reverse order. The If depends on what its branches take from around them.
    var defined = Set(graph.inputs.map(\.name))
    for node in graph.nodes {
      let branches = node.attributes.values.compactMap {
        if case .graph(let graph) = $0 { graph } else { nil }
      }
      let local = Set(branches.flatMap { $0.initializerOrder + $0.nodes.flatMap(\.outputs) })
      let used = node.inputs + branches.flatMap { $0.nodes.flatMap(\.inputs) }
      #expect(Set(used).subtracting(local).isSubset(of: defined), "\(node.label)")
      defined.formUnion(node.outputs)
    }
    #expect(graph.nodes.count == 7)
    let labels = Set(graph.nodes.map(\.label))
    #expect(labels.isSuperset(of: ["cell", "If of 'y'", "Gemm of 'p'"]))
    let attributes = graph.nodes.reduce(into: [String: ONNXAttribute]()) {
      $0.merge($1.attributes) { one, _ in one }
    }
    #expect(attributes.count == 10)
    for (name, value) in attributes {
      switch (name, value) {
      case ("alpha", .float(0.5)), ("transB", .int(1)), ("hidden_size", .int(2)),
        ("direction", .string("forward")), ("perm", .ints([2, 1, 0])),
        ("value_floats", .floats([0.5, 0.25])),
        ("activations", .strings(["Sigmoid", "Tanh", "Tanh"])):
        break
      case ("value", .tensor(let tensor)):
        #expect(try [[1], [1.5, 2.5]].contains(tensor.tensor().values))
      case ("then_branch", .graph(let branch)):
        #expect(branch.nodes.map(\.operation) == ["Add"])
      case ("else_branch", .graph(let branch)):
        #expect(try branch.initializers["k"]?.tensor().values == [3])
      default: Issue.record("\(name): \(value)")
      }
    }
    #expect(graph.nodes.first { $0.name == "cell" }?.outputs == ["", "h"])
  }

  /// Equal to what the package's own inliner makes of the file, names of inner values aside.
  @Test func inlinesFunctions() throws {
    let model = try ONNXFile.read(fixture("onnx/functions.onnx"))
    let expected = try ONNXFile.read(fixture("onnx/functions-inlined.onnx"))
    #expect(lines(model.graph) == lines(expected.graph))
    #expect(lines(model.graph).count == 24)
    #expect(model.opsets == ["": 20, "own": 1])
  }

  @Test func inlinesDefaultsAndInputsHandedThrough() throws {
    var proto = reluModel()
    proto.functions = [
      .with {
        $0.name = "F"
        $0.domain = "own"
        $0.input = ["a"]
        $0.output = ["a", "b", "b"]
        $0.attributeProto = [floatAttribute("alpha", 0.5)]
        $0.attribute = ["beta"]
        $0.node = [
          .with {
            $0.opType = "LeakyRelu"
            $0.input = ["a"]
            $0.output = ["b"]
            $0.attribute = ["alpha", "beta"].map { name in
              .with {
                $0.name = name
                $0.type = 1
                $0.refAttrName = name
              }
            }
          }
        ]
      }
    ]
    proto.graph.node = [
      .with {
        $0.opType = "F"
        $0.domain = "own"
        $0.input = ["x"]
        $0.output = ["u", "y", "v"]
      }
    ]
    let graph = try ONNXFile.parse(proto.serializedData(), folder: nil).graph
    #expect(
      lines(graph) == [
        "LeakyRelu(x) -> %0 alpha=float(0.5)", "Identity(x) -> %1", "Identity(%0) -> %2",
        "return %0",
      ])
    #expect(graph.nodes.map(\.outputs) == [["y"], ["u"], ["v"]])
  }

  /// In a branch within a function a name hides the function's input, not what the call gave for it:
  /// that is another input's too.
  @Test func keepsNamesApartInBranches() throws {
    func node(_ operation: String, _ inputs: [String], _ output: String) -> NodeProto {
      .with {
        $0.opType = operation
        $0.input = inputs
        $0.output = [output]
      }
    }
    var choice = node("If", ["a"], "b")
    choice.attribute = [
      .with {
        $0.name = "then_branch"
        $0.type = 5
        $0.g = .with {
          $0.node = [node("Neg", ["c"], "a"), node("Sub", ["a", "c"], "b")]
          $0.output = [.with { $0.name = "b" }]
        }
      }
    ]
    var proto = reluModel()
    proto.functions = [
      .with {
        $0.name = "F"
        $0.input = ["a", "c"]
        $0.output = ["b"]
        $0.node = [choice]
      }
    ]
    // The call is itself in a branch, and names of the model look like those of a call.
    choice.input = ["x"]
    choice.output = ["y"]
    choice.attribute[0].g.node = [node("Neg", ["x"], "F.1/a"), node("F", ["F.1/a", "F.1/a"], "b")]
    proto.graph.node = [choice]
    let graph = try ONNXFile.parse(proto.serializedData(), folder: nil).graph
    #expect(
      lines(graph) == [
        "If(x) -> %0", "then_branch", "Neg(x) -> %1", "If(%1) -> %2", "then_branch",
        "Neg(%1) -> %3", "Sub(%3, %1) -> %4", "return %4", "return %2", "return %0",
      ])
  }

  /// Deeper than any recursion goes.
  @Test func sortsLongChains() throws {
    var proto = reluModel()
    let count = 20_000
    proto.graph.node = (0..<count).reversed().map { place in
      .with {
        $0.opType = "Neg"
        $0.input = [place == 0 ? "x" : "v\(place)"]
        $0.output = [place == count - 1 ? "y" : "v\(place + 1)"]
      }
    }
    let graph = try ONNXFile.parse(proto.serializedData(), folder: nil).graph
    #expect(graph.nodes.first?.inputs == ["x"] && graph.nodes.last?.outputs == ["y"])
    #expect(graph.nodes.count == count)
  }

  @Test(arguments: ["types", "external", "attributes", "functions"])
  func neverTrapsOnDamage(_ name: String) throws {
    let path = fixture("onnx/\(name).onnx")
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    try expectNoTrap(on: Data(contentsOf: URL(fileURLWithPath: path))) { data in
      let model = try ONNXFile.parse(data, folder: folder)
      for tensor in model.graph.initializers.values { _ = try tensor.tensor() }
    }
  }
}

// MARK: Support

/// The path of a fixture.
private func fixture(_ name: String) -> String {
  (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
    .appendingPathComponent("Fixtures/\(name)").path
}

/// A model of one node, Relu: x -> y.
func reluModel() -> ModelProto {
  .with {
    $0.irVersion = 10
    $0.opsetImport = [.with { $0.version = 20 }]
    $0.graph = .with {
      $0.input = [.with { $0.name = "x" }]
      $0.output = [.with { $0.name = "y" }]
      $0.node = [
        .with {
          $0.opType = "Relu"
          $0.input = ["x"]
          $0.output = ["y"]
        }
      ]
    }
  }
}

func floatAttribute(_ name: String, _ value: Float) -> AttributeProto {
  .with {
    $0.name = name
    $0.type = 1
    $0.f = value
  }
}

/// A graph as text in which values computed by nodes are numbered, so that their names do not count.
private func lines(_ graph: ONNXGraph) -> [String] {
  var numbers: [String: String] = [:]
  func number(_ name: String) -> String { numbers[name] ?? name }
  func lines(_ graph: ONNXGraph) -> [String] {
    var text: [String] = []
    for node in graph.nodes {
      var line = "\(node.operation)(\(node.inputs.map(number).joined(separator: ", "))) ->"
      for output in node.outputs {
        numbers[output] = "%\(numbers.count)"
        line += " " + number(output)
      }
      var branches: [String] = []
      for (name, value) in node.attributes.sorted(by: { $0.key < $1.key }) {
        if case .graph(let graph) = value {
          branches += [name] + lines(graph)
        } else {
          line += " \(name)=\(value)"
        }
      }
      text += [line] + branches
    }
    return text + ["return " + graph.outputs.map { number($0.name) }.joined(separator: ", ")]
  }
  return lines(graph)
}
