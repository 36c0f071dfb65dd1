import GPUCheck
import Testing

/// What a sample would have caught, and how a check is held to its budget.
@Suite struct BudgetTests {
  /// By the definition: the ratio of two binomial coefficients.
  private func missed(_ wrong: Int, _ checked: Int, _ count: Int) -> Double {
    func choose(_ n: Int, _ k: Int) -> Double {
      guard k <= n else { return 0 }
      return (0..<k).reduce(1) { $0 * Double(n - $1) / Double($1 + 1) }
    }
    return choose(count - wrong, checked) / choose(count, checked)
  }

  @Test(
    "The share that a sample catches is the least that it catches",
    arguments: [(1, 1), (4, 10), (4, 128), (10, 10), (20, 100), (50, 60), (100, 500)])
  func detectable(_ checked: Int, _ count: Int) throws {
    for wrong in 0...count {
      let found = SampleConfidence.missed(wrong: wrong, checked: checked, of: count)
      let expected = missed(wrong, checked, count)
      #expect(abs(found - expected) <= 1e-12, "\(wrong): \(found) \(expected)")
    }
    let share = try #require(SampleConfidence.detectableShare(checked: checked, of: count))
    let wrong = Int((share * Double(count)).rounded())
    #expect(missed(wrong, checked, count) <= 0.01)
    #expect(missed(wrong - 1, checked, count) > 0.01)
  }

  @Test("Shares of large tensors, and of none")
  func large() throws {
    // n → ∞: (1 − p)^k = 0.01.
    let share = try #require(SampleConfidence.detectableShare(checked: 1000, of: 100_000_000))
    #expect(abs(share / 0.004594 - 1) < 1e-3, "\(share)")
    #expect(SampleConfidence.detectableShare(checked: 0, of: 5) == nil)
    #expect(SampleConfidence.detectableShare(checked: 0, of: 0) == nil)
  }

  private static let layout = ParameterLayout([
    ("W1", [1000, 100]), ("b1", [1000]), ("W2", [10, 1000]), ("b2", [10]),
  ])

  private func work(
    _ counts: [Int], _ scheme: Scheme = .central, isSample: Bool = false
  ) -> CheckWork {
    CheckWork(counts: counts, weights: [4, 2, 1, 0], scheme: scheme, isSample: isSample)
  }

  @Test("Work by hand: first differences, and those that measure truncation")
  func counted() {
    let all = work(Self.layout.segments.map(\.count))
    let first = 400_000.0 + 2000 + 10_000
    let again = 256.0 * 4 + 256 * 2 + 256
    #expect(abs(all.total - (first + again)) < 1)
    #expect(all.done(50_000) == 200_000)
    #expect(all.done(100_500) == 401_000)
    #expect(abs(all.done(1 << 40) - first) < 1)
    #expect(abs(work([4, 4, 4, 4], .forward).total - 56) < 1)
  }

  @Test(
    "The sample that fits is the largest in two digits", arguments: [60, 1000, 50_000, 400_000])
  func sample(_ limit: Double) throws {
    let all = work(Self.layout.segments.map(\.count))
    let sample = try #require(all.sample(of: Self.layout, within: limit))
    func total(_ sample: Int) -> Double {
      work(Self.layout.sampleCounts(sample), isSample: true).total
    }
    #expect(total(sample) <= limit)
    // A tenth more is too much.
    #expect(total(sample + sample / 10 + 2) > limit)
    #expect(all.sample(of: Self.layout, within: 10) == nil)
  }

  /// Sends components past a watch, so many a second.
  private func watch(_ rate: Double, budget: Double, directions: Bool = true) -> InputError? {
    let counts = Self.layout.segments.map(\.count)
    var watch = PaceWatch(
      budget: budget, { [work = work(counts)] in work }, Self.layout, hasDirections: directions)
    let step = 100
    do {
      for done in stride(from: step, through: Self.layout.count, by: step) {
        try watch.advance(step, seconds: 30 + Double(done) / rate)
      }
    } catch {
      return error as? InputError
    }
    return nil
  }

  @Test("A check that keeps to its budget goes on, another one ends early")
  func pace() throws {
    // 111,010 components, of which the first take most of the time.
    #expect(watch(400, budget: 600) == nil)
    let error = try #require(watch(100, budget: 600))
    #expect(error.problem.contains("would take about 17 min"), "\(error)")
    #expect(error.problem.contains("--budget allows 10 min"), "\(error)")
    let remedy = try #require(error.remedy)
    #expect(remedy.contains("--directional 2") && remedy.contains("--full to insist"))
    // 400 a second of work for 540 s.
    let words = try #require(remedy.split(separator: " ").dropFirst(2).first)
    let sample = try #require(Int(words.dropLast()))
    #expect(work(Self.layout.sampleCounts(sample), isSample: true).total <= 540 * 400)
    #expect(sample > 40_000)
    let none = try #require(watch(0.001, budget: 600, directions: false))
    #expect(none.remedy == "use --full to insist", "\(none)")
  }

  @Test("A check of a network ends by its budget, and names a sample that passes")
  func network() throws {
    let network = HandWrittenNetwork([40, 60, 30, 6])
    var options = CheckOptions()
    // Slow enough for more than one look at its pace.
    options.evaluator = .textbook
    options.budget = 1e-9
    let error = #expect(throws: InputError.self) {
      try TestCheckers.cpu.check(network.problem(), options)
    }
    #expect(error?.problem.contains("would take about") == true, "\(String(describing: error))")
    options.budget = 600
    #expect(try TestCheckers.cpu.check(network.problem(), options).passed)
  }

  @Test("A plan counts the lanes that a check sends")
  func plan() throws {
    let network = HandWrittenNetwork([30, 20, 6])
    var options = CheckOptions()
    for sample in [nil, 50] {
      options.sample = sample
      let problem = try network.problem()
      let plan = try #require(TestCheckers.cpu.plan(problem, options))
      let report = try TestCheckers.cpu.check(problem, options)
      #expect(plan.effort.components == report.checked)
      // Components outside their bars are looked at again.
      let sent = report.devices.reduce(0) { $0 + $1.lanes }
      #expect((plan.effort.lanes...plan.effort.lanes * 21 / 20).contains(sent))
      #expect(plan.line.contains("GFLOP") && plan.seconds > 0)
    }
    options.evaluator = .direct
    #expect(try TestCheckers.cpu.plan(network.problem(), options) == nil)
  }
}
