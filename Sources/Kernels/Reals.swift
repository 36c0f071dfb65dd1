/// Buffers of numbers: the host's doubles as the device's reals, rounded once on the way.
extension Buffer {
  /// A copy of the values, in the given precision. `[count]`
  package convenience init(_ context: Context, reals: [Double], _ precision: Precision) throws {
    switch precision {
    case .f64: try self.init(context, elements: reals)
    case .f32: try self.init(context, elements: reals.map(Float.init))
    }
  }

  /// A copy of the values. `[count]`
  package convenience init(_ context: Context, integers: [Int32]) throws {
    try self.init(context, elements: integers)
  }

  /// Room for `count` reals, of unspecified content.
  package convenience init(_ context: Context, realCount: Int, _ precision: Precision) throws {
    let (bytes, overflow) = realCount.multipliedReportingOverflow(by: precision.bytes)
    try self.init(context, byteCount: overflow ? Int.max : bytes)
  }
}

extension CommandQueue {
  /// Writes values from the `start`-th real on, in the given precision, and waits.
  package func write(
    _ buffer: Buffer, reals: [Double], _ precision: Precision, start: Int = 0
  ) throws {
    let offset = start * precision.bytes
    switch precision {
    case .f64: try reals.withUnsafeBytes { try write(buffer, $0, offset: offset) }
    case .f32:
      try reals.map(Float.init).withUnsafeBytes { try write(buffer, $0, offset: offset) }
    }
  }

  /// Reads `count` reals from the `start`-th on, after all that was queued before.
  package func reals(
    of buffer: Buffer, count: Int, _ precision: Precision, start: Int = 0
  ) throws -> [Double] {
    let offset = start * precision.bytes
    switch precision {
    case .f64: return try numbers(of: buffer, count: count, offset: offset, filledWith: 0.0)
    case .f32:
      let floats = try numbers(of: buffer, count: count, offset: offset, filledWith: Float(0))
      return floats.map(Double.init)
    }
  }

  /// Reads `count` integers from the `start`-th on, after all that was queued before.
  package func integers(of buffer: Buffer, count: Int, start: Int = 0) throws -> [Int32] {
    try numbers(
      of: buffer, count: count, offset: start * MemoryLayout<Int32>.size, filledWith: Int32(0))
  }

  private func numbers<Number: BitwiseCopyable>(
    of buffer: Buffer, count: Int, offset: Int, filledWith filler: Number
  ) throws -> [Number] {
    var numbers = [Number](repeating: filler, count: max(count, 0))
    try numbers.withUnsafeMutableBytes { try read(buffer, into: $0, offset: offset) }
    return numbers
  }
}
