import Foundation
import ONNXFormat
import SwiftProtobuf

/// ONNX files: networks as graphs of operators, in protobuf (https://onnx.ai/onnx/repo-docs/IR.html).
package enum ONNXFile {
  /// The versions of the standard operators that are read: from the one that PyTorch's exporters
  /// have written since 2020 to that of onnx 1.23.
  package static let opsets = 11...28
  /// The versions of the file format that are read: older files do not say their opset.
  package static let irVersions = 3...14
  /// How much may come of inlining functions, in nodes and what they hold: far more than exporters
  /// write, and no more than memory holds.
  package static let inliningLimit = 1 << 22

  /// The model of a file. Its bytes are mapped; inline constants are copied once, and external ones
  /// stay mapped.
  ///
  /// Throws an `InputError` naming the file, and the tensor or node where one is to blame.
  package static func read(_ path: String) throws -> ONNXModel {
    let data = try InputFile.read(path)
    return try InputError.about(file: path) {
      try parse(data, folder: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }
  }

  /// The model of a file's bytes.
  ///
  /// - Parameters:
  ///   - folder: where external data may lie; nil where it may lie nowhere.
  ///   - inliningLimit: how much may come of inlining functions.
  package static func parse(
    _ data: Data, folder: String?, inliningLimit: Int = ONNXFile.inliningLimit
  ) throws -> ONNXModel {
    let proto = try message(data)
    guard proto.hasGraph else {
      throw InputError(
        "the file holds no graph" + (looks(data).map { ": \($0), expected an ONNX model" } ?? ""),
        remedy: "export the model to ONNX again")
    }
    guard irVersions ~= Int(proto.irVersion) else {
      throw InputError(
        "the file is of IR version \(proto.irVersion), expected \(irVersions.lowerBound) to "
          + "\(irVersions.upperBound)", remedy: "export the model with a current version of onnx")
    }
    var opsets = try versions(proto.opsetImport)
    let opset = try standardVersion(opsets)
    let graph: GraphProto
    if proto.functions.isEmpty {
      graph = proto.graph
    } else {
      var functions = try ONNXFunctions(proto, opset: opset, limit: inliningLimit)
      graph = try functions.inline(proto.graph)
      opsets.merge(functions.opsets) { model, _ in model }
    }
    let reader = ONNXGraphReader(
      tensors: ONNXTensorReader(externalData: ONNXExternalData(folder: folder)))
    let producer = [proto.producerName, proto.producerVersion].filter { !$0.isEmpty }
    return ONNXModel(
      irVersion: Int(proto.irVersion), opset: opset, opsets: opsets,
      producer: producer.joined(separator: " "), graph: try reader.read(graph))
  }

  /// The protobuf message.
  private static func message(_ data: Data) throws -> ModelProto {
    guard data.count < 1 << 31 else {
      throw InputError(
        "the file has \(data.count) bytes, and no protobuf message holds 2 GiB or more",
        remedy: "save the model with external data")
    }
    var options = BinaryDecodingOptions()
    options.discardUnknownFields = true
    do {
      return try ModelProto(serializedBytes: data, options: options)
    } catch {
      let problem: String
      switch error as? BinaryDecodingError {
      case .truncated: problem = "the file is cut short, or is no ONNX model"
      case .messageDepthLimit:
        problem = "messages lie within each other more than \(options.messageDepthLimit) deep"
      case .invalidUTF8: problem = "a name is not UTF-8"
      default: problem = "the file is damaged, or is no ONNX model"
      }
      throw InputError(
        looks(data).map { "\($0), expected an ONNX model" } ?? problem,
        remedy: "export or copy the model again")
    }
  }

  /// What the bytes of something else look like; nil where they look like nothing that is known.
  private static func looks(_ data: Data) -> String? {
    if let format = TensorFormat(of: data) { return "this looks like an .\(format.rawValue) file" }
    return TensorFile.knownKind(data)
  }

  // MARK: Versions

  /// The versions of the operators by domain; throws where a domain has two.
  static func versions(_ imports: [OperatorSetIdProto]) throws -> [String: Int] {
    var versions: [String: Int] = [:]
    for entry in imports {
      let domain = canonicalDomain(entry.domain)
      let version = Int(entry.version)
      if let other = versions.updateValue(version, forKey: domain), other != version {
        throw InputError(
          "versions \(other) and \(version) of the operators of "
            + (domain.isEmpty ? "ai.onnx" : "'\(shown(domain))'") + " are asked for, expected one",
          remedy: "export the model again")
      }
    }
    return versions
  }

  private static func standardVersion(_ versions: [String: Int]) throws -> Int {
    let expected = "expected \(opsets.lowerBound) to \(opsets.upperBound)"
    guard let version = versions[""] else {
      throw InputError(
        "the file does not say its opset, \(expected)", remedy: "export the model to ONNX again")
    }
    guard opsets ~= version else {
      throw InputError(
        "the model is of opset \(version), \(expected)",
        remedy: "export it with another opset_version, or use onnx.version_converter")
    }
    return version
  }
}
