import Foundation
import Kernels

/// Lanes of a cost in OpenCL C: every work-item, or every work-group where the text defines
/// LANE_WORK_ITEMS, calls the user's function with one component of θ moved. θ and the batch are on
/// the device once.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
package final class OpenCLCost: LaneEvaluator, @unchecked Sendable {
  package var mode: LaneMode { .value }
  package let precision: Precision
  private let source: CostSource
  private let layout: ParameterLayout
  private let lock = NSLock()
  private let kernel: Kernel
  private let queue: CommandQueue
  private let buffers: Buffers
  /// Work-items of a work-group, and whether one lane has all of them.
  private let groupSize: Int
  private let isGroupALane: Bool

  /// Lanes of one launch.
  private static let capacity = 1 << 16
  /// Work-items of a group where each has a lane of its own: a GPU's smallest unit or two; a few on a
  /// CPU, whose cores take a group each. Always the same: drivers compile a kernel for each size.
  private static func groupSize(_ device: DeviceDescription) -> Int { device.kind == .cpu ? 8 : 64 }

  /// What is on the device.
  private struct Buffers {
    let theta: Buffer
    let components: Buffer
    let moves: Buffer
    let costs: Buffer
    let fault: Buffer
    /// The buffers that `cost` asks for, in its order.
    let batch: [Buffer]
  }

  init(
    _ source: CostSource, at parameters: ParameterVector, _ precision: Precision,
    _ context: Context, _ kernels: KernelText, memoryLimit: Int?
  ) throws {
    self.source = source
    self.precision = precision
    layout = parameters.layout
    let program = try source.build(layout, in: context, kernels, precision)
    kernel = try Kernel(program, UserCostsArguments.name)
    let device = context.device.description
    let required = try kernel.requiredWorkGroupSize()
    isGroupALane = required != nil
    if !isGroupALane, let parameter = source.signature.parameters.first(where: \.isLocal) {
      throw InputError(
        "line \(parameter.line): cost takes local memory \(parameter.name), which only a work-group can "
          + "share", file: source.file,
        remedy: "#define LANE_WORK_ITEMS, the work-items of a lane")
    }
    groupSize = try required ?? max(1, min(Self.groupSize(device), kernel.maxWorkGroupSize()))
    if isGroupALane, groupSize > device.maxWorkGroupSize {
      throw InputError(
        "LANE_WORK_ITEMS is \(groupSize), and a work-group of \(device.name) has at most "
          + "\(device.maxWorkGroupSize) work-items", file: source.file, remedy: "define it smaller")
    }
    let asked = source.signature.parameters.filter { !$0.isLocal }
    try Self.checkMemory(
      layout, asked.compactMap { source.batch[$0.name] }, precision, limit: memoryLimit)
    queue = try CommandQueue(context)
    buffers = Buffers(
      theta: try Buffer(context, reals: parameters.values, precision),
      components: try Buffer(context, byteCount: 4 * Self.capacity),
      moves: try Buffer(context, realCount: Self.capacity, precision),
      costs: try Buffer(context, realCount: Self.capacity, precision),
      fault: try Buffer(context, integers: [0, 0, 0]),
      batch: try asked.map { parameter in
        try InputError.about(file: source.file, tensor: parameter.name) {
          guard let tensor = source.batch[parameter.name] else {
            throw InputError("the batch does not hold it", remedy: "add it")
          }
          return try Buffer(context, tensor, as: parameter.element, precision)
        }
      })
  }

  /// Throws an `InputError` where θ, the batch and the lanes take more than may be used.
  private static func checkMemory(
    _ layout: ParameterLayout, _ tensors: [Tensor], _ precision: Precision, limit: Int?
  ) throws {
    guard let limit else { return }
    let reals = tensors.reduce(layout.count) { $0 + $1.count } + 2 * capacity
    let needed = reals * precision.bytes + 4 * capacity
    guard needed <= limit else {
      throw InputError(
        "θ, the batch and the perturbations take about \(TextFormat.bytes(needed)) of the device, and "
          + "\(TextFormat.bytes(limit)) may be used", remedy: "allow more with --memory")
    }
  }

  package func wantedLanes(segment: Int) -> Int { Self.capacity }

  package func evaluate(_ batch: LaneBatch) throws -> LaneResults {
    try lock.withLock {
      var values: [Double] = []
      for start in stride(from: 0, to: batch.count, by: Self.capacity) {
        values += try run(batch[start..<min(start + Self.capacity, batch.count)])
      }
      return LaneResults(
        values: values, flags: [LaneFlags](repeating: [], count: values.count))
    }
  }

  /// One launch.
  private func run(_ lanes: LaneBatch) throws -> [Double] {
    try lanes.components.withUnsafeBytes { try queue.write(buffers.components, $0) }
    try queue.write(buffers.moves, reals: lanes.moves, precision)
    try [Int32](repeating: 0, count: 3).withUnsafeBytes { try queue.write(buffers.fault, $0) }
    try kernel.set(
      UserCostsArguments(
        count: lanes.count, offset: layout.segments[lanes.segment].offset, theta: buffers.theta,
        components: buffers.components, moves: buffers.moves, costs: buffers.costs,
        fault: buffers.fault, batch: buffers.batch))
    let items =
      isGroupALane ? lanes.count * groupSize : LaneSizing.roundUp(lanes.count, to: groupSize)
    try queue.enqueue(kernel, global: [items], local: [groupSize])
    let costs = try queue.reals(of: buffers.costs, count: lanes.count, precision)
    let fault = try queue.integers(of: buffers.fault, count: 3)
    if fault[0] != 0 {
      throw InputError(
        "line \(fault[1]): theta(\(fault[2])) was read, expected an index from 0 to "
          + "\(layout.count - 1)", file: source.file,
        remedy: "\(TextFormat.count(layout.count, "parameter")): "
          + listed(layout.segments.map { "\($0.name) from \($0.offset) on" }))
    }
    return costs
  }
}

/// The arguments of `user_costs`.
private struct UserCostsArguments: KernelArguments {
  static let name = "user_costs"
  let kernel = Self.name
  var count: Int
  var offset: Int
  var theta: Buffer
  var components: Buffer
  var moves: Buffer
  var costs: Buffer
  var fault: Buffer
  var batch: [Buffer]

  var arguments: [KernelArgument] {
    [.int(count), .int(offset)]
      + ([theta, components, moves, costs, fault] + batch).map(KernelArgument.buffer)
  }
}

extension Buffer {
  /// A copy of a tensor in the type that the user's text declares. Throws an `InputError` with the
  /// index where an element is no such number.
  fileprivate convenience init(
    _ context: Context, _ tensor: Tensor, as element: CostSignature.Element, _ precision: Precision
  ) throws {
    func whole<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) throws -> [Number] {
      try tensor.values.enumerated().map { at, value in
        guard let number = Number(exactly: value) else {
          throw InputError(
            "found \(value), expected a whole number that \(element.rawValue) holds",
            index: tensor.index(ofFlat: at), remedy: "correct it, or declare the buffer real")
        }
        return number
      }
    }
    switch element {
    case .real: try self.init(context, reals: tensor.values, precision)
    case .float: try self.init(context, reals: tensor.values, .f32)
    case .double: try self.init(context, reals: tensor.values, .f64)
    case .char: try self.init(context, elements: whole(Int8.self))
    case .uchar: try self.init(context, elements: whole(UInt8.self))
    case .short: try self.init(context, elements: whole(Int16.self))
    case .ushort: try self.init(context, elements: whole(UInt16.self))
    case .int: try self.init(context, elements: whole(Int32.self))
    case .uint: try self.init(context, elements: whole(UInt32.self))
    case .long: try self.init(context, elements: whole(Int64.self))
    case .ulong: try self.init(context, elements: whole(UInt64.self))
    }
  }
}
