import Foundation
import GPUCheck

/// A reader of files under test. Adding one: a line in `all`, and seeds in fuzz/corpus/NAME.
struct Reader: Sendable {
  /// Takes the bytes of a file; may throw an `InputError` and nothing else.
  var read: @Sendable (Data) throws -> Void
  /// How many times the file's size all allocations together may come to.
  var total = Allocations.factor

  static let all: [String: Reader] = [
    // Foundation makes several objects of a value of two characters.
    "network": Reader(read: { _ = try NetworkFile.decode($0) }, total: 512),
    "npy": Reader { _ = try TensorFile.decode($0) },
    "npz": Reader { _ = try TensorFile.decode($0) },
    "safetensors": Reader { _ = try TensorFile.decode($0) },
    // A message of two bytes, all of whose fields have their defaults, takes a few hundred.
    "onnx": Reader(read: { try readONNX($0) }, total: 512),
    "journal": Reader { try readJournal($0) },
  ]
}

/// Reads a model and every constant in it; there is no folder for external data.
private func readONNX(_ data: Data) throws {
  // Functions may grow, but not here: what is allocated is held against the file.
  let model = try ONNXFile.parse(data, folder: nil, inliningLimit: 1 << 10)
  for tensor in model.graph.initializers.values { _ = try tensor.tensor() }
}
