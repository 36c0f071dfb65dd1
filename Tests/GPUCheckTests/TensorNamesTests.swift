import Foundation
import GPUCheck
import Testing

/// Renamed and transposed tensors, flat vectors and saved gradients: from files to a problem.
@Suite struct TensorNamesTests {
  /// What a file holds other than the network's own tensors, and what brings it there.
  struct Case: Sendable, CustomTestStringConvertible {
    var names: [String]
    var theta: [String: Tensor] = TensorNamesTests.theta
    var gradient: [String: Tensor] = TensorNamesTests.theta
    var batch: [String: Tensor] = TensorNamesTests.batch
    var testDescription: String { names.joined(separator: " ") }
  }

  static let accepted: [Case] = [
    Case(names: []),
    Case(
      names: ["--rename", "dW1=W1", "--rename", "dW2=W2"],
      gradient: renamed(["W1": "dW1", "W2": "dW2"])),
    Case(names: ["--rename", "d*=*"], gradient: renamed(["W1": "dW1", "W2": "dW2", "b1": "db1"])),
    // b1 is called as the network calls it, and stays.
    Case(
      names: ["--rename", "b*=*"], theta: renamed(["W1": "bW1"]), gradient: renamed(["W1": "bW1"])),
    Case(
      names: ["--rename", "layers.*.weight=W*", "--rename", "layers.*.bias=b*"],
      theta: renamed(["W1": "layers.1.weight", "W2": "layers.2.weight", "b1": "layers.1.bias"])),
    Case(
      names: ["--rename", "net.*.*.x=**", "--rename", "W/1=W1"],
      theta: renamed(["W2": "net.W.2.x", "W1": "W/1"])),
    Case(
      names: ["--rename", "inputs=x", "--rename", "y_true=y"],
      batch: renamed(["x": "inputs", "y": "y_true"], of: batch)),
    // The first that matches counts, and no other: two names change places.
    Case(
      names: ["--rename", "b1=W1", "--rename", "W1=b1"], theta: renamed(["W1": "b1", "b1": "W1"]),
      gradient: renamed(["W1": "b1", "b1": "W1"])),
    Case(names: ["--transpose", "W1"], theta: transposing(["W1"]), gradient: transposing(["W1"])),
    Case(names: ["--transpose", "W1"], gradient: transposing(["W1"])),
    Case(names: ["--transpose", "*"], theta: transposing(["W1", "W2"])),
    Case(
      names: ["--rename", "kernel=W1", "--transpose", "W1"],
      theta: renamed(["W1": "kernel"], of: transposing(["W1"]))),
    Case(
      names: ["--transpose", "x", "--transpose", "y"], batch: transposing(["x", "y"], of: batch)),
  ]

  @Test(arguments: accepted) func bringsToTheNetwork(_ row: Case) throws {
    let problem = try load(row)
    let plain = try load(Case(names: []))
    #expect(problem.parameters.values == plain.parameters.values)
    #expect(problem.gradient.values == plain.gradient.values)
    #expect(problem.warnings.isEmpty)
  }

  static let refused: [(row: Case, says: String)] = [
    (Case(names: ["--rename", "W1"]), "--rename W1: found no pair of names, expected FROM=TO; "),
    (Case(names: ["--rename", "a=b=c"]), "--rename a=b=c: found no pair of names"),
    (Case(names: ["--rename", "=W1"]), "--rename =W1: found an empty name"),
    (Case(names: ["--rename", "a*=b"]), "--rename a*=b: found 1 and 0 times *, expected as many"),
    (
      Case(names: ["--rename", "dW_1=W1"], gradient: renamed(["W1": "dW1"])),
      "--rename dW_1=W1: no tensor is called dW_1; found W1, W2, b1, dW1, x, y; did you mean 'dW1'?"
    ),
    (
      Case(names: ["--rename", "fc*.weight=W*"]),
      "--rename fc*.weight=W*: no tensor is called fc*.weight; found W1, W2, b1, x, y; name a tensor "
        + "as the file does"
    ),
    (
      Case(names: ["--rename", "W2=W1"]),
      "theta.npz: W1: both 'W1' and 'W2' are to have this name; let --rename give each tensor a name"
    ),
    (
      Case(
        names: ["--rename", "a.*=*", "--rename", "b.*=*"],
        theta: renamed(["W1": "a.W", "W2": "b.W"])),
      "theta.npz: W: both 'a.W' and 'b.W' are to have this name"
    ),
    (Case(names: ["--transpose", ""]), "--transpose: the name is empty"),
    (
      Case(names: ["--transpose", "W_1"]),
      "--transpose W_1: the network has no such matrix, expected one of W1, W2, x, y; did you mean "
        + "'W1'?"
    ),
    (Case(names: ["--transpose", "b1"]), "--transpose b1: b1 is a vector [3], expected a matrix"),
    (
      Case(names: ["--transpose", "W1"]),
      "--transpose W1: no file holds W1 in the shape [2, 3], the network's [3, 2] reversed"
    ),
    (
      Case(
        names: ["--transpose", "y"], batch: ["x": .zeros([4, 2]), "y": .zeros([4])]),
      "--transpose y: the batch holds no matrix of that name"
    ),
    (
      Case(names: [], gradient: transposing(["W1"])),
      "gradient.npz: W1: found shape [2, 3], expected [3, 2]; it is transposed: give --transpose W1"
    ),
    (
      Case(names: [], batch: transposing(["x"], of: batch)),
      "batch.npz: x: found shape [2, 4], expected [batch, 2]; the axes are swapped: transpose it "
        + "(x.T), or give --transpose x"
    ),
  ]

  @Test(arguments: refused.indices) func saysWhatIsWrong(_ index: Int) {
    let (row, says) = Self.refused[index]
    let message = inputErrorMessage { try load(row) }
    #expect(message.contains(says), "\(message)")
    #expect(message.contains("; "), "no next step: \(message)")
  }

  // MARK: Square matrices, flat vectors

  @Test func transposesSquareMatricesInBothFiles() throws {
    let square = #"[{"units": 2, "biases": false}]"#
    let tensors = ["W1": Tensor(shape: [2, 2], values: [1, 2, 3, 4])]
    let other = ["W1": Tensor(shape: [2, 2], values: [1, 3, 2, 4])]
    let row = Case(
      names: ["--transpose", "W1"], theta: other, gradient: other,
      batch: ["x": Tensor.zeros([4, 2]), "y": Tensor.zeros([4, 2])])
    let problem = try load(row, layers: square)
    #expect(problem.parameters.values == tensors["W1"]?.values)
    #expect(problem.gradient.values == tensors["W1"]?.values)
  }

  @Test(arguments: ["npy", "npz", "safetensors"]) func takesFlatVectors(_ suffix: String) throws {
    let flat = Tensor(shape: [12], values: (1...12).map(Double.init))
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("theta.\(suffix)").path
      try TensorFile.write([("theta", flat)], to: path)
      let problem = try load(Case(names: []), parameters: path)
      #expect(problem.parameters.values == flat.values)
      let message = inputErrorMessage {
        try load(Case(names: ["--transpose", "W1"]), parameters: path)
      }
      #expect(
        message.contains(suffix == "npy" ? "a flat vector has no shapes" : "no file holds W1"),
        "\(message)")
    }
  }

  /// A vector is flat only where nothing else can be meant.
  @Test(arguments: [
    ("W1", [12], "W1: found shape [12], expected [3, 2]"), ("theta", [11], "W1: there is no such"),
    ("theta", [3, 4], "W1: there is no such tensor"),
  ])
  func doesNotGuess(_ name: String, _ shape: [Int], _ says: String) {
    let message = inputErrorMessage { try load(Case(names: [], theta: [name: .zeros(shape)])) }
    #expect(message.contains(says), "\(message)")
  }

  // MARK: The numeric gradient

  @Test(arguments: ["npy", "npz", "safetensors"]) func savesGradientAndBars(_ suffix: String) throws
  {
    let layout = ParameterLayout([("W1", [3, 2]), ("b1", [3])])
    var report = CheckReport(madeOf: [], verdict: .right, relativeDifference: 0)
    report.numeric = [1, 2, 3, 4, 5, .nan, 7, 8, 9]
    report.uncertainty = report.numeric.map { $0 / 1024 }
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("numeric.\(suffix)").path
      try NumericFile.check(path, layout: layout)
      try NumericFile.write(report, layout: layout, to: path)
      let contents = try TensorFile.read(path)
      guard case .named(let tensors) = contents else {
        guard case .flat(let rows) = contents, suffix == "npy" else {
          Issue.record("\(contents)")
          return
        }
        #expect(rows.shape == [2, 9])
        expectSame(rows.values, report.numeric + report.uncertainty)
        return
      }
      #expect(
        tensors.mapValues(\.shape)
          == ["W1": [3, 2], "b1": [3], "W1.uncertainty": [3, 2], "b1.uncertainty": [3]])
      for part in layout.segments {
        expectSame(tensors[part.name]?.values ?? [], Array(report.numeric[part.range]))
        expectSame(
          tensors[part.name + ".uncertainty"]?.values ?? [], Array(report.uncertainty[part.range]))
      }
      // What was saved serves as a gradient.
      expectSame(try ParameterVector(contents, layout: layout).values, report.numeric)
    }
  }

  @Test(arguments: [
    ("n.npz", ["W1", "W1.uncertainty"], "n.npz: two tensors are named 'W1.uncertainty'"),
    ("n.safetensors", ["W1", "W1.uncertainty"], "two tensors are named 'W1.uncertainty'"),
    ("n.npz", ["../W1"], "n.npz: the name \"../W1.npy\" is an absolute or climbing path"),
    ("n.safetensors", ["__metadata__"], "which the format keeps for itself"),
    ("n.txt", ["W1"], "n.txt: unknown suffix '.txt'; end the name in .npz, .npy or .safetensors"),
    ("n.npy", ["../W1", "W1", "W1.uncertainty"], "no error"),
  ])
  func findsNamesThatCannotBeSaved(_ path: String, _ names: [String], _ says: String) {
    let layout = ParameterLayout(names.map { ($0, [2]) })
    let message = inputErrorMessage { try NumericFile.check(path, layout: layout) }
    #expect(message.contains(says), "\(message)")
  }

  // MARK: Helpers

  static let theta = [
    "W1": Tensor(shape: [3, 2], values: [1, 2, 3, 4, 5, 6]),
    "b1": Tensor(shape: [3], values: [7, 8, 9]),
    "W2": Tensor(shape: [1, 3], values: [10, 11, 12]),
  ]
  static let batch = ["x": Tensor.zeros([4, 2]), "y": Tensor.zeros([4, 1])]

  /// Tensors with some of them under other names.
  private static func renamed(
    _ names: [String: String], of tensors: [String: Tensor] = theta
  ) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: tensors.map { (names[$0] ?? $0, $1) })
  }

  private static func transposing(
    _ names: [String], of tensors: [String: Tensor] = theta
  ) -> [String: Tensor] {
    var result = tensors
    for name in names {
      guard let matrix = tensors[name] else { continue }
      let (rows, columns) = (matrix.shape[0], matrix.shape[1])
      let values = (0..<columns).flatMap { column in
        (0..<rows).map { matrix.values[$0 * columns + column] }
      }
      result[name] = Tensor(shape: [columns, rows], values: values)
    }
    return result
  }

  private func load(
    _ row: Case, layers: String = #"[{"units": 3}, {"units": 1, "biases": false}]"#,
    parameters: String? = nil
  ) throws -> Problem {
    func options(_ name: String) -> [String] {
      zip(row.names, row.names.dropFirst()).filter { $0.0 == name }.map(\.1)
    }
    var problem: Problem?
    try withTemporaryFolder { folder in
      func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
      let model =
        #"{"schema": "gpucheck.network/1", "inputs": 2, "layers": \#(layers), "#
        + #""loss": "mean-squared-error"}"#
      try Data(model.utf8).write(to: URL(fileURLWithPath: path("model.json")))
      for (name, tensors) in [
        ("theta.npz", row.theta), ("gradient.npz", row.gradient), ("batch.npz", row.batch),
      ] {
        try TensorFile.write(
          tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: path(name))
      }
      problem = try ProblemFiles.load(
        model: path("model.json"), batch: path("batch.npz"),
        parameters: parameters ?? path("theta.npz"), gradient: path("gradient.npz"),
        names: TensorNames(rename: options("--rename"), transpose: options("--transpose")))
    }
    return try #require(problem)
  }

  private func expectSame(_ found: [Double], _ expected: [Double]) {
    #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
  }
}
