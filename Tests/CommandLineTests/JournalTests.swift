import Foundation
import GPUCheck
import Testing

/// Checks that keep a journal, and are ended before they are done.
@Suite(.serialized) struct JournalTests {
  private let folder: TemporaryFolder
  private var journal: String { folder["check.journal"] }

  init() throws { folder = try TemporaryFolder() }

  private func arguments(_ options: [String], gradient: String = "gradient.npz") -> [String] {
    let digits = "examples/digits"
    return [
      "check", "\(digits)/model.json", "--batch", "\(digits)/batch.npz",
      "--parameters", "\(digits)/parameters.npz", "--gradient", "\(digits)/\(gradient)",
      "--format", "json",
    ] + options
  }

  /// A report without what differs between any two runs: times, and what depends on them.
  private func result(_ end: Program.Ending) throws -> NSDictionary {
    var object = try end.object()
    for key in ["seconds", "devices", "recalled", "textbookAgreement"] {
      try #require(object.removeValue(forKey: key) != nil, "no \(key)")
    }
    return object as NSDictionary
  }

  private func recalled(_ end: Program.Ending) throws -> Int {
    try #require(try end.object()["recalled"] as? Int)
  }

  @Test(
    "Killed at random moments, the check goes on and ends with the same result",
    arguments: [
      (["--device", "cpu", "--evaluator", "textbook", "--sample", "300"], 100),
      (["--device", "cpu"], 50),
      (["--device", "Portable Computing Language", "--precision", "f32"], 50),
    ])
  func killed(options: [String], kills: Int) throws {
    let start = ContinuousClock.now
    let whole = try Program.run(arguments(options, gradient: "wrong-tanh-of-z.npz"))
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let expected = try result(whole)
    var random = SystemRandomNumberGenerator()
    var (killed, finished, known) = (0, 0, 0)
    while killed < kills || finished == 0 {
      let moment = Double.random(in: 0...1.2 * seconds, using: &random)
      let end = try Program.run(
        arguments(options + ["--journal", journal], gradient: "wrong-tanh-of-z.npz"),
        killAfter: moment)
      if end.wasKilled {
        killed += 1
        continue
      }
      #expect(end.status == 1, "\(end.errors)")
      #expect(try result(end) == expected)
      known += try recalled(end)
      finished += 1
      try FileManager.default.removeItem(atPath: journal)
    }
    #expect(known > 0, "no run went on from an earlier one")
  }

  @Test("After Ctrl-C the same command goes on; nothing is evaluated twice")
  func interrupted() throws {
    let options = [
      "--device", "cpu", "--evaluator", "textbook", "--sample", "600", "--journal", journal,
    ]
    var end = try Program.run(arguments(options), interruptAfter: 0.1)
    var interruptions = 0
    while end.status == 130, interruptions < 100 {
      end = try Program.run(arguments(options), interruptAfter: 0.1)
      interruptions += 1
    }
    #expect(end.status == 0 && interruptions > 0)
    let again = try Program.run(arguments(options))
    #expect(again.status == 0)
    let devices = try #require(try again.object()["devices"] as? [[String: Any]])
    #expect(devices.first?["lanes"] as? Int == 0)
    #expect(try recalled(again) > 1200)
  }

  @Test("A gradient that was mended is checked against what is already known")
  func mended() throws {
    let options = ["--device", "cpu", "--journal", journal]
    #expect(try Program.run(arguments(options, gradient: "wrong-no-mean.npz")).status == 1)
    let end = try Program.run(arguments(options))
    #expect(end.status == 0)
    #expect(try recalled(end) >= 4820)
  }

  @Test("A journal of another check is refused, and left as it is")
  func refused() throws {
    let own = ["--device", "cpu", "--journal", journal]
    #expect(try Program.run(arguments(own)).status == 0)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: journal))
    var batch = arguments(own)
    batch[3] = folder["batch.npz"]
    let problem = try TensorFile.read("\(Program.repository.path)/examples/digits/batch.npz")
    guard case .named(var tensors) = problem else {
      Issue.record("no named tensors")
      return
    }
    tensors["x"]?.values[5] += 1
    try TensorFile.write(tensors.map { ($0.key, $0.value) }, to: batch[3])
    var theta = arguments(own)
    theta[5] = "examples/digits/trained/parameters.npz"
    let table: [([String], String)] = [
      (batch, "the model or the batch"), (theta, "the parameters"),
      (arguments(own + ["--epsilon", "1e-4"]), "the options"),
      (arguments(own + ["--seed", "3"]), "the options"),
      (arguments(own + ["--precision", "f32"]), "the options"),
      (arguments(own + ["--evaluator", "direct"]), "the options"),
      (arguments(["--journal", journal, "--device", "Portable Computing"]), "the device"),
    ]
    for (arguments, says) in table {
      let end = try Program.run(arguments)
      #expect(end.status == 2 && end.output.isEmpty && end.errorLines.count == 1, "\(end)")
      #expect(end.errors.contains("the journal is of another check: "), "\(end.errors)")
      #expect(end.errors.contains(says), "\(end.errors)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: journal)) == bytes)
    }
  }

  @Test("What is no journal is refused; what is damaged is evaluated again")
  func damaged() throws {
    let options = ["--device", "cpu", "--journal", journal]
    let url = URL(fileURLWithPath: journal)
    for (text, says) in [
      ("θ\n", "this is not a journal"),
      ("gpucheck journal 9\n" + String(repeating: "x", count: 99), "another version"),
      (String(repeating: "1,2,3\n", count: 40), "this is not a journal"),
    ] {
      try Data(text.utf8).write(to: url)
      let end = try Program.run(arguments(options))
      #expect(end.status == 2 && end.errorLines.count == 1 && end.errors.contains(says), "\(end)")
      #expect(try Data(contentsOf: url) == Data(text.utf8))
    }
    try FileManager.default.removeItem(at: url)
    let expected = try result(try Program.run(arguments(options)))
    let good = try Data(contentsOf: url)
    var random = SystemRandomNumberGenerator()
    for round in 0..<30 {
      var bad = good
      switch round % 3 {
      case 0: bad = bad.prefix(Int.random(in: 0..<good.count, using: &random))
      case 1: bad[Int.random(in: 43..<good.count, using: &random)] ^= 0x10
      default: bad.append(contentsOf: [1, 2, 3, 4, 5, 6, 7, 8, 9])
      }
      try bad.write(to: url)
      let end = try Program.run(arguments(options))
      #expect(end.status == 0, "\(end.errors)")
      #expect(try result(end) == expected)
      // What was missing is there again.
      let again = try Program.run(arguments(options))
      let devices = try #require(try again.object()["devices"] as? [[String: Any]])
      #expect(devices.first?["lanes"] as? Int == 0)
    }
  }

  @Test("Two processes cannot share a journal; a folder is none, nor is what cannot be written")
  func places() throws {
    let folderEnd = try Program.run(arguments(["--device", "cpu", "--journal", folder["."]]))
    #expect(folderEnd.status == 2 && folderEnd.errorLines.count == 1, "\(folderEnd.errors)")
    let absent = try Program.run(arguments(["--device", "cpu", "--journal", folder["no/x"]]))
    #expect(absent.status == 2 && absent.errors.contains("does not exist"), "\(absent.errors)")
    let held = open(journal, O_RDWR | O_CREAT, 0o644)
    defer { close(held) }
    try #require(flock(held, LOCK_EX) == 0)
    let end = try Program.run(arguments(["--device", "cpu", "--journal", journal]))
    #expect(end.status == 2 && end.errors.contains("in use by another process"), "\(end.errors)")
  }
}
