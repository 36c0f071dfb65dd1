import Foundation
import ONNXFormat

/// Reads constants: what they are is checked, where their elements lie is noted.
struct ONNXTensorReader {
  let externalData: ONNXExternalData

  /// Throws an `InputError`, naming the tensor where it has a name, for a type that cannot be read
  /// and for elements that are not exactly those of the shape.
  func read(_ proto: TensorProto) throws -> ONNXTensor {
    try InputError.about(tensor: proto.name.isEmpty ? nil : shown(proto.name)) {
      let type = try ONNXElementTypes.type(proto.dataType)
      guard !proto.hasSegment else {
        throw InputError("it is stored in segments", remedy: Self.exportAgain)
      }
      let shape = try shape(proto.dims)
      guard let count = elementCount(ofShape: shape),
        let size = count.multiplied(by: type.byteCount)
      else {
        throw InputError("the shape \(shape) is larger than any tensor", remedy: Self.exportAgain)
      }
      let storage: ONNXTensor.Storage
      switch proto.dataLocation {
      case 0: storage = try inline(proto, type, shape, count: count, size: size)
      case 1: storage = .bytes(try externalData.bytes(proto.externalData, count: size))
      default:
        throw InputError(
          "its data location is \(proto.dataLocation), expected 0 (in the file) or 1 (external)",
          remedy: Self.exportAgain)
      }
      return ONNXTensor(name: proto.name, shape: shape, elementType: type, storage: storage)
    }
  }

  private func shape(_ dims: [Int64]) throws -> [Int] {
    guard dims.count <= Self.axisLimit else {
      throw InputError(
        "it has \(dims.count) axes, expected at most \(Self.axisLimit)", remedy: Self.exportAgain)
    }
    return try dims.map { size in
      guard size >= 0, let size = Int(exactly: size) else {
        throw InputError("an axis is \(size) long", remedy: Self.exportAgain)
      }
      return size
    }
  }

  /// The elements that stand in the message itself: raw, or in the list that is meant for the type.
  private func inline(
    _ proto: TensorProto, _ type: ElementType, _ shape: [Int], count: Int, size: Int
  ) throws -> ONNXTensor.Storage {
    let lists = [
      ("float_data", proto.floatData.count), ("double_data", proto.doubleData.count),
      ("int32_data", proto.int32Data.count), ("int64_data", proto.int64Data.count),
      ("uint64_data", proto.uint64Data.count),
    ].filter { $0.1 > 0 }
    if proto.hasRawData, lists.isEmpty {
      guard proto.rawData.count == size else {
        throw InputError(
          "\(proto.rawData.count) bytes are stored, expected \(size) for shape \(shape) of "
            + type.rawValue, remedy: Self.exportAgain)
      }
      return .bytes(proto.rawData)
    }
    let (list, storage): (String, ONNXTensor.Storage) =
      switch type {
      case .float32: ("float_data", .floats(proto.floatData))
      case .float64: ("double_data", .doubles(proto.doubleData))
      case .int64: ("int64_data", .int64s(proto.int64Data))
      case .uint32, .uint64: ("uint64_data", .uint64s(proto.uint64Data))
      default: ("int32_data", .int32s(proto.int32Data))
      }
    let found = lists.map(\.0) + (proto.hasRawData ? ["raw_data"] : [])
    guard found.isEmpty || found == [list] else {
      throw InputError(
        "its elements are in \(found.joined(separator: " and in ")), expected raw_data or \(list) "
          + "for \(type.rawValue)", remedy: Self.exportAgain)
    }
    let stored = lists.first?.1 ?? 0
    guard stored == count else {
      throw InputError(
        "\(stored) elements are stored, expected \(count) for shape \(shape)",
        remedy: Self.exportAgain)
    }
    return storage
  }

  /// More than any operator has a use for.
  private static let axisLimit = 64
  private static let exportAgain = "export or copy the model again"
}
