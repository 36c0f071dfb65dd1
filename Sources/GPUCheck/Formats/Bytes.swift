import Foundation

extension Data {
  /// The little-endian integer at an offset from the first byte; nil beyond the end.
  func littleEndian<Integer: FixedWidthInteger & UnsignedInteger>(
    _ type: Integer.Type = Integer.self, at offset: Int
  ) -> Integer? {
    guard let bytes = slice(at: offset, count: MemoryLayout<Integer>.size) else { return nil }
    return bytes.reversed().reduce(0) { ($0 << 8) | Integer($1) }
  }

  /// `count` bytes from an offset on, not copied; nil where they do not all exist.
  func slice(at offset: Int, count length: Int) -> Data? {
    guard offset >= 0, length >= 0, offset <= count, length <= count - offset else { return nil }
    let start = startIndex + offset
    return self[start..<start + length]
  }

  /// Appends an integer, least significant byte first.
  mutating func appendLittleEndian<Integer: FixedWidthInteger>(_ value: Integer) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// Appends doubles, least significant byte first.
  mutating func append(doubles values: [Double]) {
    reserveCapacity(count + values.count * MemoryLayout<Double>.size)
    for value in values { appendLittleEndian(value.bitPattern) }
  }
}

extension Int {
  /// The sum, or nil where it overflows.
  func adding(_ other: Int) -> Int? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }

  /// The product, or nil where it overflows.
  func multiplied(by other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }
}

/// The number of elements of a shape, or nil where an axis is negative or where a product of its
/// axes (the empty ones left out) in bytes of a double is more than an `Int` holds.
func elementCount(ofShape shape: [Int]) -> Int? {
  var extent = MemoryLayout<Double>.size
  for axis in shape {
    guard axis >= 0, let next = extent.multiplied(by: Swift.max(axis, 1)) else { return nil }
    extent = next
  }
  return shape.contains(0) ? 0 : extent / MemoryLayout<Double>.size
}
