import Foundation
import GPUCheck
import Testing

/// Network files: what they decode to, and what is said of a wrong one.
@Suite struct NetworkFileTests {
  @Test func fillsInDefaults() throws {
    let network = try decode(
      #"{"schema": "gpucheck.network/1", "inputs": 3, "layers": [{"units": 4}, {"units": 2}],"#
        + #""loss": "softmax-cross-entropy"}"#)
    #expect(
      network
        == Network(
          inputs: 3,
          layers: [
            DenseLayer(units: 4, weights: "W1", biases: "b1"),
            DenseLayer(units: 2, weights: "W2", biases: "b2"),
          ],
          loss: Loss(.softmaxCrossEntropy), regularization: .none, weightLayout: .outIn))
  }

  @Test func readsEveryKey() throws {
    let network = try decode(
      """
      {"schema": "gpucheck.network/1", "inputs": 1e1, "weightLayout": "[in, out]",
       "layers": [
         {"units": 4, "activation": {"type": "leaky-relu", "slope": 0.2}, "weights": "k\\u00e9",
          "biases": false, "dropout": {"mask": "m1"}},
         {"units": 2.0, "activation": {"type": "tanh"}, "biases": "c", "dropout": "keep-all"}],
       "loss": {"type": "huber", "delta": 2, "batch": "sum", "outputs": "sum", "factor": -0.5},
       "regularization": {"l2": 0.01, "l1": 1e-3, "perSample": true, "over": "everything"}}
      """)
    #expect(
      network
        == Network(
          inputs: 10,
          layers: [
            DenseLayer(
              units: 4, weights: "ké", biases: nil, activation: .leakyRelu(slope: 0.2),
              dropout: .mask("m1")),
            DenseLayer(
              units: 2, weights: "W2", biases: "c", activation: .tanh, dropout: .keepAll),
          ],
          loss: Loss(.huber(delta: 2), batch: .sum, outputs: .sum, factor: -0.5),
          regularization: Regularization(
            l2: 0.01, l1: 0.001, perSample: true, scope: .everything),
          weightLayout: .inOut))
  }

  @Test func knowsEveryActivation() throws {
    let table: [(String, Activation)] = [
      (#""identity""#, .identity), (#""relu""#, .relu), (#""selu""#, .selu),
      (#""tanh""#, .tanh), (#""sigmoid""#, .sigmoid), (#""softplus""#, .softplus),
      (#""silu""#, .silu), (#""gelu""#, .gelu), (#""gelu-tanh""#, .geluTanh),
      (#""softmax""#, .softmax), (#""leaky-relu""#, .leakyRelu(slope: 0.01)),
      (#""elu""#, .elu(alpha: 1)), (#"{"type": "elu"}"#, .elu(alpha: 1)),
      (#"{"type": "elu", "alpha": 0.5}"#, .elu(alpha: 0.5)),
      (#"{"type": "leaky-relu", "slope": 0}"#, .leakyRelu(slope: 0)),
      (#"{"type": "softmax"}"#, .softmax),
    ]
    for (text, activation) in table {
      let network = try decode(network(layers: #"[{"units": 1, "activation": \#(text)}]"#))
      #expect(network.layers.map(\.activation) == [activation])
    }
  }

  @Test func knowsEveryLoss() throws {
    let table: [(String, Loss)] = [
      (#""softmax-cross-entropy""#, Loss(.softmaxCrossEntropy)),
      (#""binary-cross-entropy-with-logits""#, Loss(.binaryCrossEntropyWithLogits)),
      (
        #"{"type": "binary-cross-entropy", "outputs": "sum"}"#,
        Loss(.binaryCrossEntropy, outputs: .sum)
      ),
      (#"{"type": "mean-squared-error", "factor": 0.5}"#, Loss(.squaredError, factor: 0.5)),
      (#""huber""#, Loss(.huber(delta: 1))),
      (#"{"type": "hinge", "margin": 0}"#, Loss(.hinge(margin: 0))),
      (
        #"{"type": "multiclass-hinge", "margin": 2, "batch": "sum"}"#,
        Loss(.multiclassHinge(margin: 2), batch: .sum)
      ),
    ]
    for (text, loss) in table {
      #expect(try decode(network(loss: text)).loss == loss)
    }
  }

  @Test(arguments: [
    (
      #"[{"units": 1, "activation": "sofmax"}]"#,
      #"layers[0].activation: unknown activation "sofmax"; did you mean "softmax"?"#
    ),
    (
      #"[{"units": 1}, {"units": 1, "activation": "LeakyReLU"}]"#,
      #"layers[1].activation: unknown activation "LeakyReLU"; did you mean "leaky-relu"?"#
    ),
    (#"[{"units": 1, "activation": "quadratic"}]"#, "expected one of identity, relu"),
    (
      #"[{"units": 1, "activation": 3}]"#,
      "layers[0].activation: found 3, expected an object, an activation"
    ),
    (
      #"[{"units": 1, "activation": {"type": "elu", "slope": 1}}]"#,
      "layers[0].activation.slope: this key has no meaning here: only leaky-relu has it"
    ),
    (
      #"[{"units": 1, "activation": {"type": "tanh", "alpha": 1}}]"#,
      "layers[0].activation.alpha: this key has no meaning here: only elu has it"
    ),
    (
      #"[{"units": 1, "activation": {"type": "leaky-relu", "slope": -1}}]"#,
      "layers[0].activation.slope: found -1, expected a number of at least 0"
    ),
    (
      #"[{"units": 1, "activation": {"slope": 1}}]"#,
      #"layers[0].activation: the key "type" of an activation is missing"#
    ),
    (#"[{"unit": 1}]"#, #"layers[0].unit: unknown key in a layer; did you mean "units"?"#),
    (#"[{}]"#, #"layers[0]: the key "units" of a layer is missing"#),
    (#"[3]"#, "layers[0]: found 3, expected an object, a layer"),
    (#"[]"#, "layers: no layers, expected at least one"),
    (#"{}"#, "layers: found an object, expected an array of layers"),
    (#"[{"units": 0}]"#, "layers[0].units: found 0, expected a whole number from 1 to"),
    (#"[{"units": -1}]"#, "layers[0].units: found -1"),
    (#"[{"units": 1.5}]"#, "layers[0].units: found 1.5"),
    (#"[{"units": 1e300}]"#, "layers[0].units: found 1e+300"),
    (#"[{"units": true}]"#, "layers[0].units: found true"),
    (#"[{"units": "1"}]"#, #"layers[0].units: found the string "1""#),
    (
      #"[{"units": 2147483647}, {"units": 2147483647}]"#,
      "layers[0].units: more parameters than any memory holds"
    ),
    (#"[{"units": 1, "biases": true}]"#, "layers[0].biases: found true, expected a name or false"),
    (#"[{"units": 1, "biases": null}]"#, "layers[0].biases: found null"),
    (#"[{"units": 1, "biases": 0}]"#, "layers[0].biases: found 0"),
    (#"[{"units": 1, "weights": ""}]"#, "layers[0].weights: found an empty name"),
    (#"[{"units": 1, "weights": false}]"#, "layers[0].weights: found false, expected a name"),
    (
      #"[{"units": 1, "weights": "W2"}, {"units": 1}]"#,
      #"layers[1].weights: the name "W2" is taken by layers[0].weights"#
    ),
    (
      #"[{"units": 1, "weights": "b1"}]"#,
      #"layers[0].biases: the name "b1" is taken by layers[0].weights"#
    ),
    (#"[{"units": 1, "dropout": "keepall!"}]"#, #"did you mean "keep-all"?"#),
    (#"[{"units": 1, "dropout": 0.5}]"#, "layers[0].dropout: found 0.5, expected an object"),
    (#"[{"units": 1, "dropout": {"rate": 0.5}}]"#, "layers[0].dropout.rate: unknown key"),
  ])
  func refusesLayers(_ layers: String, _ expected: String) {
    let message = message(network(layers: layers))
    #expect(message.contains(expected), "\(message)")
  }

  @Test(arguments: [
    (#""mse""#, #"loss: unknown loss "mse"; expected one of softmax-cross-entropy"#),
    (#""binary-crossentropy""#, #"did you mean "binary-cross-entropy"?"#),
    (#"{"type": "hubber"}"#, #"loss.type: unknown loss "hubber"; did you mean "huber"?"#),
    (#"{}"#, #"loss: the key "type" of a loss is missing"#),
    (#"7"#, "loss: found 7, expected an object, a loss"),
    (#"{"type": "huber", "delta": 0}"#, "loss.delta: found 0, expected a number above 0"),
    (#"{"type": "huber", "margin": 1}"#, "loss.margin: this key has no meaning here"),
    (#"{"type": "hinge", "margin": -1}"#, "loss.margin: found -1"),
    (#"{"type": "multiclass-hinge", "delta": 1}"#, "loss.delta: this key has no meaning here"),
    (#"{"type": "mean-squared-error", "delta": 1}"#, "only huber has it"),
    (
      #"{"type": "softmax-cross-entropy", "outputs": "mean"}"#,
      "loss.outputs: this key has no meaning here: a loss over classes"
    ),
    (#"{"type": "multiclass-hinge", "outputs": "sum"}"#, "loss.outputs: this key has no meaning"),
    (#"{"type": "huber", "batch": "average"}"#, "loss.batch: unknown reduction \"average\""),
    (#"{"type": "huber", "outputs": "sums"}"#, #"did you mean "sum"?"#),
    (#"{"type": "huber", "factor": 0}"#, "loss.factor: found 0, expected a number other than 0"),
    (#"{"type": "huber", "factor": true}"#, "loss.factor: found true"),
    (#"{"type": "huber", "factor": 1e999}"#, "Number 1e999 is not representable"),
  ])
  func refusesLosses(_ loss: String, _ expected: String) {
    let message = message(network(loss: loss))
    #expect(message.contains(expected), "\(message)")
  }

  @Test(arguments: [
    (#""regularization": {"l2": -0.1}"#, "regularization.l2: found -0.1"),
    (#""regularization": {"l1": "1"}"#, "regularization.l1: found the string"),
    (
      #""regularization": {"perSample": 1}"#,
      "regularization.perSample: found 1, expected true or false"
    ),
    (
      #""regularization": {"over": "weight"}"#,
      #"regularization.over: unknown scope "weight"; did you mean "weights"?"#
    ),
    (#""regularization": {"L3": 1}"#, "regularization.L3: unknown key in a regularization"),
    (
      #""regularisation": {}"#,
      #"regularisation: unknown key in a network; did you mean "regularization"?"#
    ),
    (
      #""weightLayout": "[out,in]""#,
      #"weightLayout: unknown weight layout "[out,in]"; did you mean "[out, in]"?"#
    ),
  ])
  func refusesTheRest(_ member: String, _ expected: String) {
    let text = String(network().dropLast()) + ",\n" + member + "}"
    let message = message(text)
    #expect(message.contains(expected), "\(message)")
  }

  @Test(arguments: [
    ("", "not valid JSON"),
    ("[]", "found an array, expected an object, a network"),
    ("{}", #"the key "schema" of a network is missing"#),
    (
      #"{"schema": "gpucheck.network/2"}"#,
      #"schema: found the string "gpucheck.network/2", expected "gpucheck.network/1""#
    ),
    (#"{"schema": "gpucheck.network/1"}"#, #"the key "inputs" of a network is missing"#),
    ("[] 2", "not valid JSON: Invalid value around character 3"),
    (#"{"é" 1}"#, "around character"), (#"{"a": 1 "b"}"#, "around character 8"),
    ("[1 2]", "around character 3"), ("[01]", "leading zero"), ("[1.]", "around character 3"),
    ("[-]", "around character"), ("[1e]", "around character"), ("[+1]", "around character"),
    ("[NaN]", "around character 1"), ("nul", "end of file"), ("\"a", "end of file"),
    ("\"a\nb\"", "not valid JSON"), ("\"\\x\"", "escape sequence"),
    ("\"\\u12g4\"", "hex"), ("\"\\ud800\"", "not valid JSON"),
    ("[1e999]", "1e999 is not representable"),
    (String(repeating: "[", count: 100_000), "not valid JSON"),
    (String(repeating: #"{"a":"#, count: 100_000), "not valid JSON"),
    (String(repeating: #"{"a":"#, count: 400) + "1" + String(repeating: "}", count: 400), "a:"),
    (#"{"a": 1, "b": {"a": 2}, "a": 1}"#, "a: the key stands twice in its object; leave one of"),
    (#"{"a\"": [], "b": "a\"", "a\u0022": 1}"#, "a\": the key stands twice"),
    (
      #"{"a": [[], {"b": 1, "c": ["b", "b", {"b": 1}]}, {"b": 1, "c": {"b": 2, "b": 3}}]}"#,
      "a[2].c.b: the key stands twice"
    ),
  ])
  func refusesMalformedText(_ text: String, _ expected: String) {
    let message = message(text)
    #expect(message.contains(expected), "\(message)")
  }

  @Test func parsesValues() throws {
    let text = #" {"a": [1, -0.5e1, true, null, "\"\\\/\b\n\u00e9\ud83d\ude00é"], "b": {}} "#
    let value = try JSONValue(parsing: Data(text.utf8))
    #expect(
      value["a"]
        == .array([
          .number(1), .number(-5), .bool(true), .null, .string("\"\\/\u{8}\né😀é"),
        ]))
    #expect(value["b"] == .object([:]))
    #expect(value["c"] == nil)
    #expect(throws: InputError.self) { try JSONValue(parsing: Data([0x22, 0xFF, 0x22])) }
  }

  @Test func namesTheFile() {
    let message = inputErrorMessage { try NetworkFile.read("/nowhere/net.json") }
    #expect(message.hasPrefix("/nowhere/net.json: no such file; "), "\(message)")
  }

  @Test(
    arguments: [
      ("relu", "relu"), ("RELU", "relu"), ("rleu", "relu"), ("leaky_relu", "leaky-relu"),
      ("tahn", "tanh"), ("sigmiod", "sigmoid"), ("swish", nil), ("", nil), ("x", nil),
    ] as [(String, String?)])
  func findsTheNearestName(_ typed: String, _ expected: String?) {
    #expect(nearestName(to: typed, among: NetworkFile.activations.map(\.name)) == expected)
  }

  // MARK: Documentation

  @Test func theDocumentedExamplesDecode() throws {
    let text = try String(contentsOf: documents("network-file.md"), encoding: .utf8)
    let examples = text.components(separatedBy: "```json\n").dropFirst()
      .compactMap { $0.components(separatedBy: "```").first }
    #expect(examples.count >= 3)
    for example in examples {
      #expect(throws: Never.self) { try decode(example) }
    }
    for name in NetworkFile.activations.map(\.name) + NetworkFile.losses.map(\.name) {
      #expect(text.contains("| `\"\(name)\"` |"), "\(name) is not documented")
    }
  }

  @Test func theJSONSchemaKnowsTheSameNames() throws {
    let schema = try JSONValue(parsing: Data(contentsOf: documents("network.schema.json")))
    func names(_ key: String) -> JSONValue? { schema["$defs"]?[key]?["enum"] }
    #expect(
      names("activationName") == .array(NetworkFile.activations.map { .string($0.name) }))
    #expect(names("lossName") == .array(NetworkFile.losses.map { .string($0.name) }))
    #expect(schema["properties"]?["schema"]?["const"] == .string(NetworkFile.schema))
  }
}

// MARK: Helpers

private func decode(_ text: String) throws -> Network { try NetworkFile.decode(Data(text.utf8)) }

private func network(
  layers: String = #"[{"units": 1}]"#, loss: String = #""mean-squared-error""#
) -> String {
  #"{"schema": "gpucheck.network/1", "inputs": 2147483647, "layers": \#(layers), "loss": \#(loss)}"#
}

private func message(_ text: String) -> String { inputErrorMessage { try decode(text) } }

private func documents(_ name: String) -> URL {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("docs/\(name)")
}
