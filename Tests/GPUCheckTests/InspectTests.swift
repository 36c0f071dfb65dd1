import Foundation
import GPUCheck
import Kernels
import ONNXFormat
import Testing

/// What inspect finds: operators, the graph, θ, and what a check would take.
@Suite struct InspectTests {
  private static func file(_ name: String, _ file: String) -> String {
    (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
      .appendingPathComponent("Fixtures/cases/\(name)/\(file)").path
  }

  private func inspect(
    _ name: String, batch: Bool = true, gradient: String? = nil,
    _ options: InspectOptions = InspectOptions(), devices: [DeviceDescription] = []
  ) throws -> Inspection {
    try ModelInspector.onnx(
      Self.file(name, "model.onnx"), batch: batch ? Self.file(name, "batch.safetensors") : nil,
      parameters: nil, gradient: gradient.map { Self.file(name, $0) }, options, devices: devices)
  }

  // MARK: ONNX

  @Test("Without a batch: the file's graph, and what θ may be")
  func fileAlone() throws {
    let found = try inspect("gpt", batch: false)
    #expect(found.estimate == nil && found.refusals.isEmpty)
    let counts = Dictionary(uniqueKeysWithValues: found.operators.map { ($0.name, $0.count) })
    #expect(counts["MatMul"] == 7 && counts["LayerNormalization"] == 3)
    #expect(found.operators.allSatisfy { $0.isSupported && $0.isNeeded })
    #expect(found.nodes.count { $0.kind == .operation } == counts.values.reduce(0, +))
    #expect(found.parameters.reduce(0) { $0 + $1.count } == 2244)
    let x = try #require(found.inputs.first)
    #expect(x.name == "x" && x.type == .int64 && x.shape == ["3", "8"])
    // x is not θ, and what is made of x alone stands still.
    let nodes = found.nodes
    #expect(nodes.first?.kind == .input && nodes.first?.moves == false)
    #expect(nodes.last?.moves == true)
    #expect(nodes.enumerated().allSatisfy { at, node in node.inputs.allSatisfy { $0 < at } })
  }

  @Test(
    "The graph that is told of without θ's values is the one that is checked",
    arguments: ONNXLoweringCasesTests.names)
  func sameGraph(_ name: String) throws {
    let problem = try ONNXProblemFiles.load(
      model: Self.file(name, "model.onnx"), batch: Self.file(name, "batch.safetensors"),
      parameters: Self.file(name, "parameters.safetensors"),
      gradient: Self.file(name, "gradient.safetensors"))
    let found = try inspect(name, gradient: "gradient.safetensors")
    #expect(found.nodes.map(\.name) == problem.graph.nodes.map(\.name))
    #expect(found.nodes.map(\.shape) == problem.graph.nodes.map(\.shape))
    let terms = found.nodes.compactMap(\.costFactor)
    #expect(terms.count == Set(problem.graph.terms.map(\.node)).count)
    let estimate = try #require(found.estimate)
    #expect(estimate.segments.map(\.name) == problem.graph.layout.segments.map(\.name))
    #expect(estimate.full.components == problem.graph.layout.count)
    #expect(estimate.segments.allSatisfy { $0.refusal == nil && $0.workPerLane > 0 })
    #expect(found.warnings == problem.warnings.filter { !$0.hasPrefix("the gradient is stored") })
  }

  /// J = ReduceSum(RandomNormalLike(Unheard(w))), and an operator that J does not need.
  private func strange(in folder: URL) throws -> String {
    func node(_ operation: String, _ input: String, _ output: String) -> NodeProto {
      .with { ($0.opType, $0.input, $0.output) = (operation, [input], [output]) }
    }
    func value(_ name: String, _ lengths: [Int64]) -> ValueInfoProto {
      .with { value in
        value.name = name
        value.type.tensorType.elemType = 1
        value.type.tensorType.shape.dim = lengths.map { length in .with { $0.dimValue = length } }
      }
    }
    var model = reluModel()
    model.graph.node = [
      node("Unheard", "w", "a"), node("RandomNormalLike", "a", "b"), node("Other", "w", "c"),
      node("Unheard", "b", "d"), node("ReduceSum", "d", "J"),
    ]
    model.graph.input = [value("w", [3])]
    model.graph.output = [value("J", []), value("c", [3])]
    let path = folder.appendingPathComponent("strange.onnx").path
    try model.serializedData().write(to: URL(fileURLWithPath: path))
    return path
  }

  @Test("All operators that are not supported, at once, and no error")
  func unsupported() throws {
    try withTemporaryFolder { folder in
      let found = try ModelInspector.onnx(
        strange(in: folder), batch: nil, parameters: nil, gradient: nil, devices: [])
      let missing = found.operators.filter { !$0.isSupported }
      #expect(Set(missing.map(\.name)) == ["Unheard", "RandomNormalLike", "Other"])
      #expect(missing.first == found.operators.first && missing.first?.count == 2)
      #expect(missing.filter { !$0.isNeeded }.map(\.name) == ["Other"])
      #expect(found.refusals.count == 2, "\(found.refusals)")
      #expect(found.refusals.contains { $0.contains("it draws random numbers") })
      let text = TextInspection.write(found, nodes: false)
      #expect(text.contains("A check would refuse: the operator Unheard is not supported"))
      // With a batch the rest is told all the same.
      let batch = folder.appendingPathComponent("batch.npz").path
      try TensorFile.write([("n", .zeros([1]))], to: batch)
      let again = try ModelInspector.onnx(
        strange(in: folder), batch: batch, parameters: nil, gradient: nil, devices: [])
      #expect(again.estimate == nil && again.refusals == found.refusals)
    }
  }

  @Test("θ is what the gradient names; a name that the model lacks is an error")
  func theta() throws {
    try withTemporaryFolder { folder in
      let gradient = folder.appendingPathComponent("gradient.npz").path
      func inspect(_ tensors: [(String, Tensor)]) throws -> Inspection {
        try TensorFile.write(tensors, to: gradient)
        return try ModelInspector.onnx(
          Self.file("mlp-tanh", "model-folded.onnx"),
          batch: Self.file("mlp-tanh", "batch.safetensors"), parameters: nil, gradient: gradient,
          devices: [])
      }
      let found = try inspect([("body.2.bias", .zeros([10]))])
      #expect(found.parameters.map(\.name) == ["body.2.bias"])
      #expect(found.nodes.count { $0.kind == .parameter } == 1)
      // What is in front of the last layer stands still and is a constant.
      #expect(!found.nodes.contains { $0.operation == "tanh" })
      #expect { try inspect([("body.9.bias", .zeros([10]))]) } throws: {
        "\($0)".contains("body.9.bias: the model has no input or initialiser of this name")
      }
      #expect { try inspect([("body.2.bias", .zeros([11]))]) } throws: {
        "\($0)".contains("body.2.bias: found shape [11], expected [10]")
      }
    }
  }

  @Test("Sizes that a file only claims overflow nothing, and are refused")
  func claims() throws {
    func value(_ name: String, _ lengths: [Int64]) -> ValueInfoProto {
      .with { value in
        value.name = name
        value.type.tensorType.elemType = 1
        value.type.tensorType.shape.dim = lengths.map { length in .with { $0.dimValue = length } }
      }
    }
    func product(_ inputs: [String], _ output: String) -> NodeProto {
      .with { ($0.opType, $0.input, $0.output) = ("Mul", inputs, [output]) }
    }
    try withTemporaryFolder { folder in
      let (path, batch) = (
        folder.appendingPathComponent("m.onnx").path, folder.appendingPathComponent("b.npz").path
      )
      try TensorFile.write([("x", .zeros([1]))], to: batch)
      func inspect(_ inputs: [ValueInfoProto], _ nodes: [NodeProto]) throws -> Inspection {
        var model = reluModel()
        model.graph.input = inputs + [value("x", [1])]
        model.graph.node = nodes
        model.graph.output = [.with { $0.name = "J" }]
        try model.serializedData().write(to: URL(fileURLWithPath: path))
        return try ModelInspector.onnx(
          path, batch: batch, parameters: nil, gradient: nil, devices: [])
      }
      // 2^59 elements each, 16 of them.
      let many = (0..<16).map { value("w\($0)", [1 << 30, 1 << 29]) }
      #expect { try inspect(many, [product(["w0", "x"], "J")]) } throws: {
        "\($0)".contains("nothing that J needs can be θ")
      }
      // 2^30 elements each, which make 2^90.
      let three = [
        value("a", [1 << 30]), value("b", [1 << 30, 1]), value("c", [1 << 30, 1, 1]),
      ]
      #expect {
        try inspect(three, [product(["a", "b"], "p"), product(["p", "c"], "J")])
      } throws: {
        "\($0)".contains("would be made, expected at most 17179869184 elements; take a smaller")
      }
    }
  }

  // MARK: Networks

  private var digits: (model: String, batch: String) {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("examples/digits")
    return (
      folder.appendingPathComponent("model.json").path,
      folder.appendingPathComponent("batch.npz").path
    )
  }

  @Test("Lanes of a full check and of a sample, counted by hand")
  func efforts() throws {
    var options = InspectOptions()
    options.sample = 100
    let found = try ModelInspector.network(
      digits.model, batch: digits.batch, parameters: nil, gradient: nil, options, devices: [])
    let estimate = try #require(found.estimate)
    #expect(estimate.segments.map(\.count) == [2048, 32, 320, 10])
    // Two lanes each; two more of at most 256 components of a tensor.
    let lanes = [2 * 2048 + 2 * 256, 4 * 32, 2 * 320 + 2 * 256, 4 * 10]
    #expect(estimate.full.lanes == lanes.reduce(0, +))
    let work = zip(lanes, estimate.segments).map { Double($0) * $1.workPerLane }
    #expect(estimate.full.work == work.reduce(0, +))
    // 85 of W1, 4 of b1, 13 of W2, 4 of b2; and again 21, 2, 3 and 2.
    #expect(estimate.sample?.components == 106 && estimate.sample?.lanes == 2 * (106 + 28))
    #expect(found.warnings.isEmpty)
  }

  @Test("Without a batch a network is told of one sample", arguments: NetworkFixture.all)
  func oneSample(_ fixture: NetworkFixture) throws {
    let found = try ModelInspector.network(
      fixture.path("model.json"), batch: nil, parameters: nil, gradient: nil, devices: [])
    #expect(found.parameters.reduce(0) { $0 + $1.count } == fixture.parameters)
    #expect(found.warnings.first?.contains("one sample") == true)
    let estimate = try #require(found.estimate)
    #expect(estimate.segments.allSatisfy { $0.refusal == nil })
  }

  // MARK: Devices

  @Test("Devices: precision, memory, and what would not run")
  func devices() throws {
    let gpu = DeviceDescription(
      name: "a GPU", kind: .gpu, globalMemory: 8 << 30, maxAllocation: 2 << 30, computeUnits: 10,
      clockMegahertz: 1000, supportsDouble: true)
    var small = gpu
    (small.name, small.deviceIndex, small.globalMemory) = ("a small one", 1, 100_000)
    var single = gpu
    (single.name, single.deviceIndex, single.supportsDouble) = ("an old one", 2, false)
    var options = InspectOptions()
    let all = [gpu, small, single]
    let estimate = try #require(try inspect("gpt", options, devices: all).estimate)
    #expect(estimate.devices.map(\.selector) == ["0:0", "0:1", "0:2", "cpu"])
    #expect(estimate.devices.map(\.precision) == ["f64", "f64", "f32", "f64"])
    let first = estimate.devices[0]
    #expect(first.refusal == nil && first.tableBytes > 0)
    #expect(first.leastBytes > first.tableBytes && first.usualBytes >= first.leastBytes)
    #expect(first.leastLanes == 2 && first.usualLanes % 2 == 0)
    // Half of 10 units at 1 GHz, 16 multiply-adds each.
    #expect(first.rate == 80e9 && estimate.devices[2].rate == 320e9)
    #expect(first.fullSeconds >= estimate.full.work / first.rate)
    #expect(estimate.devices[1].refusal?.contains("needs at least") == true)
    #expect(estimate.devices[2].refusal == nil)
    #expect(estimate.devices[2].tableBytes < first.tableBytes)
    options.precision = .f64
    let double = try #require(try inspect("gpt", options, devices: all).estimate)
    #expect(double.devices[2].refusal?.contains("it has no double") == true)
  }

  // MARK: Reports

  /// Every kind of inspection there is.
  private func all() throws -> [Inspection] {
    var options = InspectOptions()
    options.sample = 50
    let gpu = DeviceDescription(name: "a GPU", kind: .gpu, globalMemory: 1 << 30)
    var found: [Inspection] = try ONNXLoweringCasesTests.names.flatMap {
      [
        try inspect($0, options, devices: [gpu]), try inspect($0, batch: false),
        try inspect($0, gradient: "gradient.safetensors"),
      ]
    }
    found.append(
      try ModelInspector.network(
        digits.model, batch: digits.batch, parameters: nil, gradient: nil, devices: [gpu]))
    try withTemporaryFolder {
      found.append(
        try ModelInspector.onnx(
          strange(in: $0), batch: nil, parameters: nil, gradient: nil, devices: []))
    }
    return found
  }

  @Test("Text fits a terminal, with and without the nodes")
  func text() throws {
    for inspection in try all() {
      let short = TextInspection.write(inspection, nodes: false)
      let long = TextInspection.write(inspection, nodes: true)
      // The files' own paths may be longer.
      for line in (short + long).split(separator: "\n") where !line.hasSuffix(".onnx") {
        #expect(line.count <= 100, "\(line)")
      }
      #expect(
        long.split(separator: "\n").count >= short.split(separator: "\n").count - 20
          + inspection.nodes.count)
    }
  }

  @Test("The schema in docs/ has the keys that are written, and no others")
  func schema() throws {
    var schema = try SchemaCheck("inspect.schema.json")
    for inspection in try all() { try schema.expect(JSONInspection.write(inspection)) }
    try schema.expectAllMet()
  }

  @Test("DOT: every node and edge, whatever the names")
  func dot() throws {
    for inspection in try all() {
      let graph = try DotText(DotGraph.write(inspection))
      #expect(graph.nodes.count == inspection.nodes.count)
      #expect(graph.edges.count == inspection.nodes.reduce(0) { $0 + $1.inputs.count })
    }
    var strange = try inspect("mlp-tanh")
    let names = [#"a "quoted" name"#, #"back\slash\"#, "two\nlines", "];}", #"\"#, #"\""#]
    for (at, name) in names.enumerated() { strange.nodes[at].name = name }
    strange.model = #"C:\models\"a".onnx"#
    let graph = try DotText(DotGraph.write(strange))
    #expect(graph.nodes.count == strange.nodes.count)
    for (node, name) in zip(graph.nodes, names) {
      let first = name.split(separator: "\n").joined(separator: " ")
      #expect(node.label.contains(first), "\(node.label)")
    }
    let looks = graph.nodes.map(\.look)
    #expect(Set(looks.map { $0.replacingOccurrences(of: ", peripheries=2", with: "") }).count >= 3)
    #expect(looks.contains { $0.contains("peripheries=2") })
  }
}

/// As much of the DOT language as is written: one statement a line, texts in quotes.
private struct DotText {
  var nodes: [(id: String, label: String, look: String)] = []
  var edges: [(from: String, to: String)] = []

  init(_ text: String) throws {
    var lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    let first = try #require(lines.first)
    #expect(first.hasPrefix("digraph ") && first.hasSuffix(" {"))
    let (title, rest) = try Self.quoted(first.dropFirst("digraph ".count))
    #expect(!title.isEmpty && rest == " {")
    #expect(lines.last == "}")
    lines = Array(lines.dropFirst(2).dropLast())
    for line in lines {
      let words = line.split(separator: " ")
      if words.count > 1, words[1] == "->" {
        let to = words[2].filter { $0 != ";" }
        edges.append((String(words[0]), to))
        #expect(line.hasSuffix(";"))
        continue
      }
      let start = try #require(line.range(of: " [label="))
      let (label, look) = try Self.quoted(line[start.upperBound...])
      #expect(look.hasPrefix(", ") && look.hasSuffix("];"), "\(line)")
      nodes.append((String(line[..<start.lowerBound]), label, String(look)))
    }
    let known = Set(nodes.map(\.id))
    #expect(known.count == nodes.count)
    #expect(edges.allSatisfy { known.contains($0.from) && known.contains($0.to) })
  }

  /// The text in quotes that something begins with, and what follows it.
  private static func quoted(_ text: Substring) throws -> (String, Substring) {
    try #require(text.first == "\"")
    var result = ""
    var place = text.index(after: text.startIndex)
    while place < text.endIndex {
      let character = text[place]
      place = text.index(after: place)
      if character == "\"" { return (result, text[place...]) }
      guard character == "\\" else {
        result.append(character)
        continue
      }
      let next = try #require(place < text.endIndex ? text[place] : nil)
      place = text.index(after: place)
      // A label's line break, or the character as it is.
      result.append(next == "n" ? "\n" : next)
    }
    throw InputError("a text without an end: \(text)")
  }
}
