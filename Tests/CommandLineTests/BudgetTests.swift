import Testing

/// `--budget`, `--full`, and what a sample says of itself.
@Suite struct BudgetTests {
  private static let digits = [
    "check", "examples/digits/model.json", "--batch", "examples/digits/batch.npz",
    "--parameters", "examples/digits/parameters.npz",
    "--gradient", "examples/digits/gradient.npz", "--device", "cpu",
  ]

  @Test("A check beyond its budget ends with one line that says what to do; --full insists")
  func budget() throws {
    // Slow enough for more than one look at its pace.
    let short = Self.digits + ["--evaluator", "textbook", "--budget", "0.000001"]
    let end = try Program.run(short)
    #expect(end.status == 2 && end.output.isEmpty)
    #expect(end.errors.split(separator: "\n").count == 1, "\(end.errors)")
    for words in ["would take about", "--budget allows 0.1 ms", "use --full to insist"] {
      #expect(end.errors.contains(words), "\(end.errors)")
    }
    let full = try Program.run(short + ["--full"])
    #expect(full.status == 0 && full.errors.isEmpty, "\(full.errors)")
  }

  @Test("Times that are none", arguments: ["0", "-1", "ten", "5 days", "1e400", ""])
  func times(_ text: String) throws {
    let end = try Program.run(Self.digits + ["--budget", text])
    #expect(end.status == 2)
    #expect(end.errors.contains("expected a time such as 90, 10min or 2h"), "\(end.errors)")
  }

  @Test("Times with units", arguments: ["90", "90s", "10m", "10min", "1.5h"])
  func units(_ text: String) throws {
    #expect(try Program.run(Self.digits + ["--budget", text]).status == 0)
  }

  @Test("A sample says what it would have caught, in text and JSON")
  func sample() throws {
    let sampled = Self.digits + ["--sample", "200"]
    let text = try Program.run(sampled).output
    #expect(text.contains("with probability 0.99"), "\(text)")
    let report = try Program.run(sampled + ["--format", "json"]).object()
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    let shares = tensors.compactMap { $0["detectableShare"] as? Double }
    #expect(shares.count == tensors.count)
    #expect(shares.allSatisfy { $0 > 0 && $0 <= 1 })
  }
}
