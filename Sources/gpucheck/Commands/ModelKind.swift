import ArgumentParser
import Foundation

/// What is checked, told by how it was named: the one place that knows the kinds of model.
enum ModelKind {
  /// A network and its cost, a JSON file.
  case network(String)
  /// An ONNX model.
  case onnx(String)
  /// A cost of the user's own in OpenCL C.
  case source(String)
  /// A cost of the user's own in a shared library.
  case library(String)

  /// Throws where neither or both of a model and a library are named.
  init(model: String?, library: String?) throws {
    switch (model, library) {
    case (nil, nil): throw ValidationError("Missing expected argument '<model>'")
    case (let model?, let library?):
      throw ValidationError("Expected a model or --library, found both \(model) and \(library)")
    case (nil, let library?): self = .library(library)
    case (let model?, nil):
      switch URL(fileURLWithPath: model).pathExtension.lowercased() {
      case "cl": self = .source(model)
      case "onnx": self = .onnx(model)
      default: self = .network(model)
      }
    }
  }

  /// The file.
  var path: String {
    switch self {
    case .network(let path), .onnx(let path), .source(let path), .library(let path): path
    }
  }
}
