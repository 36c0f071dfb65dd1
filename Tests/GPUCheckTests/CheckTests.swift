import Foundation
import GPUCheck
import Kernels
import Testing

/// The checkers that every table of checks runs on, opened once.
enum TestCheckers {
  static let cpu = Checker(CPUBackend())
  /// PoCL; a machine without it fails the tests that ask for it, since `make test` installs it.
  private static let pocl = open(withoutDouble: false)
  private static let poclWithoutDouble = open(withoutDouble: true)
  /// One lane a work-item: the kernels as GPUs run them.
  private static let poclScalar = open(withoutDouble: false, vectorWidth: 1)

  private static func open(
    withoutDouble: Bool, vectorWidth: Int? = nil
  ) -> Result<OpenCLBackend, any Error> {
    Result {
      let devices = Devices.all(withoutDouble: withoutDouble).devices
      let device = try #require(
        devices.first { $0.description.kind == .cpu && !$0.isSimulator },
        "no OpenCL CPU device: install PoCL")
      var choice = KernelChoice()
      choice.vectorWidth = vectorWidth
      return try OpenCLBackend(device, text: KernelText(), cache: nil, choice: choice)
    }
  }

  enum Name: String, CaseIterable, Sendable {
    case cpu, pocl, poclWithoutDouble, poclScalar

    func checker() throws -> Checker { Checker(try backend()) }

    func backend() throws -> any Backend {
      switch self {
      case .cpu: CPUBackend()
      case .pocl: try TestCheckers.pocl.get()
      case .poclWithoutDouble: try TestCheckers.poclWithoutDouble.get()
      case .poclScalar: try TestCheckers.poclScalar.get()
      }
    }

    var precisions: [PrecisionChoice] { self == .poclWithoutDouble ? [.f32] : [.f64, .f32] }
  }
}

@Suite("Checks of whole networks")
struct CheckTests {
  private func options(
    _ evaluator: Evaluator, _ precision: PrecisionChoice = .auto, _ scheme: Scheme = .central,
    epsilon: Double? = nil
  ) -> CheckOptions {
    var options = CheckOptions()
    options.evaluator = evaluator
    options.precision = precision
    options.scheme = scheme
    options.epsilon = epsilon
    return options
  }

  private func expectPass(_ report: CheckReport, _ what: String) {
    #expect(
      report.passed && report.textbookAgreement.passed,
      """
      \(what): \(report.verdict), distance \(report.relativeDifference), floor \
      \(report.noiseFloor), \(report.wrong) wrong, agreement \(report.textbookAgreement), \
      worst \(report.worst.first.map { "\($0)" } ?? "none"), warnings \(report.warnings)
      """)
  }

  @Test(
    "A right gradient passes, computed in float64 or in float32 throughout",
    arguments: NetworkFixture.all, TestCheckers.Name.allCases)
  func right(fixture: NetworkFixture, backend: TestCheckers.Name) throws {
    let checker = try backend.checker()
    for file in ["gradient.npz", "gradient-f32.npz"] {
      let problem = try fixture.problem(gradient: fixture.path(file))
      for precision in backend.precisions {
        for scheme in Scheme.allCases {
          let report = try checker.check(problem, options(.difference, precision, scheme))
          expectPass(report, "\(fixture.name) \(file) \(backend) \(precision) \(scheme)")
        }
        let far = try checker.check(problem, options(.difference, precision, epsilon: 1e-2))
        expectPass(far, "\(fixture.name) \(file) \(backend) \(precision) ε = 0.01")
      }
    }
  }

  @Test("The textbook passes them too", arguments: NetworkFixture.all)
  func textbook(fixture: NetworkFixture) throws {
    let report = try TestCheckers.cpu.check(fixture.problem(), options(.textbook))
    expectPass(report, fixture.name)
  }

  @Test(
    "Subtracting costs passes, or says that it cannot tell", arguments: NetworkFixture.all,
    [TestCheckers.Name.cpu, .pocl])
  func direct(fixture: NetworkFixture, backend: TestCheckers.Name) throws {
    let report = try backend.checker().check(fixture.problem(), options(.direct, .f64))
    if report.verdict != .undecidable { expectPass(report, "\(fixture.name) \(backend)") }
    #expect(report.wrong == 0)
  }

  @Test(
    "A tensor whose gradient is wrong is named, and no other", arguments: NetworkFixture.all)
  func wrongTensor(fixture: NetworkFixture) throws {
    let right = try fixture.problem()
    for (number, part) in right.gradient.layout.segments.enumerated() {
      let values = right.gradient[segment: number]
      let size = values.map(\.magnitude).max() ?? 0
      // Nothing can be told of tensors whose gradient is rounding noise.
      guard size > 1e-6 else { continue }
      var problem = right
      for i in part.range { problem.gradient.values[i] *= 1.01 }
      let report = try TestCheckers.cpu.check(problem, options(.difference))
      #expect(!report.passed)
      // Ties leave room between their slopes; everything else is one percent off.
      for tensor in report.tensors where tensor.kinks == 0 {
        #expect(tensor.passed == (tensor.name != part.name), "\(fixture.name) \(tensor.name)")
      }
    }
  }

  @Test(
    "Bars are sharp: their median is at most 30 times the actual error",
    arguments: ["gradient.npz", "gradient-f32.npz"], TestCheckers.Name.allCases)
  func sharpBars(file: String, backend: TestCheckers.Name) throws {
    for network in [HandWrittenNetwork([20, 16, 4]), HandWrittenNetwork([10, 24, 24, 5])] {
      let exact = network.gradient
      let isSingle = file == "gradient-f32.npz"
      let given = isSingle ? exact.map { Double(Float($0)) } : exact
      let problem = try network.problem(gradient: given)
      for precision in backend.precisions {
        let report = try backend.checker().check(problem, options(.difference, precision))
        expectPass(report, "\(backend) \(precision)")
        let errors = zip(report.numeric, exact).map { ($0 - $1).magnitude }.sorted()
        let bars = report.uncertainty.sorted()
        let ratio = bars[bars.count / 2] / errors[errors.count / 2]
        // A gradient that was only rounded to float32 has less error than one computed in it.
        if !isSingle { #expect(ratio < 30, "\(backend) \(precision): \(ratio)") }
        #expect(ratio > 1)
      }
    }
  }

  @Test("One wrong component among 100,000 fails the check where the norm hides it")
  func needle() throws {
    let network = HandWrittenNetwork([784, 128, 10], batch: 8)
    var gradient = network.gradient
    let rms = (gradient.reduce(0) { $0 + $1 * $1 } / Double(gradient.count)).squareRoot()
    let problem = try network.problem(gradient: gradient)
    let right = try TestCheckers.cpu.check(problem, options(.difference))
    expectPass(right, "right")
    #expect(right.relativeDifference < 1e-9)
    let component = 54_321
    gradient[component] += 1e-6 * rms
    let report = try TestCheckers.cpu.check(
      network.problem(gradient: gradient), options(.difference))
    #expect(!report.passed)
    #expect(report.relativeDifference < 1e-7, "the norm hides it")
    #expect(report.wrong == 1)
    #expect(report.worst.first?.tensor == "W1")
    #expect(report.worst.first?.index == [component / 784, component % 784])
  }

  @Test("A float32 gradient's component off by 1e-3 of its tensor is caught", arguments: 0..<4)
  func needleInSingle(segment: Int) throws {
    let network = HandWrittenNetwork([30, 20, 6])
    var gradient = network.gradient.map { Double(Float($0)) }
    let problem = try network.problem(gradient: gradient, elementType: .float32)
    expectPass(try TestCheckers.cpu.check(problem, options(.difference)), "right")
    let part = problem.gradient.layout.segments[segment]
    let sum = gradient[part.range].reduce(0) { $0 + $1 * $1 }
    gradient[part.offset + part.count / 2] += 1e-3 * (sum / Double(part.count)).squareRoot()
    let wrong = try TestCheckers.cpu.check(
      network.problem(gradient: gradient, elementType: .float32), options(.difference))
    #expect(wrong.tensors.filter { !$0.passed }.map(\.name) == [part.name])
    #expect(wrong.wrong == 1)
  }

  @Test(
    "A right gradient of a ReLU network passes at every step", arguments: [1e-2, 1e-3, 1e-4, nil],
    TestCheckers.Name.allCases)
  func kinks(epsilon: Double?, backend: TestCheckers.Name) throws {
    let network = HandWrittenNetwork([24, 32, 16, 5], relu: true, batch: 48)
    let problem = try network.problem()
    for precision in backend.precisions {
      let report = try backend.checker().check(
        problem, options(.difference, precision, epsilon: epsilon))
      expectPass(report, "\(backend) \(precision) \(epsilon ?? 0)")
      if let epsilon, epsilon >= 1e-3 {
        #expect(report.kinks.crossed > 0)
        #expect(report.tensors.map(\.kinks).reduce(0, +) == report.kinks.crossed)
      }
    }
  }

  @Test("A float32 gradient in disguise is wrong, with a hint; a real bug has none")
  func disguisedSingle() throws {
    let network = HandWrittenNetwork([30, 20, 6])
    // Scaled in float64 afterwards, so that nothing tells it from a float64 gradient.
    let disguised = network.gradient.map { Double(Float($0)) * (1 + 1e-13) }
    let report = try TestCheckers.cpu.check(
      network.problem(gradient: disguised), options(.difference))
    #expect(!report.passed)
    #expect(report.warnings.contains { $0.contains("save it as float32") })
    let bug = network.gradient.map { $0 * 1.001 }
    let other = try TestCheckers.cpu.check(network.problem(gradient: bug), options(.difference))
    #expect(!other.passed)
    #expect(!other.warnings.contains { $0.contains("float32") })
  }

  @Test("NaN and infinity in dθ are wrong components, and the distance is no number")
  func nonFinite() throws {
    let network = HandWrittenNetwork([6, 5, 3])
    for bad in [Double.nan, .infinity, -.infinity] {
      var gradient = network.gradient
      gradient[7] = bad
      let report = try TestCheckers.cpu.check(
        network.problem(gradient: gradient), options(.difference))
      #expect(!report.passed)
      #expect(report.verdict == .wrong)
      #expect(report.wrong == 1)
      #expect(report.worst.first?.index == [1, 1])
    }
  }

  @Test("A cost that differs from the user's fails at once")
  func expectedCost() throws {
    let network = HandWrittenNetwork([6, 5, 3])
    let problem = try network.problem()
    var options = CheckOptions()
    let cost = try TestCheckers.cpu.check(problem).cost
    options.expectedCost = ExpectedCost(cost)
    #expect(try TestCheckers.cpu.check(problem, options).passed)
    options.expectedCost = ExpectedCost(String(format: "%.2f", cost))
    #expect(try TestCheckers.cpu.check(problem, options).passed)
    options.expectedCost = ExpectedCost(cost * 1.001)
    let report = try TestCheckers.cpu.check(problem, options)
    #expect(!report.passed)
    #expect(report.checked == 0)
    #expect(report.warnings.contains { $0.contains("cost") })
  }

  @Test("A sample takes some of every tensor")
  func sample() throws {
    let network = HandWrittenNetwork([30, 20, 6])
    var options = CheckOptions()
    options.sample = 50
    let report = try TestCheckers.cpu.check(network.problem(), options)
    expectPass(report, "sample")
    #expect((50...70).contains(report.checked))
    #expect(report.tensors.allSatisfy { $0.checked >= 4 })
    let shares = report.tensors.compactMap(\.detectableShare)
    let least = TextFormat.short(100 * (shares.min() ?? 0))
    #expect(shares.count == report.tensors.count)
    #expect(
      report.warnings.contains {
        $0.contains("sampled: a tensor with more than \(least) % (") && $0.contains("0.99")
      }, "\(report.warnings)")
    #expect(report.numeric.filter { $0.isNaN }.count == report.parameters - report.checked)
  }

  @Test("What noise hides is undecidable, and what would decide it is said")
  func undecidable() throws {
    let network = HandWrittenNetwork([6, 5, 3])
    let report = try TestCheckers.cpu.check(
      network.problem(), options(.direct, .f32, epsilon: 1e-6))
    #expect(report.verdict == .undecidable)
    #expect(!report.passed)
    #expect(report.warnings.contains { $0.contains("--evaluator difference") })
  }

  @Test("A step that changes nothing is refused")
  func stepTooSmall() throws {
    let network = HandWrittenNetwork([6, 5, 3])
    #expect(throws: InputError.self) {
      try TestCheckers.cpu.check(network.problem(), options(.direct, .f32, epsilon: 1e-12))
    }
    let report = try TestCheckers.cpu.check(
      network.problem(), options(.difference, .f32, epsilon: 1e-12))
    expectPass(report, "difference does not mind")
  }
}

@Suite("The digits example")
struct DigitsTests {
  private struct Expected: Decodable {
    struct Gradient: Decodable {
      var wrong: [String]
    }
    var cost: Double
    var gradients: [String: Gradient]
  }

  /// Repository/examples/digits.
  private var folder: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("examples/digits")
  }

  @Test(
    "Right gradients pass within their distance, wrong ones name exactly the wrong tensors",
    arguments: ["", "trained"], TestCheckers.Name.allCases)
  func gradients(point: String, backend: TestCheckers.Name) throws {
    let here = point.isEmpty ? folder : folder.appendingPathComponent(point)
    let expected = try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: here.appendingPathComponent("expected.json")))
    #expect(expected.gradients.count >= 6)
    for (file, wanted) in expected.gradients.sorted(by: { $0.key < $1.key }) {
      let problem = try ProblemFiles.load(
        model: folder.appendingPathComponent("model.json").path,
        batch: folder.appendingPathComponent("batch.npz").path,
        parameters: here.appendingPathComponent("parameters.npz").path,
        gradient: here.appendingPathComponent(file).path)
      for precision in backend.precisions {
        var options = CheckOptions()
        options.precision = precision
        let report = try backend.checker().check(problem, options)
        let what = "\(point) \(file) \(backend) \(precision)"
        #expect((report.cost / expected.cost - 1).magnitude < 1e-13, "\(what)")
        #expect(report.tensors.filter { !$0.passed }.map(\.name) == wanted.wrong, "\(what)")
        #expect(report.passed == wanted.wrong.isEmpty, "\(what)")
        #expect(report.textbookAgreement.passed, "\(what)")
        if file == "gradient.npz" {
          let limit = precision == .f64 ? 1e-9 : 1e-7
          #expect(report.relativeDifference <= limit, "\(what): \(report.relativeDifference)")
        }
      }
    }
  }

  @Test("The textbook's distance is at most 1e-7", arguments: ["", "trained"])
  func textbook(point: String) throws {
    let here = point.isEmpty ? folder : folder.appendingPathComponent(point)
    var options = CheckOptions()
    options.evaluator = .textbook
    let report = try TestCheckers.cpu.check(
      ProblemFiles.load(
        model: folder.appendingPathComponent("model.json").path,
        batch: folder.appendingPathComponent("batch.npz").path,
        parameters: here.appendingPathComponent("parameters.npz").path,
        gradient: here.appendingPathComponent("gradient.npz").path), options)
    #expect(report.passed)
    #expect(report.relativeDifference <= 1e-7)
  }
}
