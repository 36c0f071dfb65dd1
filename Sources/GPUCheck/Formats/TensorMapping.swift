/// Brings the tensors of a problem's files to the network's names and layout, and keeps account of
/// what of the `TensorNames` was of use.
struct TensorMapping {
  private let names: TensorNames
  private let layout: ParameterLayout
  private let batchNames: Set<String>
  /// The tensors of all files as they were called, and which renames and transpositions met one.
  private var found: Set<String> = []
  private var renamed: Set<Int> = []
  private var transposed: Set<Int> = []

  /// - Parameters:
  ///   - layout: what θ may be made of, by name and shape.
  ///   - batchNames: what the network takes of a batch.
  init(_ names: TensorNames, layout: ParameterLayout, batchNames: Set<String>) {
    self.names = names
    self.layout = layout
    self.batchNames = batchNames
  }

  /// θ or dθ: renamed, and each matrix that `--transpose` names and that comes in the reversed shape
  /// transposed. A square one that is named always is.
  ///
  /// Throws an `InputError` where two tensors get one name, and where the tensors of a flat vector
  /// would have to be transposed.
  mutating func parameters(_ contents: TensorFileContents) throws -> TensorFileContents {
    switch contents {
    case .named(let tensors):
      var result = try rename(tensors, known: Set(layout.segments.map(\.name)))
      for segment in layout.segments {
        guard let tensor = result[segment.name], let at = transposition(of: segment),
          tensor.shape == segment.shape.reversed()
        else { continue }
        transposed.insert(at)
        result[segment.name] = tensor.transposed
      }
      return .named(result)
    case .flat:
      for segment in layout.segments {
        guard let at = transposition(of: segment) else { continue }
        throw InputError(
          "a flat vector has no shapes: whether \(segment.name) is transposed cannot be told; "
            + "expected named tensors for --transpose \(names.transposed[at].text)",
          remedy: "write an .npz or .safetensors with names")
      }
      return contents
    }
  }

  /// The batch: renamed, and each matrix transposed that `--transpose` names without a `*`.
  mutating func batch(_ tensors: [String: Tensor]) throws -> [String: Tensor] {
    var result = try rename(tensors, known: batchNames)
    for (at, pattern) in names.transposed.enumerated() where batchNames.contains(pattern.text) {
      guard let tensor = result[pattern.text], tensor.shape.count == 2 else { continue }
      transposed.insert(at)
      result[pattern.text] = tensor.transposed
    }
    return result
  }

  /// Throws an `InputError` where a rename or a transposition met no tensor of any file.
  func requireUse() throws {
    for (at, rename) in names.renames.enumerated() where !renamed.contains(at) {
      let all = found.sorted()
      throw InputError(
        "--rename \(rename.text): no tensor is called \(rename.from.text); found "
          + (all.isEmpty ? "none with a name" : listed(all)),
        remedy: nearestName(to: rename.from.text, among: all).map { "did you mean '\($0)'?" }
          ?? "name a tensor as the file does")
    }
    for (at, pattern) in names.transposed.enumerated() where !transposed.contains(at) {
      throw unused(pattern)
    }
  }

  // MARK: Parts

  private mutating func rename(
    _ tensors: [String: Tensor], known: Set<String>
  ) throws -> [String: Tensor] {
    found.formUnion(tensors.keys)
    guard !names.renames.isEmpty else { return tensors }
    var result: [String: Tensor] = [:]
    var origins: [String: String] = [:]
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let new = newName(of: name, known: known)
      if let other = origins.updateValue(name, forKey: new) {
        throw InputError(
          "both '\(other)' and '\(name)' are to have this name", tensor: new,
          remedy: "let --rename give each tensor a name of its own")
      }
      result[new] = tensor
    }
    return result
  }

  private mutating func newName(of name: String, known: Set<String>) -> String {
    for (at, rename) in names.renames.enumerated() {
      guard let parts = rename.from.match(name) else { continue }
      renamed.insert(at)
      return rename.from.stars > 0 && known.contains(name) ? name : rename.to.filled(parts)
    }
    return name
  }

  /// The first transposition that names a matrix of the parameters.
  private func transposition(of segment: ParameterLayout.Segment) -> Int? {
    guard segment.shape.count == 2 else { return nil }
    return names.transposed.firstIndex { $0.match(segment.name) != nil }
  }

  private func unused(_ pattern: NamePattern) -> InputError {
    let option = "--transpose \(pattern.text): "
    let matches = layout.segments.filter { pattern.match($0.name) != nil }
    if let matrix = matches.first(where: { $0.shape.count == 2 }) {
      return InputError(
        option + "no file holds \(matrix.name) in the shape \(Array(matrix.shape.reversed())), the "
          + "network's \(matrix.shape) reversed",
        remedy: "leave it out, or correct the tensor")
    }
    if let vector = matches.first {
      return InputError(
        option + "\(vector.name) is a vector \(vector.shape), expected a matrix",
        remedy: "leave it out")
    }
    if batchNames.contains(pattern.text) {
      return InputError(
        option + "the batch holds no matrix of that name", remedy: "leave it out")
    }
    let matrices = layout.segments.filter { $0.shape.count == 2 }.map(\.name)
    return InputError(
      option + "the network has no such matrix, expected one of "
        + listed(matrices + batchNames.sorted()),
      remedy: nearestName(to: pattern.text, among: matrices).map { "did you mean '\($0)'?" }
        ?? "name it as the network does")
  }
}

extension Tensor {
  /// The transpose of a matrix.
  fileprivate var transposed: Tensor {
    let (rows, columns) = (shape[0], shape[1])
    var result: [Double] = []
    result.reserveCapacity(values.count)
    for column in 0..<columns {
      for row in 0..<rows { result.append(values[row * columns + column]) }
    }
    return Tensor(shape: [columns, rows], values: result, elementType: elementType)
  }
}
