import Foundation
import GPUCheck
import Testing

/// Everything that can be wrong with what a user hands over: one line on stderr that says what and
/// what to do, exit 2, nothing on stdout, and no file that was not there before.
@Suite struct BadInputTests {
  /// A change to a folder in which everything is right, options to add, and parts of the line.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var options: [String] = []
    var says: [String]
    var change: @Sendable (Inputs) throws -> Void = { _ in }
    var testDescription: String { name }

    init(
      _ name: String, _ says: [String], options: [String] = [],
      _ change: @escaping @Sendable (Inputs) throws -> Void = { _ in }
    ) {
      (self.name, self.options, self.says, self.change) = (name, options, says, change)
    }
  }

  // MARK: Files as such

  /// Whatever stands in the place of each of the four files.
  static let places: [Row] = ["model.json", "batch.npz", "theta.npz", "gradient.npz"].flatMap {
    file in
    [
      Row("\(file) missing", ["\(file): no such file", "; check the name"]) { try $0.remove(file) },
      Row("\(file) empty", ["\(file): the file is empty", "; write it again"]) {
        try $0.write(file, Data())
      },
      Row("\(file) a folder", ["\(file): this is a folder", "; name a file"]) {
        try $0.remove(file)
        try FileManager.default.createDirectory(
          atPath: $0[file], withIntermediateDirectories: false)
      },
      Row("\(file) a device", ["\(file): this is a device", "; name a regular file"]) {
        try $0.remove(file)
        try FileManager.default.createSymbolicLink(
          atPath: $0[file], withDestinationPath: "/dev/zero")
      },
      Row("\(file) cut short", [file + ": ", "; "]) {
        try $0.write(file, $0.data(file).dropLast(30))
      },
      Row("\(file) of another format", ["\(file): ", "; "]) {
        try $0.write(file, Data("%PDF-1.7 and so on, at some length".utf8))
      },
    ]
  }

  // MARK: Formats

  static let formats: [Row] = [
    Row("npy: header length lies", ["gradient.npz: the .npy file is cut short: a header of 65501"])
    {
      try $0.write("gradient.npz", npy("{'descr': '<f8'}", [], announced: 65501))
    },
    Row("npy: shape lies", ["found 8 bytes of values, expected 96 for shape [12]"]) {
      try $0.write("gradient.npz", npy(header("(12,)"), [UInt8](repeating: 0, count: 8)))
    },
    Row("npy: shape of a terabyte", ["found 8 bytes of values, expected 8000000000000"]) {
      try $0.write("gradient.npz", npy(header("(1000000000000,)"), [UInt8](repeating: 0, count: 8)))
    },
    Row("npy: shape overflows", ["the shape [4611686018427387904, 4] in the .npy header is larger"])
    {
      try $0.write("gradient.npz", npy(header("(4611686018427387904, 4)"), []))
    },
    Row("npy: negative shape", ["malformed .npy header: a negative number in the shape"]) {
      try $0.write("gradient.npz", npy(header("(-12,)"), []))
    },
    Row("npy: objects", ["dtype '|O': an array of Python objects (a pickle)", ".astype"]) {
      try $0.write("gradient.npz", npy(header("(1,)", descr: "|O"), [0]))
    },
    Row("npz: objects", ["gradient.npz: W1: dtype '|O': an array of Python objects (a pickle)"]) {
      try $0.write("gradient.npz", zip([("W1.npy", npy(header("(1,)", descr: "|O"), [0]))]))
    },
    Row("npz: absolute path", ["the name \"/etc/W1.npy\" is an absolute or climbing path"]) {
      try $0.write("gradient.npz", zip([("/etc/W1.npy", npy(header("(0,)"), []))]))
    },
    Row("npz: climbing path", ["the name \"../W1.npy\" is an absolute or climbing path"]) {
      try $0.write("gradient.npz", zip([("../W1.npy", npy(header("(0,)"), []))]))
    },
    Row("npz: duplicate name", ["two members of the archive are named 'W1.npy'", "each name once"])
    {
      let member = ("W1.npy", npy(header("(0,)"), []))
      try $0.write("gradient.npz", zip([member, member]))
    },
    Row("npz: not an array", ["the archive holds 'notes.txt', expected .npy files only"]) {
      try $0.write("gradient.npz", zip([("notes.txt", Data("hello".utf8))]))
    },
    Row("npz: a bomb", ["gradient.npz: bomb: it expands to 4000128 bytes, which neither"]) {
      try $0.save("gradient.npz", ["bomb": zeros([500_000])])
    },
    Row("safetensors: gap", ["b: the 8 bytes before it belong to no tensor", "write or copy"]) {
      try $0.write("gradient.npz", safetensors(["a": [0, 8], "b": [16, 24]], bytes: 24))
    },
    Row("safetensors: overlap", ["b: its bytes from 4 on belong to another tensor too"]) {
      try $0.write("gradient.npz", safetensors(["a": [0, 8], "b": [4, 12]], bytes: 12))
    },
    Row("safetensors: rest", ["the last 8 bytes of the file belong to no tensor"]) {
      try $0.write("gradient.npz", safetensors(["a": [0, 8]], bytes: 16))
    },
    Row("safetensors: cut short", ["a: the file is cut short: data_offsets end at 8, 7 bytes"]) {
      try $0.write("gradient.npz", safetensors(["a": [0, 8]], bytes: 7))
    },
    Row("safetensors: header length lies", ["a header of 18446744073709551615 bytes is announced"])
    {
      try $0.write("gradient.npz", Data(repeating: 0xFF, count: 8) + Data("{}".utf8))
    },
    Row("safetensors: twice", ["a: the key stands twice in its object"]) {
      try $0.write(
        "gradient.npz",
        safetensors(
          header: #"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"#
            + #""a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, bytes: 8))
    },
  ]

  // MARK: Tensors

  static let tensors: [Row] = [
    Row("tensor missing", ["theta.npz: W2: there is no such tensor, expected one of shape [3, 4]"])
    {
      try $0.save("theta.npz") { $0["W2"] = nil }
    },
    Row("tensor misspelt", ["gradient.npz: W2: there is no such tensor", "did you mean 'w_2'?"]) {
      try $0.save("gradient.npz") { $0["w_2"] = $0.removeValue(forKey: "W2") }
    },
    Row("tensor extra", ["found W3, which the network does not have; expected W1, b1, W2, b2"]) {
      try $0.save("theta.npz") { $0["W3"] = zeros([2, 3]) }
    },
    Row("another shape", ["gradient.npz: b1: found shape [5], expected [4]; correct it"]) {
      try $0.save("gradient.npz") { $0["b1"] = zeros([5]) }
    },
    Row("transposed", ["gradient.npz: W1: found shape [2, 4], expected [4, 2]", "--transpose W1"]) {
      try $0.save("gradient.npz") { $0["W1"] = zeros([2, 4]) }
    },
    Row("right count, other shape", ["W1: found shape [8], expected [4, 2]; reshape it"]) {
      try $0.save("gradient.npz") { $0["W1"] = zeros([8]) }
    },
    Row("layers that do not chain", ["theta.npz: W2: found shape [3, 5], expected [3, 4]"]) {
      try $0.save("theta.npz") { $0["W2"] = zeros([3, 5]) }
    },
    Row("flat of another length", ["found 26 values, expected 27; flatten W1 [4, 2], b1 [4]"]) {
      try $0.write("gradient.npz", NumPyFile.encode(zeros([26])))
    },
    Row("NaN in θ", ["theta.npz: W1[1, 0]: found nan, expected a finite number"]) {
      try $0.save("theta.npz") { $0["W1"]?.values[2] = .nan }
    },
    Row("infinity in θ", ["theta.npz: b2[2]: found -inf, expected a finite number"]) {
      try $0.save("theta.npz") { $0["b2"]?.values[2] = -.infinity }
    },
    Row("NaN in x", ["batch.npz: x[2, 1]: found nan, expected a finite number"]) {
      try $0.save("batch.npz") { $0["x"]?.values[5] = .nan }
    },
    Row("infinity in x", ["batch.npz: x[0, 0]: found inf, expected a finite number"]) {
      try $0.save("batch.npz") { $0["x"]?.values[0] = .infinity }
    },
    Row("label out of range", ["batch.npz: y[1]: found 3, expected a class index, a whole number"])
    {
      try $0.save("batch.npz") { $0["y"]?.values[1] = 3 }
    },
    Row("negative label", ["batch.npz: y[0]: found -1, expected a class index"]) {
      try $0.save("batch.npz") { $0["y"]?.values[0] = -1 }
    },
    Row(
      "fractional label", ["batch.npz: y[2]: found 0.5, expected a class index", "whole numbers"]
    ) {
      try $0.save("batch.npz") { $0["y"]?.values[2] = 0.5 }
    },
    Row("batch of zero", ["batch.npz: x: found shape [0, 2], expected at least one sample"]) {
      try $0.save("batch.npz") { $0 = ["x": zeros([0, 2]), "y": zeros([0])] }
    },
    Row("batch without y", ["batch.npz: y: there is no such tensor, expected the targets"]) {
      try $0.save("batch.npz") { $0["y"] = nil }
    },
    Row("x and y of two sizes", ["y: found shape [3], expected [4]", "give both the same number"]) {
      try $0.save("batch.npz") { $0["x"] = zeros([4, 2]) }
    },
    Row("x transposed", ["batch.npz: x: found shape [2, 3], expected [batch, 2]", "--transpose x"])
    {
      try $0.save("batch.npz") { $0["x"] = zeros([2, 3]) }
    },
    Row("a cost that is not finite", ["the cost at θ is ", "expected a finite number; look for"]) {
      try $0.save("theta.npz") { $0["b2"]?.values = [1e308, -1e308, 0] }
      try $0.edit("model.json", "softmax-cross-entropy", "mean-squared-error")
      try $0.save("batch.npz") { $0["y"] = zeros([3, 3]) }
    },
  ]

  // MARK: The network

  static let networks: [Row] = [
    Row("unknown key", [#"model.json: input: unknown key in a network; did you mean "inputs"?"#]) {
      try $0.edit("model.json", #""inputs""#, #""input""#)
    },
    Row("unknown layer key", [#"layers[1].unit: unknown key in a layer; did you mean "units"?"#]) {
      try $0.edit("model.json", #"{"units": 3}"#, #"{"unit": 3}"#)
    },
    Row("unknown activation", [#"layers[0].activation: unknown activation "tahn"; did you mean"#]) {
      try $0.edit("model.json", "tanh", "tahn")
    },
    Row(
      "unknown loss", [#"loss: unknown loss "softmax-crossentropy"; did you mean "softmax-cross"#]
    ) {
      try $0.edit("model.json", "cross-entropy", "crossentropy")
    },
    Row("a key twice", ["model.json: layers[0].units: the key stands twice", "leave one"]) {
      try $0.edit("model.json", #""units": 4"#, #""units": 5, "units": 4"#)
    },
    Row("deep nesting", ["model.json: not valid JSON: "]) {
      try $0.write("model.json", Data(repeating: UInt8(ascii: "["), count: 1_000_000))
    },
    Row("too much of it", ["model.json: a file of 2000000 bytes, expected at most 1048576"]) {
      try $0.write("model.json", Data(repeating: UInt8(ascii: " "), count: 2_000_000))
    },
    Row("units of nothing", ["layers[0].units: found 0, expected a whole number from 1"]) {
      try $0.edit("model.json", #""units": 4"#, #""units": 0"#)
    },
    Row("units beyond memory", ["layers[1].units: more parameters than any memory holds"]) {
      try $0.edit("model.json", #""units": 4"#, #""units": 2147483647"#)
      try $0.edit("model.json", #""units": 3"#, #""units": 2147483647"#)
    },
    Row("another schema", [#"schema: found the string "gpucheck.network/9", expected"#]) {
      try $0.edit("model.json", "network/1", "network/9")
    },
  ]

  // MARK: Options

  static let options: [Row] = [
    Row("ε zero", ["'--epsilon <auto|x>'", "a number above 0"], options: ["--epsilon", "0"]),
    Row("ε negative", ["a number above 0"], options: ["--epsilon", "-1e-5"]),
    Row("ε no number", ["a number above 0"], options: ["--epsilon", "nan"]),
    Row("rename of nothing", ["no tensor is called dW1; found"], options: ["--rename", "dW1=W1"]),
    Row("rename of no form", ["expected FROM=TO"], options: ["--rename", "W1"]),
    Row("transpose of nothing", ["did you mean 'W1'?"], options: ["--transpose", "W11"]),
    Row(
      "save: no suffix", ["--save-numeric n: the file name has no suffix"],
      options: ["--save-numeric", "n"]),
    Row(
      "save: no folder", ["make the folder first"],
      options: ["--save-numeric", "FOLDER/none/n.npz"]),
    Row(
      "save: a folder", ["a folder stands there"], options: ["--save-numeric", "FOLDER/folder.npz"]
    ) {
      try FileManager.default.createDirectory(
        atPath: $0["folder.npz"], withIntermediateDirectories: false)
    },
    Row(
      "save: read-only", ["the folder cannot be written to"],
      options: ["--save-numeric", "/proc/n.safetensors"]),
    Row(
      "save: an input", ["would be overwritten"], options: ["--save-numeric", "FOLDER/theta.npz"]),
    Row(
      "save: a name that no file holds", ["two tensors are named 'b1.uncertainty'"],
      options: ["--save-numeric", "FOLDER/n.npz"]
    ) {
      try $0.edit("model.json", #"{"units": 3}"#, #"{"units": 3, "biases": "b1.uncertainty"}"#)
      for file in ["theta.npz", "gradient.npz"] {
        try $0.save(file) { $0["b1.uncertainty"] = $0.removeValue(forKey: "b2") }
      }
    },
    Row(
      "output: no folder", ["make the folder first"], options: ["--output", "FOLDER/none/report"]),
    Row("output: a folder", ["a folder stands there"], options: ["--output", "FOLDER"]),
    Row(
      "output: read-only", ["the folder cannot be written to"],
      options: ["--output", "/proc/report"]),
  ]

  // MARK: The tests

  @Test(arguments: places + formats + tensors + networks + options)
  func isRefused(_ row: Row) throws {
    let inputs = try Inputs()
    try row.change(inputs)
    let before = try inputs.names()
    let end = try inputs.check(row.options)
    #expect(end.status == 2 && !end.wasKilled)
    #expect(end.output.isEmpty, "\(end.output)")
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.hasPrefix("gpucheck: "))
    for part in row.says { #expect(end.errors.contains(part), "\(end.errors)") }
    let saysWhatToDo = ["; ", "(see gpucheck check --help)"].contains { end.errors.contains($0) }
    #expect(saysWhatToDo, "\(end.errors)")
    #expect(try inputs.names() == before, "a file is left behind")
  }

  @Test("What the table begins with is right; what was saved serves as a gradient")
  func isAccepted() throws {
    let inputs = try Inputs()
    #expect(try inputs.check(["--save-numeric", "FOLDER/n.safetensors"]).status == 0)
    try inputs.write("gradient.npz", inputs.data("n.safetensors"))
    #expect(try inputs.check([]).status == 0)
  }

  @Test("A file may come through a pipe, as from the shell's <(command)")
  func pipe() throws {
    let inputs = try Inputs()
    try inputs.write("real.npz", inputs.data("gradient.npz"))
    try inputs.remove("gradient.npz")
    let feeding = try inputs.script(
      """
      mkfifo '\(inputs["gradient.npz"])'
      cat '\(inputs["real.npz"])' > '\(inputs["gradient.npz"])' &
      """)
    let end = try inputs.check([], launcher: feeding)
    #expect(end.status == 0, "\(end.errors)")
  }

  @Test("Output that cannot be written is found before anything is read")
  func outputFirst() throws {
    let inputs = try Inputs()
    try inputs.remove("theta.npz")
    for option in ["--output", "--save-numeric"] {
      let end = try inputs.check([option, "FOLDER/none/out.npz"])
      #expect(end.status == 2 && end.errors.contains("\(option) "), "\(end.errors)")
    }
  }

  /// Costs that are subtracted say nothing where ε vanishes beside θ; exact differences do not need
  /// θ + ε to differ from θ, but lose their digits where numbers end.
  @Test(
    "A step that is too small for the evaluator is not taken for a verdict",
    arguments: [
      ("direct", "f64", "1e-17"), ("direct", "f32", "1e-9"), ("textbook", "auto", "1e-300"),
      ("difference", "f64", "1e-151"), ("difference", "f32", "1e-19"),
    ])
  func tooSmallSteps(evaluator: String, precision: String, epsilon: String) throws {
    let end = try Inputs().check([
      "--evaluator", evaluator, "--precision", precision, "--epsilon", epsilon,
    ])
    #expect(end.status == 2, "\(end.output)")
    #expect(end.output.isEmpty && end.errorLines.count == 1)
    #expect(end.errors.contains("use --epsilon"), "\(end.errors)")
  }

  @Test(
    "The smallest steps that are taken do no harm",
    arguments: [("f64", "1e-150"), ("f32", "1e-18")])
  func smallestSteps(precision: String, epsilon: String) throws {
    let end = try Inputs().check(["--precision", precision, "--epsilon", epsilon])
    #expect(end.status == 0, "\(end.output)\(end.errors)")
  }

  @Test(
    "A bomb of 1 GB is refused where memory ends at that", arguments: ["gradient.npz", "batch.npz"])
  func bomb(file: String) throws {
    let inputs = try Inputs()
    let limited = try inputs.script("ulimit -v 1000000")
    func check() throws -> Program.Ending { try inputs.check([], launcher: limited) }
    #expect(try check().status == 0)
    let (bomb, size) = bombOfZeros(bytes: 1 << 30)
    try inputs.write(file, bomb)
    let end = try check()
    #expect(end.status == 2 && !end.wasKilled, "\(end.errors)")
    #expect(end.errorLines.count == 1)
    #expect(end.errors.contains("\(file): W1: it expands to \(size) bytes"), "\(end.errors)")
  }

  @Test("The bomb is one: a small one expands to all its zeros")
  func smallBomb() throws {
    let folder = try TemporaryFolder()
    let (bomb, _) = bombOfZeros(bytes: 100_000)
    try bomb.write(to: URL(fileURLWithPath: folder["small.npz"]))
    // Its check sum is not that of zeros, and nothing else is wrong with it.
    #expect {
      try TensorFile.read(folder["small.npz"])
    } throws: {
      "\($0)".contains("its CRC-32 differs")
    }
  }
}
