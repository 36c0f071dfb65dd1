import Foundation

/// A kernel file that is not there, in one line.
package struct KernelTextError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String
}

/// The kernels' source text by file name: the text embedded in the binary or, for work on the
/// kernels, that of a folder.
package struct KernelText: Sendable {
  /// Every file of kernels/, one line each.
  private static let embedded: [(name: String, bytes: [UInt8])] = [
    ("common.cl", PackageResources.common_cl),
    ("lanes.cl", PackageResources.lanes_cl),
    ("analytic.cl", PackageResources.analytic_cl),
    ("chain.cl", PackageResources.chain_cl),
    ("combine.cl", PackageResources.combine_cl),
    ("combine_rules.cl", PackageResources.combine_rules_cl),
    ("convolution.cl", PackageResources.convolution_cl),
    ("cost.cl", PackageResources.cost_cl),
    ("cross_entropy.cl", PackageResources.cross_entropy_cl),
    ("dense.cl", PackageResources.dense_cl),
    ("element.cl", PackageResources.element_cl),
    ("fused.cl", PackageResources.fused_cl),
    ("gather.cl", PackageResources.gather_cl),
    ("gelu.cl", PackageResources.gelu_cl),
    ("moments.cl", PackageResources.moments_cl),
    ("piecewise.cl", PackageResources.piecewise_cl),
    ("product.cl", PackageResources.product_cl),
    ("reduce.cl", PackageResources.reduce_cl),
    ("rows.cl", PackageResources.rows_cl),
    ("selftest.cl", PackageResources.selftest_cl),
    ("sigmoid.cl", PackageResources.sigmoid_cl),
    ("silu.cl", PackageResources.silu_cl),
    ("small.cl", PackageResources.small_cl),
    ("softmax.cl", PackageResources.softmax_cl),
    ("softplus.cl", PackageResources.softplus_cl),
    ("step.cl", PackageResources.step_cl),
    ("tanh.cl", PackageResources.tanh_cl),
    ("tile.cl", PackageResources.tile_cl),
    ("user_cost.cl", PackageResources.user_cost_cl),
  ]

  /// The names of the embedded files.
  package static var names: [String] { embedded.map(\.name) }

  /// Where files are read from; nil for the embedded text.
  package let folder: String?

  /// The embedded text, or that of a folder.
  package init(folder: String? = nil) { self.folder = folder }

  /// The text of one file, such as `"common.cl"`.
  package func text(_ name: String) throws(KernelTextError) -> String {
    if let folder {
      let path = URL(fileURLWithPath: folder).appendingPathComponent(name).path
      guard let data = FileManager.default.contents(atPath: path) else {
        throw KernelTextError(
          description: "\(path): no such kernel file; --kernels takes a folder like kernels/")
      }
      return String(decoding: data, as: UTF8.self)
    }
    guard let file = Self.embedded.first(where: { $0.name == name }) else {
      throw KernelTextError(
        description: "no kernel file \(name); there are \(Self.names.joined(separator: ", "))")
    }
    return String(decoding: file.bytes, as: UTF8.self)
  }

  /// A hash of all files, as a hexadecimal number.
  package func hash() throws(KernelTextError) -> String {
    var hash = StableHash()
    for name in Self.names { hash.add(try text(name)) }
    return String(hash.value, radix: 16)
  }

  /// What a program is built from: common.cl, then the given parts in order, each once, with its
  /// own line numbers in the compiler's messages.
  package func source(_ units: [KernelUnit]) throws(KernelTextError) -> [String] {
    var parts: [String] = []
    var seen: Set<KernelUnit> = []
    for unit in [KernelUnit(file: "common.cl")] + units where seen.insert(unit).inserted {
      let defines = unit.defines.map { "#define \($0.name) \($0.value)\n" }.joined()
      let undefines = unit.defines.map { "\n#undef \($0.name)" }.joined()
      parts.append(defines + "#line 1 \"\(unit.file)\"\n" + (try text(unit.file)) + undefines)
    }
    return parts
  }
}

/// A part of a program: a file of kernels/, compiled with macros of its own. A file that stands in a
/// program several times is a template, once for each set of macros.
package struct KernelUnit: Hashable, Sendable {
  package struct Define: Hashable, Sendable {
    package var name: String
    package var value: String
  }

  package var file: String
  package var defines: [Define]

  package init(file: String, defines: [(name: String, value: String)] = []) {
    self.file = file
    self.defines = defines.map { Define(name: $0.name, value: $0.value) }
  }
}
