import Foundation
import Kernels

/// A cost that the user wrote in OpenCL C, with the buffers that its function asks for.
package struct CostSource: Sendable {
  /// The file's name, as the compiler's messages are to have it.
  package let file: String
  package let text: String
  package let signature: CostSignature
  /// The tensors of the batch by name.
  package let batch: [String: Tensor]

  /// Reads the text from a file.
  package init(file: String, batch: [String: Tensor]?) throws {
    let data = try InputFile.read(file)
    try self.init(file: file, text: String(decoding: data, as: UTF8.self), batch: batch)
  }

  /// Throws an `InputError` where the text has no function `cost`, or one that asks for a buffer that
  /// the batch does not hold.
  package init(file: String, text: String, batch: [String: Tensor]?) throws {
    self.file = file
    self.text = text
    self.batch = batch ?? [:]
    signature = try InputError.about(file: file) { try CostSignature(text) }
    let names = self.batch.keys.sorted()
    for parameter in signature.parameters where !parameter.isLocal {
      guard self.batch[parameter.name] == nil else { continue }
      throw InputError(
        "line \(parameter.line): cost takes a buffer \(parameter.name), "
          + (batch == nil
            ? "and there is no batch"
            : "which the batch does not hold; found "
              + (names.isEmpty ? "nothing" : listed(names))),
        file: file,
        remedy: batch == nil
          ? "give --batch"
          : nearestName(to: parameter.name, among: names).map { "did you mean \($0)?" }
            ?? "name the argument as the batch names the tensor")
    }
  }

  /// The tensors of the batch that no argument asks for.
  package var unused: [String] {
    let used = Set(signature.parameters.map(\.name))
    return batch.keys.filter { !used.contains($0) }.sorted()
  }

  // MARK: The program

  /// The parts of the program's text, and which of them is the user's: gpucheck's own stands before
  /// and after it.
  ///
  /// Throws an `InputError` where two tensors would have the same constants.
  func program(
    _ layout: ParameterLayout, _ kernels: KernelText
  ) throws -> (parts: [String], own: Int) {
    let own = file.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    var parts = try kernels.source([
      KernelUnit(file: Self.kernelFile),
      KernelUnit(
        file: Self.kernelFile,
        defines: [
          ("COST_PARAMETERS", list { $0.isLocal ? nil : ", " + $0.declaration }),
          (
            "COST_LOCALS",
            list { $0.isLocal ? "local \($0.element) \($0.name)[\($0.name)_count];" : nil }
          ),
          ("COST_ARGUMENTS", list { ", " + $0.name }),
        ]),
    ])
    parts.insert("#line 1 \"\(own)\"\n" + text, at: parts.count - 1)
    parts.insert(try constants(layout), at: 1)
    return (parts, parts.count - 2)
  }

  private func list(_ part: (CostSignature.Parameter) -> String?) -> String {
    signature.parameters.compactMap(part).joined(separator: " ")
  }

  private static let kernelFile = "user_cost.cl"

  // MARK: Constants

  /// The sizes of θ and of every tensor, as constants that the user's text can name: `theta_count`;
  /// `W1_offset`, `W1_count`, `W1_shape0`, …; `x_count`, `x_shape0`, ….
  private func constants(_ layout: ParameterLayout) throws -> String {
    var owners = ["theta_count": ""]
    var list = ["theta_count = \(layout.count)"]
    func add(_ tensor: String, _ sizes: [(key: String, value: Int)]) throws {
      for (key, value) in sizes {
        let name = Self.identifier(tensor) + "_" + key
        // A flat θ is called so, and has the same count.
        if name == "theta_count", value == layout.count { continue }
        if let other = owners.updateValue(tensor, forKey: name) {
          throw InputError(
            "\(other.isEmpty ? "θ" : other) and \(tensor) would both be called "
              + "\(Self.identifier(tensor)) in OpenCL C", file: file, tensor: tensor,
            remedy: "give the tensors of θ and of the batch names of their own")
        }
        guard value <= Int32.max else {
          throw InputError(
            "\(value) is more than an int can count", tensor: tensor, remedy: "split the tensor")
        }
        list.append("\(name) = \(value)")
      }
    }
    func sizes(_ shape: [Int]) -> [(key: String, value: Int)] {
      [("count", shape.reduce(1, *))] + shape.enumerated().map { ("shape\($0)", $1) }
    }
    for part in layout.segments {
      try add(part.name, [("offset", part.offset)] + sizes(part.shape))
    }
    for (name, tensor) in batch.sorted(by: { $0.key < $1.key }) {
      try add(name, sizes(tensor.shape))
    }
    return "enum { \(list.joined(separator: ", ")) };"
  }

  /// A tensor's name as OpenCL C can have it: every sign but letters, digits and _ becomes _.
  static func identifier(_ name: String) -> String {
    let letters = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    return (letters.first?.isNumber == true ? "_" : "") + String(letters)
  }
}
