import Foundation
import GPUCheck
import Kernels
import Testing

/// Devices that share lanes, and what becomes of a check when one of them goes wrong.
@Suite("A pool of devices") struct LanePoolTests {
  private static let graph = Result { try NetworkFixture.named("activation-tanh").problem() }

  private func problem() throws -> Problem { try Self.graph.get() }

  private func evaluator(_ precision: Precision = .f64, mode: LaneMode = .difference) throws
    -> any LaneEvaluator
  {
    let problem = try problem()
    let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
    return try CPUBackend().prepare(baseline, mode: mode, precision: precision, tieRoundoff: 0)
  }

  /// Two lanes for every component of every segment.
  private func batches() throws -> [LaneBatch] {
    try problem().graph.layout.segments.enumerated().map { number, part in
      LaneBatch(
        segment: number, components: (0..<part.count).flatMap { [Int32($0), Int32($0)] },
        moves: (0..<part.count).flatMap { _ in [1e-5, -1e-5] })
    }
  }

  private func values(_ pool: LanePool, _ batches: [LaneBatch]) throws -> [[UInt64]] {
    var lanes = 0
    let results = try pool.evaluate(batches) { lanes += $0 }
    #expect(lanes == batches.reduce(0) { $0 + $1.count })
    return results.map { $0.values.map(\.bitPattern) }
  }

  @Test("A watched device says how many lanes take no longer than one, as the device itself does")
  func watchedUnit() throws {
    let problem = try problem()
    let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
    let device = try TestBackend.pocl.open()
    let prepare = { (backend: any Backend) in
      try backend.prepare(baseline, mode: .difference, precision: .f64, tieRoundoff: 0)
    }
    let unit = try prepare(device).laneUnit
    #expect(unit > 1)
    let watched = WatchedBackend(device, Watchdog(device: "the device", limit: 60))
    #expect(try prepare(watched).laneUnit == unit)
  }

  @Test("Whoever does what, every lane gives the same bits", arguments: 1...6)
  func sharing(count: Int) throws {
    let batches = try batches()
    let alone = try values(LanePool(evaluator()), batches)
    let workers = try (0..<count).map { number in
      LaneWorker(
        Stand(evaluator: try evaluator(), wanted: 1 + 7 * number, delay: 1e-4 * Double(number)),
        name: "\(number)")
    }
    let pool = LanePool(workers, mode: .difference, precision: .f64)
    #expect(try values(pool, batches) == alone)
    #expect(pool.notes.isEmpty)
    #expect(pool.shares.reduce(0) { $0 + $1.lanes } == batches.reduce(0) { $0 + $1.count })
  }

  @Test("Batches grow to what a device does in a tenth of a second, and no further")
  func pace() throws {
    let stand = Stand(evaluator: try evaluator(), wanted: 1 << 20, secondsPerLane: 2e-4)
    let batch = LaneBatch(
      segment: 0, components: [Int32](repeating: 0, count: 3000),
      moves: [Double](repeating: 1e-5, count: 3000))
    _ = try LanePool(stand).evaluate([batch])
    let sizes = stand.batches
    #expect(sizes.first == 256 && sizes.reduce(0, +) == 3000)
    #expect(sizes.dropFirst().dropLast().allSatisfy { (150...500).contains($0) }, "\(sizes)")
  }

  @Test("A device that fails is left, and the others do its lanes", arguments: [0, 1, 5])
  func failing(after calls: Int) throws {
    let batches = try batches()
    let alone = try values(LanePool(evaluator()), batches)
    let bad = Stand(evaluator: try evaluator(), wanted: 3, fault: .status(after: calls))
    // Not before the bad one has failed: otherwise it might have done everything.
    let good = Stand(evaluator: try evaluator(), wanted: 2) { bad.batches.count > calls }
    let pool = LanePool(
      [LaneWorker(bad, name: "bad"), LaneWorker(good, name: "good")], mode: .difference,
      precision: .f64)
    #expect(try values(pool, batches) == alone)
    #expect(pool.notes.count == 1)
    #expect(pool.notes.first?.contains("bad failed (clFinish: CL_OUT_OF_RESOURCES") == true)
    // It is not asked again.
    #expect(try values(pool, batches) == alone)
    #expect(pool.notes.count == 1)
  }

  @Test("Where none is left the spare steps in, or the error is the check's")
  func spare() throws {
    let batches = try batches()
    let alone = try values(LanePool(evaluator()), batches)
    func workers() throws -> [LaneWorker] {
      try (0..<2).map {
        LaneWorker(
          Stand(evaluator: try evaluator(), wanted: 2, fault: .status(after: $0)), name: "bad")
      }
    }
    let cpu = try evaluator()
    let pool = LanePool(
      try workers(), mode: .difference, precision: .f64, spare: { LaneWorker(cpu, name: "CPU") })
    #expect(try values(pool, batches) == alone)
    #expect(pool.notes.count == 3)
    #expect(pool.notes.last?.contains("were evaluated on CPU") == true)

    let strict = LanePool(try workers(), mode: .difference, precision: .f64)
    #expect(throws: OpenCLError.self) { try strict.evaluate(batches) }
  }

  @Test("A device that hangs is left after the stated time")
  func hanging() throws {
    let batches = try batches()
    let alone = try values(LanePool(evaluator()), batches)
    let problem = try problem()
    let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
    let watchdog = Watchdog(device: "the device", limit: 0.3)
    let hanging = WatchedBackend(
      StandBackend { Stand(evaluator: $0, wanted: 4, fault: .hang(after: 3)) }, watchdog)
    let evaluator = try hanging.prepare(
      baseline, mode: .difference, precision: .f64, tieRoundoff: 0)
    let cpu = try self.evaluator()
    let pool = LanePool(
      [LaneWorker(evaluator, name: "the device")], mode: .difference, precision: .f64,
      spare: { LaneWorker(cpu, name: "CPU") })
    let start = ContinuousClock.now
    #expect(try values(pool, batches) == alone)
    #expect((ContinuousClock.now - start) / .seconds(1) < 10)
    #expect(watchdog.hasLeftDevice)
    #expect(pool.notes.first?.contains("the device did not answer for 0.30 s") == true)
    // A device that was left is not waited for again.
    let again = ContinuousClock.now
    #expect(throws: DeviceHang.self) { try evaluator.evaluate(batches[0]) }
    #expect((ContinuousClock.now - again) / .seconds(1) < 0.2)
  }

  @Test("Whatever ends the report of progress ends the work", arguments: [1, 3])
  func cancelling(count: Int) throws {
    struct Enough: Error {}
    let batches = try batches()
    let workers = try (0..<count).map { _ in
      LaneWorker(Stand(evaluator: try evaluator(), wanted: 1, delay: 0.2), name: "")
    }
    let pool = LanePool(workers, mode: .difference, precision: .f64)
    #expect(throws: Enough.self) { try pool.evaluate(batches) { _ in throw Enough() } }
    #expect(pool.shares.reduce(0) { $0 + $1.lanes } < 20)
  }

  @Test(
    "One wrong launch is found and repeated; a device that stays wrong is left",
    arguments: LaneMode.allCases, Precision.allCases)
  func wrong(mode: LaneMode, precision: Precision) throws {
    var batches = try batches()
    if mode == .value {
      let problem = try problem()
      for (number, part) in problem.graph.layout.segments.enumerated() {
        let theta = problem.parameters[segment: number]
        batches[number] = batches[number].mapMoves { component, move in
          move + theta[part.offset + Int(component)]
        }
      }
    }
    batches = batches.map { $0.mapMoves { precision.rounded($1) } }
    let alone = try values(LanePool(evaluator(precision, mode: mode)), batches)
    for (fault, note) in [
      (Stand.Fault.wrongOnce(after: 2), "gave a wrong result once, and the right one again"),
      (.wrong(after: 2), "it computes wrongly: "),
    ] {
      let problem = try problem()
      let baseline = Baseline(graph: problem.graph, parameters: problem.parameters)
      let cpu = try evaluator(precision, mode: mode)
      let audit = LaneAudit(
        twin: cpu, layout: problem.graph.layout,
        scales: ErrorScales(baseline, at: nil).lanes,
        cost: baseline.cost, costDeviation: baseline.costVariance.squareRoot(), seed: 1)
      let bad = Stand(evaluator: try evaluator(precision, mode: mode), wanted: 8, fault: fault)
      let pool = LanePool(
        [LaneWorker(bad, name: "bad", audit: audit)], mode: mode, precision: precision,
        spare: { LaneWorker(cpu, name: "CPU") })
      #expect(try values(pool, batches) == alone, "\(fault)")
      #expect(pool.notes.first?.contains(note) == true, "\(pool.notes)")
    }
  }

  // MARK: Whole checks

  @Test(
    "A check goes on when its device fails, hangs or computes wrongly, and says so",
    arguments: Stand.Fault.all)
  func check(fault: Stand.Fault) throws {
    let problem = try problem()
    var wrong = problem
    wrong.gradient.values[3] *= 1.01
    for (problem, passes) in [(problem, true), (wrong, false)] {
      let backend = WatchedBackend(
        StandBackend { Stand(evaluator: $0, wanted: 16, fault: fault) },
        Watchdog(device: "stand", limit: 0.3))
      let report = try Checker(backend, mayFallBack: true).check(problem)
      #expect(report.passed == passes, "\(report)")
      #expect(report.textbookAgreement.passed)
      #expect(
        report.warnings.contains { $0.contains("stand") }, "\(fault): \(report.warnings)")
    }
  }

  @Test(
    "A check per unit goes on when its device fails, hangs or computes wrongly",
    arguments: Stand.Fault.all)
  func checkPerUnit(fault: Stand.Fault) throws {
    let problem = try problem()
    var wrong = problem
    // Not by what a wrong device is off.
    wrong.gradient.values[3] *= 1.03
    for (problem, passes) in [(problem, true), (wrong, false)] {
      let backend = WatchedBackend(
        StandBackend { Stand(evaluator: $0, wanted: 16, fault: fault) },
        Watchdog(device: "stand", limit: 0.3))
      let report = try PerUnitTests.check(problem, on: Checker(backend, mayFallBack: true)).report
      #expect(report.passed == passes, "\(report)")
      #expect(report.textbookAgreement.passed)
      if !fault.isWrongOnly {
        #expect(report.warnings.contains { $0.contains("stand") }, "\(report.warnings)")
        #expect(report.devices.contains { $0.name == CPUBackend().name && $0.lanes > 0 })
      }
    }
    // Where no other may take over the error is the check's.
    if case .status = fault {
      let stand = StandBackend { Stand(evaluator: $0, wanted: 16, fault: fault) }
      #expect(throws: OpenCLError.self) { try PerUnitTests.check(problem, on: Checker(stand)) }
    }
  }

  @Test("A limit on memory makes batches smaller, or is a line that says what is needed")
  func memory() throws {
    let problem = try problem()
    let device = try TestBackend.poclDevice()
    func check(_ limit: Int?) throws -> CheckReport {
      try Checker(OpenCLBackend(device, text: KernelText(), memoryLimit: limit)).check(problem)
    }
    let free = try check(nil)
    let tight = try check(200_000)
    #expect(tight.numeric.map(\.bitPattern) == free.numeric.map(\.bitPattern))
    #expect(throws: InputError.self) { try check(1_000) }
    var options = DeviceOptions(["cpu"])
    options.memoryLimit = 1_000
    let message = inputErrorMessage { try Checker(options).check(problem) }
    #expect(message.contains("of the host's memory, and 1000 bytes may be used"), "\(message)")
  }
}

/// An evaluator with a fault.
final class Stand: LaneEvaluator, @unchecked Sendable {
  enum Fault: Sendable, Equatable {
    case none
    case status(after: Int)
    case hang(after: Int)
    case wrongOnce(after: Int)
    case wrong(after: Int)

    static let all: [Fault] = [0, 2].flatMap {
      [.status(after: $0), .hang(after: $0), .wrongOnce(after: $0), .wrong(after: $0)]
    }

    /// Whether every call comes back, with a result that is wrong at most.
    var isWrongOnly: Bool {
      switch self {
      case .none, .wrongOnce, .wrong: true
      case .status, .hang: false
      }
    }
  }

  private let evaluator: any LaneEvaluator
  private let wanted: Int
  private let delay: Double
  private let fault: Fault
  private let lock = NSLock()
  private let secondsPerLane: Double
  private let isReady: @Sendable () -> Bool
  private var sizes: [Int] = []

  init(
    evaluator: any LaneEvaluator, wanted: Int, delay: Double = 0, secondsPerLane: Double = 0,
    fault: Fault = .none, waitsFor isReady: @escaping @Sendable () -> Bool = { true }
  ) {
    self.evaluator = evaluator
    self.wanted = wanted
    self.delay = delay
    self.secondsPerLane = secondsPerLane
    self.isReady = isReady
    self.fault = fault
  }

  var mode: LaneMode { evaluator.mode }
  var precision: Precision { evaluator.precision }

  /// The sizes of the batches that came.
  var batches: [Int] { lock.withLock { sizes } }

  func wantedLanes(segment: Int) -> Int { wanted }

  func evaluate(_ batch: LaneBatch) throws -> LaneResults {
    var results = try evaluator.evaluate(batch)
    if try goesWrong(batch) { results.values = results.values.map { $0 * 1.01 + 1e-6 } }
    return results
  }

  func evaluateTerms(_ batch: LaneBatch) throws -> TermResults {
    var results = try evaluator.evaluateTerms(batch)
    if try goesWrong(batch) {
      results.values = results.values.map { $0.map { $0 * 1.01 + 1e-6 } }
    }
    return results
  }

  /// Plays the fault of a call; whether its results are to be wrong.
  private func goesWrong(_ batch: LaneBatch) throws -> Bool {
    let call = lock.withLock {
      sizes.append(batch.count)
      return sizes.count - 1
    }
    let deadline = ContinuousClock.now + .seconds(60)
    while !isReady(), ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 1e-3) }
    let pause = delay + secondsPerLane * Double(batch.count)
    if pause > 0 { Thread.sleep(forTimeInterval: pause) }
    switch fault {
    case .status(let after) where call >= after: throw OpenCLError(call: "clFinish", status: -5)
    case .hang(let after) where call >= after: Thread.sleep(forTimeInterval: 600)
    case .wrongOnce(let after) where call == after, .wrong(let after) where call >= after:
      return true
    default: break
    }
    return false
  }
}

/// The CPU, seen through a stand.
private struct StandBackend: Backend {
  let name = "stand"
  let supportsDouble = true
  let stand: @Sendable (any LaneEvaluator) -> any LaneEvaluator

  init(_ stand: @escaping @Sendable (any LaneEvaluator) -> any LaneEvaluator) {
    self.stand = stand
  }

  func build(_ graph: Graph, mode: LaneMode, precision: Precision, components: Int) {}

  func prepare(
    _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
  ) throws -> any LaneEvaluator {
    stand(
      try CPUBackend().prepare(
        baseline, mode: mode, precision: precision, tieRoundoff: tieRoundoff))
  }
}
