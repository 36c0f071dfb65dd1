import Foundation
import GPUCheck
import Testing

/// A case of Fixtures/networks: a network with its batch, θ and dθ, and what NumPy says of it.
struct NetworkFixture: Sendable, CustomTestStringConvertible {
  var name: String
  /// J, correctly rounded, and the relative error that an evaluation in double may have.
  var cost: Double
  var bar: Double
  /// How many parameters, and their names in order.
  var parameters: Int
  var tensors: [String]

  var testDescription: String { name }

  /// All cases, by name.
  static let all: [NetworkFixture] = {
    struct Line: Decodable {
      var cost: Double
      var bar: Double
      var parameters: Int
      var tensors: [String]
    }
    guard let data = try? Data(contentsOf: folder.appendingPathComponent("cases.json")),
      let lines = try? JSONDecoder().decode([String: Line].self, from: data)
    else { fatalError("Fixtures/networks/cases.json cannot be read") }
    return lines.sorted { $0.key < $1.key }.map { name, line in
      NetworkFixture(
        name: name, cost: line.cost, bar: line.bar, parameters: line.parameters,
        tensors: line.tensors)
    }
  }()

  /// The case of that name.
  static func named(_ name: String) throws -> NetworkFixture {
    try #require(all.first { $0.name == name }, "no case \(name)")
  }

  private static var folder: URL {
    (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
      .appendingPathComponent("Fixtures/networks")
  }

  /// A file of the case.
  func path(_ file: String) -> String {
    Self.folder.appendingPathComponent(name).appendingPathComponent(file).path
  }

  /// The case as a problem, with the gradient of a file of one's own or the case's in float64.
  func problem(gradient: String? = nil) throws -> Problem {
    try ProblemFiles.load(
      model: path("model.json"), batch: path("batch.npz"), parameters: path("parameters.npz"),
      gradient: gradient ?? path("gradient.npz"))
  }
}

extension Tensor {
  /// A tensor of zeros.
  static func zeros(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape, values: [Double](repeating: 0, count: shape.reduce(1, *)))
  }
}

/// Runs with an empty folder that goes away afterwards.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("gpucheck-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder)
}
