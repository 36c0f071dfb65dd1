import Foundation
import GPUCheck
import ONNXFormat
import SwiftProtobuf
import Testing

/// ONNX files that cannot be read: each gives one line that says what is wrong and what to do.
@Suite struct ONNXBadFileTests {
  struct BadModel: Sendable, CustomTestStringConvertible {
    var expected: String
    var edit: @Sendable (inout ModelProto) -> Void

    init(_ expected: String, _ edit: @escaping @Sendable (inout ModelProto) -> Void) {
      self.expected = expected
      self.edit = edit
    }

    var testDescription: String { expected }
  }

  static let versions: [BadModel] = [
    BadModel("the file holds no graph") { $0.clearGraph() },
    BadModel("the file is of IR version 0, expected 3 to 14") { $0.clearIrVersion() },
    BadModel("the file is of IR version 15, expected 3 to 14") { $0.irVersion = 15 },
    BadModel("the file does not say its opset, expected 11 to 28") { $0.opsetImport = [] },
    BadModel("the model is of opset 10, expected 11 to 28") { $0.opsetImport[0].version = 10 },
    BadModel("the model is of opset 29, expected 11 to 28") { $0.opsetImport[0].version = 29 },
    BadModel("versions 20 and 21 of the operators of ai.onnx") {
      $0.opsetImport.append(
        .with {
          $0.domain = "ai.onnx"
          $0.version = 21
        })
    },
  ]

  static let names: [BadModel] = [
    BadModel("the node Relu of 'y' takes 'X1', which no input, initialiser or node defines; did") {
      $0.graph.input[0].name = "x1"
      $0.graph.node[0].input = ["X1"]
    },
    BadModel("the node act takes 'weights', which no input, initialiser or node defines; define") {
      $0.graph.node[0].name = "act"
      $0.graph.node[0].input = ["weights"]
    },
    BadModel("the output 'z' is of no node") { $0.graph.output[0].name = "z" },
    BadModel("y: the name is defined twice, by Relu of 'y' and by again") {
      $0.graph.node.append($0.graph.node[0])
      $0.graph.node[1].name = "again"
    },
    BadModel("x: the name is defined twice, as an input and by Relu of 'x'") {
      $0.graph.node[0].output = ["x"]
    },
    BadModel("x: the name is defined twice, as an input and as an input") {
      $0.graph.input.append($0.graph.input[0])
    },
    BadModel("y: the name is defined twice, as an initialiser and by Relu of 'y'") {
      $0.graph.initializer = [floats("y", [1], [0])]
    },
    BadModel("w: the name is defined twice, as an initialiser and as an initialiser") {
      $0.graph.initializer = [floats("w", [1], [0]), floats("w", [1], [0])]
    },
    BadModel("an input of the graph has no name") { $0.graph.input[0].name = "" },
    BadModel("an initialiser has no name") { $0.graph.initializer = [floats("", [1], [0])] },
    BadModel("the node Relu of 'y' takes its own output") { $0.graph.node[0].input = ["y"] },
    BadModel("2 nodes take each other's outputs in a cycle, among them one, two") {
      $0.graph.node = [node("one", ["b"], ["y"]), node("two", ["y"], ["b"])]
    },
    BadModel("the node \u{FFFD}line takes 'b', which no") {
      $0.graph.node = [node("\nline", ["b"], ["y"])]
    },
  ]

  static let nodes: [BadModel] = [
    BadModel("names no operator") { $0.graph.node[0].opType = "" },
    BadModel("the node Relu of 'y' has two attributes 'alpha'") {
      $0.graph.node[0].attribute = [floatAttribute("alpha", 1), floatAttribute("alpha", 1)]
    },
    BadModel("the node Relu of 'y', attribute 'a': it refers to 'b' of a function") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].refAttrName = "b"
    },
    BadModel("the node Relu of 'y', attribute 'a': it is of type SPARSE_TENSOR, expected") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].type = 11
    },
    BadModel("attribute 'a': it is of type UNDEFINED") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].type = 0
    },
    BadModel("attribute 'a': it is of type -7") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].type = -7
    },
    BadModel("attribute 'a': the tensor is missing") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].type = 4
    },
    BadModel("attribute 'a': a string is not UTF-8") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].type = 3
      $0.graph.node[0].attribute[0].s = Data([0xFF])
    },
    BadModel("attribute 'a': its elements are of type STRING, expected") {
      $0.graph.node[0].attribute = [floatAttribute("a", 1)]
      $0.graph.node[0].attribute[0].type = 4
      $0.graph.node[0].attribute[0].t = .with { $0.dataType = 8 }
    },
    BadModel("the node Relu of 'w' takes 'q', which") {
      $0.graph.node[0] = branch(node("", ["q"], ["w"]))
    },
    BadModel("the node If of 'y' takes its own output") {
      $0.graph.node[0] = branch(node("", ["y"], ["w"]))
    },
    BadModel("more than 16 graphs lie within each other") {
      for _ in 0..<16 { $0.graph.node[0] = branch($0.graph.node[0]) }
    },
    BadModel("messages lie within each other more than 100 deep") {
      for _ in 0..<40 { $0.graph.node[0] = branch($0.graph.node[0]) }
    },
  ]

  static let tensors: [BadModel] = [
    BadModel("w: 3 elements are stored, expected 4 for shape [2, 2]") {
      $0.graph.initializer = [floats("w", [2, 2], [1, 2, 3])]
    },
    BadModel("w: 0 elements are stored, expected 4611686018427387 for") {
      $0.graph.initializer = [floats("w", [4_611_686_018_427_387], [])]
    },
    BadModel("w: 7 bytes are stored, expected 8 for shape [2] of float32") {
      $0.graph.initializer = [floats("w", [2], [])]
      $0.graph.initializer[0].rawData = Data(count: 7)
    },
    BadModel("w: an axis is -2 long") { $0.graph.initializer = [floats("w", [-2, -2], [])] },
    BadModel("w: the shape [4611686018427387904, 4] is larger than any tensor") {
      $0.graph.initializer = [floats("w", [1 << 62, 4], [])]
    },
    BadModel("w: the shape [0, 4611686018427387904, 4] is larger than any tensor") {
      $0.graph.initializer = [floats("w", [0, 1 << 62, 4], [])]
    },
    BadModel("w: it has 65 axes, expected at most 64") {
      $0.graph.initializer = [floats("w", [Int64](repeating: 1, count: 65), [1])]
    },
    BadModel("w: its elements are in float_data, expected raw_data or int64_data for int64") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].dataType = 7
    },
    BadModel("w: its elements are in float_data and in raw_data, expected") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].rawData = Data(count: 4)
    },
    BadModel("w: its elements are of type COMPLEX64, expected") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].dataType = 14
    },
    BadModel("w: its elements are of type FLOAT8E4M3FN, expected") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].dataType = 17
    },
    BadModel("w: its elements are of type 99, expected") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].dataType = 99
    },
    BadModel("w: it is stored in segments") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].segment.begin = 0
    },
    BadModel("w: its data location is 2, expected") {
      $0.graph.initializer = [floats("w", [1], [1])]
      $0.graph.initializer[0].dataLocation = 2
    },
    BadModel("w: this initialiser is sparse, expected a dense one") {
      $0.graph.sparseInitializer = [.with { $0.values = floats("w", [1], [1]) }]
    },
    BadModel("x: its elements are of type STRING") {
      $0.graph.input[0].type.tensorType.elemType = 8
    },
    BadModel("x: this input is a sequence, expected a tensor") {
      $0.graph.input[0].type.sequenceType = .init()
    },
    BadModel("x: an axis is -3 long") {
      $0.graph.input[0].type.tensorType.shape.dim = [.with { $0.dimValue = -3 }]
    },
    BadModel("x: the shape [4611686018427387904, 4] is larger") {
      $0.graph.input[0].type.tensorType.shape.dim = [
        .with { $0.dimValue = 1 << 62 }, .with { $0.dimValue = 4 },
      ]
    },
  ]

  static let functions: [BadModel] = [
    BadModel("the function 'F' calls itself") {
      call(&$0, [node("F", ["a"], ["b"], domain: "own")])
    },
    BadModel("the function 'F' is defined twice") {
      call(&$0, [node("", ["a"], ["b"])])
      $0.functions.append($0.functions[0])
    },
    BadModel("the function 'F' is written for opset 19, the model for 20") {
      call(&$0, [node("", ["a"], ["b"])])
      $0.functions[0].opsetImport = [.with { $0.version = 19 }]
    },
    BadModel("the function 'F' uses 'q', which nothing in it defines") {
      call(&$0, [node("", ["q"], ["b"])])
    },
    // Not even what stands around the call.
    BadModel("the function 'F' uses 'x', which nothing in it defines") {
      call(&$0, [node("", ["x"], ["b"])])
    },
    BadModel("the function 'F' computes its output 'b' in no node") {
      call(&$0, [node("", ["a"], ["c"])])
    },
    BadModel("the function 'F' computes its input 'a'") { call(&$0, [node("", ["a"], ["a"])]) },
    BadModel("the function 'F' has 1 inputs and 1 outputs, and is called with 2 and 1") {
      call(&$0, [node("", ["a"], ["b"])])
      $0.graph.node[0].input = ["x", "x"]
    },
    BadModel("the function 'F' has two inputs 'a'") {
      call(&$0, [node("", ["a"], ["b"])])
      $0.functions[0].input = ["a", "a"]
    },
    BadModel("the function 'F' is called with 'alpha', which is none of its attributes") {
      call(&$0, [node("", ["a"], ["b"])])
      $0.graph.node[0].attribute = [floatAttribute("alpha", 1)]
    },
    BadModel("the function 'F' uses 'beta', which is none of its attributes") {
      call(&$0, [node("", ["a"], ["b"])])
      $0.functions[0].node[0].attribute = [floatAttribute("alpha", 1)]
      $0.functions[0].node[0].attribute[0].refAttrName = "beta"
    },
    BadModel("is called within more than 64 others") { chain(&$0, 70, calls: 1) },
    // 2^60 nodes.
    BadModel("the model grows beyond all measure where its functions are inlined") {
      chain(&$0, 60, calls: 2)
    },
  ]

  @Test(arguments: versions + names + nodes + tensors + functions)
  func refuses(_ bad: BadModel) throws {
    var proto = reluModel()
    bad.edit(&proto)
    let data = try proto.serializedData()
    let message = inputErrorMessage {
      try ONNXFile.parse(data, folder: nil, inliningLimit: 10_000)
    }
    #expect(message.contains(bad.expected), "\(message)")
    #expect(message.contains("; "), "no next step: \(message)")
    #expect(!message.contains("\n"))
  }

  @Test(
    arguments: [
      (Data([0x08]), "the file is cut short, or is no ONNX model"),
      (Data("hello, world".utf8), "no ONNX model"),
      (Data("{\"graph\": 1}".utf8), "this looks like JSON, expected an ONNX model"),
      (Data([0x89] + Array("HDF\r\n".utf8)), "this is an HDF5 file, expected an ONNX model"),
      (Data([0x93] + Array("NUMPY".utf8)), "this looks like an .npy file, expected an ONNX model"),
      (Data([0x3A, 0xFF, 0xFF, 0x03]), "the file is cut short"),
      (Data([0x12, 0x01, 0xFF]), "a name is not UTF-8"),
    ])
  func refusesOtherBytes(_ data: Data, _ expected: String) {
    let message = inputErrorMessage { try ONNXFile.parse(data, folder: nil) }
    #expect(message.contains(expected) && message.contains("; "), "\(message)")
  }

  @Test func refusesIntegersThatTheTypeDoesNotHold() throws {
    var proto = reluModel()
    proto.graph.initializer = [
      .with {
        $0.name = "w"
        $0.dataType = 3
        $0.dims = [2]
        $0.int32Data = [1, 128]
      }
    ]
    let graph = try ONNXFile.parse(proto.serializedData(), folder: nil).graph
    let message = inputErrorMessage { try #require(graph.initializers["w"]).tensor() }
    #expect(message.contains("w[1]: 128 is stored, which no int8 holds"), "\(message)")
  }

  /// 2 GiB of nothing: a file with a hole.
  @Test func refusesFilesThatNoMessageHolds() throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("large.onnx").path
      #expect(FileManager.default.createFile(atPath: path, contents: Data([0x08])))
      #expect(truncate(path, 1 << 31) == 0)
      let message = inputErrorMessage { try ONNXFile.read(path) }
      #expect(
        message.contains("large.onnx: the file has 2147483648 bytes, and no protobuf")
          && message.contains("save the model with external data"), "\(message)")
    }
  }

  // MARK: External data

  @Test(
    arguments: [
      (["location": "w.bin"], nil),
      (["location": "./within/../w.bin"], "expected a path within the model's folder"),
      (["location": "within/w.bin", "offset": "0"], nil),
      (["location": "w.bin", "offset": "8", "length": "8"], nil),
      (
        ["location": "w.bin", "offset": "9"],
        "its 8 bytes at 9 are not all within 'w.bin', which has 16"
      ),
      (["location": "w.bin", "offset": "9223372036854775807"], "are not all within 'w.bin'"),
      (["location": "w.bin", "length": "16"], "its external data is 16 bytes long, expected 8"),
      (["location": "w.bin", "offset": "-1"], "the offset of its external data is '-1', expected"),
      (["location": "w.bin", "length": "1e9"], "the length of its external data is '1e9'"),
      (["location": "../outside.bin"], "expected a path within the model's folder"),
      (["location": "/etc/passwd"], "expected a path within the model's folder"),
      (["location": "within/link.bin"], "a link that leads out of the model's folder"),
      (["location": "none.bin"], "which is not there; copy that file too"),
      (["location": "within"], "this is a folder, not a file"),
      (["location": "pipe"], "this is a pipe, not a file"),
      (["location": ""], "its external data names no file"),
      ([:], "its external data names no file"),
    ] as [([String: String], String?)])
  func checksExternalData(_ entries: [String: String], _ expected: String?) throws {
    try withTemporaryFolder { parent in
      let folder = parent.appendingPathComponent("model")
      let within = folder.appendingPathComponent("within")
      try FileManager.default.createDirectory(at: within, withIntermediateDirectories: true)
      let outside = parent.appendingPathComponent("outside.bin")
      for file in [
        outside, folder.appendingPathComponent("w.bin"), within.appendingPathComponent("w.bin"),
      ] {
        try Data(count: 16).write(to: file)
      }
      try FileManager.default.createSymbolicLink(
        at: within.appendingPathComponent("link.bin"), withDestinationURL: outside)
      #expect(mkfifo(folder.appendingPathComponent("pipe").path, 0o600) == 0)
      var proto = reluModel()
      proto.graph.initializer = [floats("w", [2], [])]
      proto.graph.initializer[0].dataLocation = 1
      proto.graph.initializer[0].externalData = entries.map { key, value in
        .with { ($0.key, $0.value) = (key, value) }
      }
      let path = folder.appendingPathComponent("model.onnx").path
      try proto.serializedData().write(to: URL(fileURLWithPath: path))
      guard let expected else {
        #expect(try ONNXFile.read(path).graph.initializers["w"]?.tensor().values == [0, 0])
        return
      }
      let message = inputErrorMessage { try ONNXFile.read(path) }
      #expect(message.contains(expected) && message.contains("w: "), "\(message)")
      #expect(message.contains("; ") && !message.contains("\n"), "\(message)")
      let nowhere = inputErrorMessage { try ONNXFile.parse(proto.serializedData(), folder: nil) }
      #expect(!nowhere.contains("no error"), "\(nowhere)")
    }
  }
}

// MARK: Support

private func floats(_ name: String, _ shape: [Int64], _ values: [Float]) -> TensorProto {
  .with {
    $0.name = name
    $0.dims = shape
    $0.dataType = 1
    $0.floatData = values
  }
}

private func node(
  _ name: String, _ inputs: [String], _ outputs: [String], domain: String = ""
) -> NodeProto {
  .with {
    $0.name = domain.isEmpty ? name : ""
    $0.opType = domain.isEmpty ? "Relu" : name
    $0.domain = domain
    $0.input = inputs
    $0.output = outputs
  }
}

/// If with one branch, of one node.
private func branch(_ node: NodeProto) -> NodeProto {
  .with {
    $0.opType = "If"
    $0.input = ["x"]
    $0.output = ["y"]
    $0.attribute = [
      .with {
        $0.name = "then_branch"
        $0.type = 5
        $0.g = .with { $0.node = [node] }
      }
    ]
  }
}

/// The model's node calls the function F: a -> b, of these nodes.
private func call(_ model: inout ModelProto, _ nodes: [NodeProto]) {
  model.functions = [
    .with {
      $0.name = "F"
      $0.domain = "own"
      $0.input = ["a"]
      $0.output = ["b"]
      $0.node = nodes
    }
  ]
  model.graph.node[0] = node("F", ["x"], ["y"], domain: "own")
}

/// Functions each of which calls the next one so many times.
private func chain(_ model: inout ModelProto, _ length: Int, calls: Int) {
  model.functions = (0..<length).map { place in
    .with {
      $0.name = "F\(place)"
      $0.domain = "own"
      $0.input = ["a"]
      $0.output = ["b1"]
      $0.node = (1...calls).map {
        node("F\(place + 1)", ["a"], ["b\($0)"], domain: place + 1 < length ? "own" : "")
      }
    }
  }
  model.graph.node[0] = node("F0", ["x"], ["y"], domain: "own")
}
