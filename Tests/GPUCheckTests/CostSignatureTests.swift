import GPUCheck
import Testing

/// What a text in OpenCL C asks for.
@Suite("The arguments of cost")
struct CostSignatureTests {
  @Test(
    "Arguments are found whatever stands around them",
    arguments: [
      ("real cost(lane_t lane) { return 0; }", []),
      ("double cost(const lane_t lane, global const real *x) { return 0; }", ["x"]),
      (
        "real cost(lane_t lane, __global const int* restrict y,\n constant float *z) {}",
        ["y", "z"]
      ),
      ("// real cost(lane_t lane, global int *a) {\nreal cost(lane_t lane) {}", []),
      ("/* cost(lane_t lane, global int *a) { */ real cost(lane_t lane) {}", []),
      ("#define f cost(lane_t lane, global int *a) { \\\n }\nreal cost(lane_t lane) {}", []),
      ("real cost(lane_t lane, global real *x);\nreal cost(lane_t lane, global real *x) {}", ["x"]),
      ("real f(lane_t lane) { return cost(1) + 1; }\nreal cost(lane_t lane) {}", []),
      ("constant char s[] = \"cost(int a) {\";\nreal cost(lane_t lane, local real *h) {}", ["h"]),
    ])
  func found(text: String, names: [String]) throws {
    #expect(try CostSignature(text).parameters.map(\.name) == names)
  }

  @Test("Elements, address spaces and lines")
  func details() throws {
    let text = "\n\nreal cost(lane_t lane, global const uchar *x,\n  local real *h)\n{ return 0; }"
    let parameters = try CostSignature(text).parameters
    #expect(parameters.map(\.element) == [.uchar, .real])
    #expect(parameters.map(\.isLocal) == [false, true])
    #expect(parameters.map(\.line) == [3, 4])
    #expect(parameters.first?.declaration == "global const uchar * x")
  }

  @Test(
    "Others are refused, with the line",
    arguments: [
      ("", "there is no function named cost"),
      ("real cost(lane_t lane);", "no function named cost"),
      ("real cost(", "no function named cost"), ("real cost(((", "no function named cost"),
      ("real cost() {}", "line 1: the first argument of cost is ''"),
      ("\nreal cost(lane_t l) {}", "line 2: the first argument of cost is 'lane_t l'"),
      ("real cost(lane_t lane, real *x) {}", "cost takes 'real * x', expected a buffer"),
      ("real cost(lane_t lane, global real x) {}", "cost takes 'global real x'"),
      ("real cost(lane_t lane, global real x[3]) {}", "cost takes 'global real x [ 3 ]'"),
      ("real cost(lane_t lane, ) {}", "cost takes ''"),
      ("real cost(lane_t lane, global float4 *x) {}", "expected a buffer of real, float"),
      ("real cost(lane_t lane, global real *lane_x) {}", "gpucheck's"),
      ("real cost(lane_t lane, global int *x, global int *x) {}", "two arguments named x"),
    ])
  func refused(text: String, expected: String) {
    let message = inputErrorMessage { try CostSignature(text) }
    #expect(message.contains(expected), "\(message)")
  }

  @Test("Any text is read without a trap")
  func anyText() {
    let text = "#a\\\n/*b*/ \"c\\\"\" 'd' real cost(lane_t lane, global const real *x) { // e"
    for start in text.indices {
      for end in text.indices[start...] { _ = try? CostSignature(String(text[start..<end])) }
    }
  }

  @Test("A tensor that an argument asks for, and one that nothing asks for")
  func batch() throws {
    let tensor = Tensor(shape: [1], values: [1])
    let text = "real cost(lane_t lane, global real *inputs) {}"
    let source = try CostSource(
      file: "c.cl", text: text, batch: ["inputs": tensor, "other": tensor])
    #expect(source.unused == ["other"])
    let message = inputErrorMessage {
      try CostSource(file: "c.cl", text: text, batch: ["input": tensor])
    }
    #expect(message.contains("c.cl: line 1: cost takes a buffer inputs"), "\(message)")
    #expect(message.contains("did you mean input?"), "\(message)")
  }
}

/// θ's order where no network gives it.
@Suite("The order of a file's tensors")
struct FileOrderTests {
  @Test("Tensors come as the file has them", arguments: ["npz", "safetensors"])
  func order(suffix: String) throws {
    let names = ["W2", "b", "a.c", "W10", "W1"]
    let tensors = names.enumerated().map { at, name in
      (name: name, tensor: Tensor(shape: [at], values: [Double](repeating: 1, count: at)))
    }
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("theta.\(suffix)").path
      try TensorFile.write(tensors, to: path)
      let read = try TensorFile.readInOrder(path)
      // An empty tensor has no place of its own among the bytes of Safetensors.
      #expect(read.map(\.name).filter { $0 != "W2" } == Array(names.dropFirst()))
      #expect(Set(read.map(\.name)) == Set(names))
    }
  }
}
