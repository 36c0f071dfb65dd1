import Foundation
import Kernels

/// A cost that the user compiled into a library, `gpucheck_cost` of include/gpucheck.h. It runs in
/// processes of its own, one for each core.
package struct LibraryCost: Sendable {
  /// The program that answers `cost-worker`: gpucheck itself.
  package let program: URL
  /// The library, by its absolute path.
  package let path: String
  /// A file for the library to read, handed over by name.
  package let batch: String?
  /// How long one evaluation may take.
  package let seconds: Double

  /// Throws an `InputError` where there are no such files.
  package init(program: URL, path: String, batch: String? = nil, seconds: Double = 60) throws {
    for file in [path] + (batch.map { [$0] } ?? []) { _ = try InputFile.read(file) }
    // What the system is given without a slash it looks for elsewhere.
    self.path = URL(fileURLWithPath: path).path
    self.program = program
    self.batch = batch
    self.seconds = seconds
  }

  /// The cost at θ, with a process for each core. Throws an `InputError` where that takes more memory
  /// than may be used.
  package func cost(
    at parameters: ParameterVector,
    processes: Int = HostCores.count, memoryLimit: Int? = nil
  ) throws -> UserCost {
    // θ twice in every process, and what the check knows of every component.
    let needed = (2 * processes + 16) * MemoryLayout<Double>.size * parameters.values.count
    if let memoryLimit, needed > memoryLimit {
      throw InputError(
        "this check needs about \(TextFormat.bytes(needed)) of the host's memory, the library's own "
          + "apart, and \(TextFormat.bytes(memoryLimit)) may be used",
        remedy: "allow more with --memory")
    }
    // Writing to a process that is gone is an answer, and not the end of this one.
    signal(SIGPIPE, SIG_IGN)
    let losses = LossLog()
    let evaluators = (0..<max(1, processes)).map { _ in
      LibraryEvaluator(
        library: self, layout: parameters.layout, theta: parameters.values, losses: losses)
    }
    let name = URL(fileURLWithPath: path).lastPathComponent
    return UserCost(
      evaluators: evaluators,
      name: "library \(name), \(TextFormat.count(evaluators.count, "core"))",
      files: [path] + (batch.map { [$0] } ?? []), losses: losses)
  }
}

/// Lanes of a user's library in one process, which is replaced when it ends.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
private final class LibraryEvaluator: LaneEvaluator, @unchecked Sendable {
  var mode: LaneMode { .value }
  var precision: Precision { .f64 }
  private let library: LibraryCost
  private let layout: ParameterLayout
  private let theta: [Double]
  private let losses: LossLog
  private let lock = NSLock()
  private var process: CostProcess?

  /// Evaluations that are on their way at a time.
  private static let window = 64

  init(library: LibraryCost, layout: ParameterLayout, theta: [Double], losses: LossLog) {
    self.library = library
    self.layout = layout
    self.theta = theta
    self.losses = losses
  }

  func wantedLanes(segment: Int) -> Int { 1 << 14 }

  func evaluate(_ batch: LaneBatch) throws -> LaneResults {
    try lock.withLock {
      var results = LaneResults(
        values: [Double](repeating: .nan, count: batch.count),
        flags: [LaneFlags](repeating: [], count: batch.count))
      var next = 0
      while next < batch.count {
        try run(batch, &next, &results)
      }
      return results
    }
  }

  /// Whether a lane moves a component in which an evaluation was lost: once is enough.
  private func isLost(_ component: Int, _ move: Double) -> Bool {
    losses.reason(component) != nil && move != theta[component]
  }

  /// Some lanes from `next` on, up to one that is lost.
  private func run(_ batch: LaneBatch, _ next: inout Int, _ results: inout LaneResults) throws {
    let offset = layout.segments[batch.segment].offset
    func component(_ lane: Int) -> Int { offset + Int(batch.lane(lane).component) }
    func isLost(_ lane: Int) -> Bool { self.isLost(component(lane), batch.lane(lane).move) }
    guard !isLost(next) else {
      results.flags[next] = .lost
      next += 1
      return
    }
    let window = next..<min(next + Self.window, batch.count)
    let range = next..<(window.first(where: isLost) ?? window.upperBound)
    let process = try process ?? CostProcess(library, theta: theta)
    self.process = process
    process.ask(range.map { (UInt64(component($0)), batch.lane($0).move.bitPattern) })
    do {
      while next < range.upperBound {
        let (value, changed) = try process.cost()
        guard let value else { throw wroteTheta(changed) }
        losses.noteAnswer()
        results.values[next] = value
        next += 1
      }
    } catch let end as CostProcess.Ending {
      self.process = nil
      results.flags[next] = .lost
      let moved = "\(end.reason), with this parameter at \(batch.lane(next).move)"
      try losses.noteLoss(of: component(next), moved, isHang: end.isHang)
      next += 1
    }
  }

  private func wroteTheta(_ component: Int) -> InputError {
    process = nil
    let (segment, at) = layout.locate(min(component, layout.count - 1))
    let part = layout.segments[segment]
    return InputError(
      "gpucheck_cost changed this parameter, which is const", file: library.path, tensor: part.name,
      index: unravel(at, shape: part.shape), remedy: "let it work on a copy of θ")
  }
}
