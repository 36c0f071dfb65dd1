import GPUCheck
import Kernels
import Testing

/// Devices, precisions and evaluators held against each other.
@Suite("Comparisons", .serialized) struct ComparerTests {
  private func compare(
    _ backends: [any Backend], on network: String = "activation-tanh",
    gradient: ParameterVector? = nil, _ change: (inout CompareOptions) -> Void = { _ in }
  ) throws -> GPUCheck.Comparison {
    let problem = try NetworkFixture.named(network).problem()
    var options = CompareOptions()
    change(&options)
    return try Comparer(backends).compare(
      problem.graph, at: problem.parameters, gradient: gradient, options)
  }

  // MARK: Agreement

  @Test(
    "Identical runs are at distance 0, in every measure",
    arguments: [Evaluator.difference, .direct])
  func identical(evaluator: Evaluator) throws {
    let comparison = try compare([CPUBackend(), CPUBackend()]) {
      $0.evaluators = [evaluator]
      $0.precisions = [.f64]
    }
    let pair = try #require(comparison.pair(0, 1))
    #expect(comparison.outcome == .agree)
    #expect(pair.relativeDifference == 0 && pair.outside == 0)
    #expect(pair.histogram.counts == [comparison.components.count])
    #expect(pair.largestAbsolute == nil && pair.largestRelative == nil && pair.largestULP == nil)
    #expect(pair.tensors.allSatisfy { $0.relativeDifference == 0 && $0.compared > 0 })
    #expect(comparison.runs[0].cost == comparison.runs[1].cost)
  }

  /// Every family of kernels, kinks, ties, both weight layouts, penalties and masks.
  static let families = [
    "activation-elu-0.7", "activation-gelu", "activation-relu", "activation-softmax",
    "cancelling-hinge",
    "dropout-mask", "l1-l2-everything-per-sample", "layout-in-out",
    "loss-binary-cross-entropy-mean-sum", "loss-huber-mean-sum", "loss-multiclass-hinge-mean",
    "saturated", "tied-relu", "trained",
  ]

  @Test(
    "On every network the CPU's four runs agree within their bars", arguments: NetworkFixture.all)
  func agreementOnCPU(fixture: NetworkFixture) throws {
    try expectAgreement([CPUBackend()], on: fixture.name, runs: 4)
  }

  @Test(
    "CPU and PoCL agree within their bars, in both precisions, by both evaluators",
    arguments: families)
  func agreementOfDevices(network: String) throws {
    try expectAgreement([CPUBackend(), TestBackend.pocl.open()], on: network, runs: 8)
  }

  private func expectAgreement(_ backends: [any Backend], on network: String, runs: Int) throws {
    let comparison = try compare(backends, on: network) { $0.evaluators = [.difference, .direct] }
    #expect(comparison.runs.count == runs)
    for (pair, component) in comparison.worst {
      Issue.record("runs \(pair.first) and \(pair.second ?? -1): \(component)")
    }
    #expect(comparison.outcome != .differ)
    for run in comparison.runs where run.evaluator == .difference {
      #expect(run.isDecidable && run.passed)
      let spacing = run.precision.unitRoundoff * comparison.cost.magnitude
      #expect((run.cost - comparison.cost).magnitude <= 64 * spacing, "\(run.precision)")
    }
  }

  // MARK: Disagreement

  /// The weights of the fourth input are given a slope that is too large by a factor.
  private func faulty(_ factor: String) throws -> any Backend {
    try TestBackend.open(
      kernels(
        "dense.cl", replacing: "STORE(d * gather(x, s * in_features, 1, k)",
        by: "STORE((INT_TO_MASK(k == (intv)(3)) ? d * (realv)(\(factor)) : d)"
          + " * gather(x, s * in_features, 1, k)"), takesChains: false)
  }

  @Test("A kernel that is wrong for some components is found, and they are named")
  func plantedFault() throws {
    let comparison = try compare([CPUBackend(), faulty("1.000000001")]) { $0.top = 1000 }
    #expect(comparison.outcome == .differ)
    let pair = try #require(comparison.pair(0, 2))
    #expect(comparison.runs[2].precision == .f64)
    #expect(pair.outside > 0)
    for component in pair.worst {
      #expect(component.tensor.hasPrefix("W") && component.index.last == 3, "\(component)")
      #expect((component.relative - 1e-9).magnitude < 1e-12)
    }
    let largest = try #require(pair.largestRelative)
    #expect(largest.index.last == 3)
    // The float32 run is off by less than rounding there, and the two right ones agree.
    #expect(comparison.pair(0, 1)?.outside == 0)
    #expect(comparison.pair(1, 3)?.outside == 0)
    // The textbook's costs are too rough to see 1e-9 of a slope; a fault of 1e-3 it sees.
    let coarse = try compare([CPUBackend(), faulty("1.001")])
    #expect(coarse.textbook.map { $0.outside > 0 } == [false, false, true, true])
    #expect(!coarse.runs[2].passed && coarse.runs[0].passed)
  }

  @Test("Bars too wide to tell are undecidable")
  func undecidable() throws {
    let comparison = try compare([CPUBackend()]) {
      $0.evaluators = [.direct]
      $0.epsilon = 1e-6
    }
    #expect(comparison.outcome == .undecidable)
    #expect(comparison.runs.map(\.isDecidable) == [true, false])
    #expect(comparison.runs[1].verdict == .undecidable)
  }

  @Test("Values that are not numbers lie outside every bar")
  func notNumbers() throws {
    let comparison = try compare([CPUBackend(), faulty("NAN")]) { $0.precisions = [.f64] }
    let pair = try #require(comparison.pair(0, 1))
    #expect(comparison.outcome == .differ)
    #expect(pair.histogram.notNumbers == pair.outside && pair.outside > 0)
    #expect(pair.relativeDifference.isNaN)
    #expect(pair.largestAbsolute?.index.last == 3)
    #expect(pair.largestULP?.ulp == nil)
  }

  // MARK: Verdicts

  @Test("With a gradient every run's verdict is that of a check")
  func verdicts() throws {
    let problem = try NetworkFixture.named("activation-tanh").problem()
    for (factor, passes) in [(1.0, true), (1.01, false)] {
      var gradient = problem.gradient
      gradient.values = gradient.values.map { $0 * factor }
      let comparison = try compare([CPUBackend()], gradient: gradient)
      #expect(comparison.hasGradient)
      #expect(comparison.runs.allSatisfy { $0.passed == passes })
      for run in comparison.runs {
        let distance = try #require(run.distanceToGradient)
        #expect(passes ? distance < 1e-6 : (distance - 0.005).magnitude < 1e-3)
        var options = CheckOptions()
        options.precision = run.precision == .f64 ? .f64 : .f32
        var judged = problem
        judged.gradient = gradient
        #expect(run.verdict == (try Checker(CPUBackend()).check(judged, options)).verdict)
      }
      // They all say the same.
      #expect(!comparison.verdictsDiffer && comparison.outcome == .agree)
    }
  }

  // MARK: Choices

  @Test("All runs take the largest step that any would take, a float32 number if one is in float32")
  func steps() throws {
    let rows: [([Evaluator], [PrecisionChoice], Double)] = [
      ([.difference], [.auto], Double(Float(1e-4))), ([.difference], [.f32], Double(Float(1e-4))),
      ([.difference, .direct], [.auto], Double(Float(4e-3))),
      ([.difference, .direct], [.f64], 1e-5),
    ]
    for (evaluators, precisions, epsilon) in rows {
      let comparison = try compare([CPUBackend(), CPUBackend()]) {
        $0.evaluators = evaluators
        $0.precisions = precisions
      }
      #expect(comparison.epsilon == epsilon)
    }
    #expect(try compare([CPUBackend()]) { $0.epsilon = 1e-3 }.epsilon == Double(Float(1e-3)))
  }

  @Test("The reference is the CPU in f64, else the first f64 run, else the first run")
  func reference() throws {
    let (pocl, single) = (try TestBackend.pocl.open(), try TestBackend.poclWithoutDouble.open())
    let rows: [([any Backend], [PrecisionChoice], Int)] = [
      ([pocl, CPUBackend()], [.auto], 2), ([single, pocl], [.auto], 1),
      ([single, CPUBackend()], [.f32], 0),
    ]
    for (backends, precisions, reference) in rows {
      let comparison = try compare(backends) { $0.precisions = precisions }
      #expect(comparison.reference == reference)
    }
  }

  @Test(
    "A sample is compared where one is asked for, and the textbook is asked about all of it"
  )
  func samples() throws {
    let comparison = try compare([CPUBackend()]) { $0.sample = 40 }
    #expect(comparison.components.count < comparison.layout.count)
    #expect(comparison.textbook.allSatisfy { $0.compared == comparison.components.count })
    #expect(comparison.pairs[0].tensors.allSatisfy { $0.compared >= 1 })
  }

  @Test("Kinks that all runs meet are the same, and counted")
  func kinks() throws {
    let comparison = try compare([CPUBackend(), TestBackend.pocl.open()], on: "tied-relu")
    #expect(comparison.runs.allSatisfy { $0.tied > 0 })
    #expect(comparison.uncommonKinks.isEmpty)
  }

  // MARK: Refusals

  @Test("Fewer than two runs, and a precision that a device has not, are refused")
  func refusals() throws {
    let rows: [([any Backend], [PrecisionChoice], String)] = [
      ([CPUBackend()], [.f64], "there is 1 run, expected at least 2 to compare"),
      ([try TestBackend.poclWithoutDouble.open(), CPUBackend()], [.f64], "has no double"),
    ]
    for (backends, precisions, message) in rows {
      let error = #expect(throws: InputError.self) {
        try compare(backends) { $0.precisions = precisions }
      }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
  }

  @Test(
    "A step that a precision cannot take is refused", arguments: [Evaluator.difference, .direct])
  func tinyStep(evaluator: Evaluator) throws {
    let error = #expect(throws: InputError.self) {
      try compare([CPUBackend()]) {
        $0.evaluators = [evaluator]
        $0.epsilon = 1e-60
      }
    }
    #expect(error?.problem.contains("does not change") == true)
  }

  @Test("A device that fails ends the comparison, and is named")
  func failure() throws {
    let error = #expect(throws: InputError.self) { try compare([CPUBackend(), Failing()]) }
    #expect(error?.problem.hasPrefix("Failing failed (") == true, "\(String(describing: error))")
  }

  /// A device that takes everything and evaluates nothing.
  private struct Failing: Backend {
    let name = "Failing"
    let supportsDouble = true
    func build(_ graph: Graph, mode: LaneMode, precision: Precision, components: Int) {}
    func prepare(
      _ baseline: Baseline, mode: LaneMode, precision: Precision, tieRoundoff: Double
    ) throws -> any LaneEvaluator { Lanes(mode: mode, precision: precision) }

    struct Lanes: LaneEvaluator {
      let mode: LaneMode
      let precision: Precision
      func wantedLanes(segment: Int) -> Int { 64 }
      func evaluate(_ batch: LaneBatch) throws -> LaneResults {
        throw OpenCLError(call: "clFinish", status: -5)
      }
    }
  }
}
