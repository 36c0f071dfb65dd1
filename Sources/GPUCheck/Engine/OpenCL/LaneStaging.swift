import Kernels

/// Host memory between a batch and a device: reads of sums fill it while the host goes on, so it must
/// live, and stay as it is, until the queue has finished them.
///
/// `@unchecked Sendable`: used by one batch at a time, under the lock of its lanes.
final class LaneStaging: @unchecked Sendable {
  private let memory: UnsafeMutableRawBufferPointer
  private var used = 0

  /// Every piece begins at a multiple of this many bytes.
  private static let alignment = 64

  /// Room for pieces of so many bytes.
  init(pieces: [Int]) {
    memory = .allocate(
      byteCount: pieces.reduce(0) { $0 + Self.padded($1) }, alignment: Self.alignment)
  }

  deinit { memory.deallocate() }

  private static func padded(_ bytes: Int) -> Int {
    (bytes + alignment - 1) / alignment * alignment
  }

  var byteCount: Int { memory.count }

  /// Forgets all pieces.
  func clear() { used = 0 }

  /// Uninitialised memory; throws where there is no more.
  func piece<Value: BitwiseCopyable>(
    _: Value.Type, count: Int
  ) throws -> UnsafeMutableBufferPointer<Value> {
    let bytes = count * MemoryLayout<Value>.stride
    guard used + bytes <= memory.count else {
      throw InputError(
        "a batch needs more host memory than was set aside for it",
        remedy: "please report this, with the command")
    }
    let piece = UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + bytes])
    used += Self.padded(bytes)
    return piece.bindMemory(to: Value.self)
  }
}

/// Numbers on their way to a device or from it, as a precision holds them.
enum StagedReals {
  case f64(UnsafeMutableBufferPointer<Double>)
  case f32(UnsafeMutableBufferPointer<Float>)

  init(_ staging: LaneStaging, count: Int, _ precision: Precision) throws {
    self =
      switch precision {
      case .f64: .f64(try staging.piece(Double.self, count: count))
      case .f32: .f32(try staging.piece(Float.self, count: count))
      }
  }

  /// What commands read and write.
  var bytes: UnsafeMutableRawBufferPointer {
    switch self {
    case .f64(let reals): UnsafeMutableRawBufferPointer(reals)
    case .f32(let reals): UnsafeMutableRawBufferPointer(reals)
    }
  }

  /// Puts the values of a batch's lanes where they stand in a launch.
  func arrange(_ values: [Double], _ order: LaneOrder) {
    switch self {
    case .f64(let reals): order.arrange(values, in: reals, filler: 0) { $0 }
    case .f32(let reals): order.arrange(values, in: reals, filler: 0) { Float($0) }
    }
  }

  /// factor times each of so many lanes' sums, which stand at a place as `[parts, lanes]`.
  func sums(_ factor: Double, at place: Int, parts: Int, lanes: Int, count: Int) -> [Double] {
    switch self {
    case .f64(let sums): Self.sums(sums[place...], factor, parts, lanes, count)
    case .f32(let sums): Self.sums(sums[place...], factor, parts, lanes, count)
    }
  }

  private static func sums<Real: BinaryFloatingPoint>(
    _ sums: Slice<UnsafeMutableBufferPointer<Real>>, _ factor: Double, _ parts: Int, _ lanes: Int,
    _ count: Int
  ) -> [Double] {
    let sums = UnsafeMutableBufferPointer(rebasing: sums)
    return [Double](unsafeUninitializedCapacity: count) { values, filled in
      for lane in 0..<count {
        let high = Double(sums[lane])
        values[lane] = factor * (parts > 1 ? high + Double(sums[lanes + lane]) : high)
      }
      filled = count
    }
  }

  /// Adds factor·(high + low) of each lane to its value, of sums `[2, lanes]`.
  func addSums(_ factor: Double, lanes: Int, _ order: LaneOrder, to values: inout [Double]) {
    switch self {
    case .f64(let sums): Self.add(sums, factor, lanes, order, &values)
    case .f32(let sums): Self.add(sums, factor, lanes, order, &values)
    }
  }

  private static func add<Real: BinaryFloatingPoint>(
    _ sums: UnsafeMutableBufferPointer<Real>, _ factor: Double, _ lanes: Int, _ order: LaneOrder,
    _ values: inout [Double]
  ) {
    switch order {
    case .asTheyCome:
      for lane in values.indices {
        values[lane] += factor * (Double(sums[lane]) + Double(sums[lanes + lane]))
      }
    case .places(let places):
      for (lane, place) in places.enumerated() {
        let at = Int(place)
        values[lane] += factor * (Double(sums[at]) + Double(sums[lanes + at]))
      }
    }
  }
}
