// From named tensors, or one flat one, to θ or dθ.

extension ParameterVector {
  /// The tensors of a file put together in a layout's order.
  ///
  /// Named tensors must be exactly the layout's, each of its segment's shape (a vector `[n]` may
  /// come as `[n, 1]` or `[1, n]`); a flat one must hold all values in the layout's order. One
  /// vector of that many values under a name that is no parameter's is a flat one too. Error bars
  /// (`NAME.uncertainty`), which `--save-numeric` writes beside the tensors, are passed over. The
  /// element type becomes the least exact of the tensors'; integers and booleans count as float64,
  /// which holds them exactly. NaN and infinities pass.
  ///
  /// Throws an `InputError` naming the tensor.
  public init(_ contents: TensorFileContents, layout: ParameterLayout) throws {
    switch contents {
    case .named(let tensors):
      if let flat = Self.flat(tensors, layout) {
        try self.init(flat: flat, layout: layout)
      } else {
        try self.init(tensors, layout: layout)
      }
    case .flat(let tensor): try self.init(flat: tensor, layout: layout)
    }
  }

  /// The only tensor, where it can be nothing but a flat vector of all parameters.
  private static func flat(_ tensors: [String: Tensor], _ layout: ParameterLayout) -> Tensor? {
    guard tensors.count == 1, let (name, tensor) = tensors.first,
      layout.segment(named: name) == nil, tensor.shape == [layout.count]
    else { return nil }
    return tensor
  }

  private init(_ tensors: [String: Tensor], layout: ParameterLayout) throws {
    let bars = Set(layout.segments.map { NumericFile.barName(of: $0.name) })
    let extra = tensors.keys.filter { layout.segment(named: $0) == nil && !bars.contains($0) }
      .sorted()
    var parts: [Tensor] = []
    for segment in layout.segments {
      guard let tensor = tensors[segment.name] else {
        throw Self.missing(segment, extra: extra, tensors: tensors)
      }
      guard tensor.shape.fits(segment.shape) else {
        throw InputError(
          "found shape \(tensor.shape), expected \(segment.shape)", tensor: segment.name,
          remedy: Self.remedy(for: tensor, in: segment))
      }
      parts.append(tensor)
    }
    guard extra.isEmpty else {
      throw InputError(
        "found \(listed(extra)), which the network does not have; expected "
          + listed(layout.segments.map(\.name)),
        remedy: "leave \(extra.count == 1 ? "it" : "them") out")
    }
    try self.init(
      layout: layout, values: parts.flatMap(\.values),
      elementType: .leastExact(of: parts.map(\.elementType)))
  }

  private static func remedy(for tensor: Tensor, in segment: ParameterLayout.Segment) -> String {
    if tensor.shape == segment.shape.reversed() {
      return "it is transposed: give --transpose \(segment.name), or transpose it in the file"
    }
    return tensor.count == segment.count
      ? "reshape it, if its values stand in that order" : "correct it, or the network"
  }

  private static func missing(
    _ segment: ParameterLayout.Segment, extra: [String], tensors: [String: Tensor]
  ) -> InputError {
    InputError(
      "there is no such tensor, expected one of shape \(segment.shape); found "
        + (tensors.isEmpty ? "none" : listed(tensors.keys.sorted())), tensor: segment.name,
      remedy: nearestName(to: segment.name, among: extra).map {
        "did you mean '\($0)'? (--rename \($0)=\(segment.name))"
      } ?? "name each tensor as the network does, or give --rename FROM=TO")
  }

  private init(flat tensor: Tensor, layout: ParameterLayout) throws {
    let isVector = tensor.shape.fits([tensor.count])
    guard isVector || layout.segments.map(\.shape) == [tensor.shape] else {
      throw InputError(
        "found one array of shape \(tensor.shape), expected a vector [\(layout.count)]",
        remedy: "flatten \(layout.order), each row-major, or write an .npz with names")
    }
    guard tensor.count == layout.count else {
      throw InputError(
        "found \(tensor.count) values, expected \(layout.count)",
        remedy: "flatten \(layout.order), in this order and each row-major")
    }
    try self.init(
      layout: layout, values: tensor.values, elementType: .leastExact(of: [tensor.elementType]))
  }

  /// Throws an `InputError` at the first NaN or infinity, with tensor and index.
  func requireFinite() throws {
    guard !values.allSatisfy(\.isFinite) else { return }
    for (name, tensor) in tensors { try GPUCheck.requireFinite(tensor, name) }
  }

  /// Whether values stored as float64 are float32 numbers one and all: those of a computation in
  /// float64 have digits that float32 lacks. Zeros and whole numbers prove nothing; two others of
  /// more than 16 significant bits do, and so do more than eight shorter ones (the noise that is
  /// left where everything cancels is short as well). NaN and infinities are passed over.
  var isFloat32InFloat64: Bool {
    guard elementType == .float64 else { return false }
    var fractions = 0
    var wide = 0
    for value in values where value.isFinite {
      if Double(Float(value)) != value { return false }
      if value == value.rounded() { continue }
      fractions += 1
      if value.significandWidth >= 16 { wide += 1 }
    }
    return wide >= 2 || fractions > 8
  }
}

extension ParameterLayout {
  /// The segments in order, for messages: "W1 [3, 4], b1 [3]".
  fileprivate var order: String {
    listed(segments.map { "\($0.name) \($0.shape)" })
  }
}

extension [Int] {
  /// Whether a tensor of this shape serves for one of the other: the same shape, or the same vector
  /// but for an axis of 1.
  fileprivate func fits(_ other: [Int]) -> Bool {
    self == other
      || (other.count == 1 && count <= 2 && filter { $0 != 1 } == other.filter { $0 != 1 })
  }
}

/// Names for a message, the last ones of a long list left out.
func listed(_ names: [String]) -> String {
  let shown = 12
  guard names.count > shown else { return names.joined(separator: ", ") }
  return names.prefix(shown).joined(separator: ", ") + " and \(names.count - shown) more"
}

extension ElementType {
  /// The type with the fewest digits, of those that have any; float64 where none has.
  static func leastExact(of types: [ElementType]) -> ElementType {
    types.filter(\.isFloatingPoint).max { $0.unitRoundoff < $1.unitRoundoff } ?? .float64
  }
}
