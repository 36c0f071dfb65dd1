import Dispatch
import Kernels

/// The devices that are still in a check, from its first call into a driver on. One that fails is
/// left, with a note; where none is left the CPU steps in.
struct DeviceCrew {
  private(set) var backends: [any Backend]
  /// Whether a device may be left rather than ending the check.
  let mayFallBack: Bool
  private var failures: [String] = []

  /// What a report must say of it.
  var notes: [String] { failures + backends.flatMap(\.notes) }

  init(_ backends: [any Backend], mayFallBack: Bool) {
    self.backends = backends
    self.mayFallBack = mayFallBack
  }

  /// Takes every device through a step of the set-up, and keeps those that come through. What is not
  /// a device's failure ends the check.
  mutating func keep<Result>(
    _ step: (any Backend) throws -> Result
  ) throws -> [(backend: any Backend, result: Result)] {
    var kept: [(backend: any Backend, result: Result)] = []
    for backend in backends {
      do {
        kept.append((backend, try step(backend)))
      } catch let error where mayFallBack && (error is OpenCLError || error is DeviceHang) {
        failures.append("\(backend.name) failed (\(errorLine(error))) and was left")
      }
    }
    if kept.isEmpty {
      let cpu = CPUBackend()
      failures.append("the check ran on the \(cpu.name)")
      kept.append((cpu, try step(cpu)))
    }
    backends = kept.map(\.backend)
    return kept
  }

  /// A pool of all devices. Where the CPU may take over, its lanes look some of every batch over
  /// (`audit`) and step in when no device is left.
  mutating func pool(
    _ mode: LaneMode, _ precision: Precision, journal: (any LaneJournal)?,
    prepare: @escaping @Sendable (any Backend) throws -> any LaneEvaluator,
    audit: (any LaneEvaluator) throws -> LaneAudit
  ) throws -> LanePool {
    // Operator by operator: no shortcut that a device takes is taken by who looks it over.
    let cpu = CPUBackend(takesChains: false)
    let twin =
      mayFallBack && !backends.allSatisfy { $0 is CPUBackend }
      ? Upcoming { try prepare(cpu) } : nil
    let ready = try keep(prepare)
    let names = Self.distinct(ready.map(\.backend.name))
    guard let twin = try twin?.value(), !ready.allSatisfy({ $0.backend is CPUBackend }) else {
      return LanePool(
        zip(ready, names).map { LaneWorker($0.result, name: $1) }, mode: mode,
        precision: precision, journal: journal)
    }
    let auditor = try audit(twin)
    return LanePool(
      zip(ready, names).map {
        LaneWorker($0.result, name: $1, audit: $0.backend is CPUBackend ? nil : auditor)
      },
      mode: mode, precision: precision, spare: { LaneWorker(twin, name: cpu.name) },
      journal: journal)
  }

  /// Names with a number before those that stand more than once.
  private static func distinct(_ names: [String]) -> [String] {
    var seen: [String: Int] = [:]
    return names.map { name in
      guard names.filter({ $0 == name }).count > 1 else { return name }
      seen[name, default: 0] += 1
      return "#\(seen[name, default: 0]) \(name)"
    }
  }
}

/// An evaluator that is made on another thread while this one goes on.
///
/// `@unchecked Sendable`: the result is written before the group is left, and read after.
private final class Upcoming: @unchecked Sendable {
  private let making = DispatchGroup()
  private var result: Result<any LaneEvaluator, any Error>?

  init(_ make: @escaping @Sendable () throws -> any LaneEvaluator) {
    DispatchQueue.global().async(group: making) { self.result = Result { try make() } }
  }

  /// Waits for it. Nil only before it was begun.
  func value() throws -> (any LaneEvaluator)? {
    making.wait()
    return try result?.get()
  }
}
