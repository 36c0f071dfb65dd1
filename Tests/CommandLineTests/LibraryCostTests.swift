import Foundation
import GPUCheck
import Testing

/// `gpucheck check --library`: libraries in C, compiled here, that do what libraries do.
@Suite("A cost in a library")
struct LibraryCostTests {
  private let folder: TemporaryFolder
  private let files: UserCost.Files

  init() throws {
    folder = try TemporaryFolder()
    files = try UserCost.Files(in: folder)
  }

  /// The compiler of the Swift toolchain, without which the tests would not have been built.
  private static let compiler: String? = {
    let places = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    func find(_ name: String) -> URL? {
      places.lazy.map { URL(fileURLWithPath: "\($0)/\(name)") }
        .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }
    let beside = find("swift")?.resolvingSymlinksInPath().deletingLastPathComponent()
      .appendingPathComponent("clang")
    return [find("clang"), beside, find("cc")].compactMap(\.self)
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }?.path
  }()

  /// Compiles a library of some text after the header of gpucheck.
  private func library(_ text: String) throws -> String {
    let headers = ["gpucheck.h", "math.h", "signal.h", "stdio.h", "stdlib.h", "unistd.h"]
    let source = headers.map { "#include <\($0)>\n" }.joined() + text
    try source.write(toFile: folder["cost.c"], atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.compiler, "no clang and no cc"))
    process.arguments = [
      "-shared", "-fPIC", "-O1", "-I", Program.repository.appendingPathComponent("include").path,
      "-o", folder["libcost.so"], folder["cost.c"],
    ]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "the library does not compile")
    return folder["libcost.so"]
  }

  /// The cost of `UserCost.meanSquare`, with statements before it is returned.
  private static func meanSquare(_ statements: String = "") -> String {
    """
    static const double x[] = {1, 0.5, 2, 3}, y[] = {0, 1, 3, -1};
    double gpucheck_cost(const double *theta, size_t n, void *context) {
      double sum = 0;
      for (size_t i = 0; i < n; i++) sum += x[i] * (theta[i] - y[i]) * (theta[i] - y[i]);
      \(statements)
      return sum / n;
    }
    """
  }

  private func check(
    _ text: String, _ options: [String] = [], gradient: String = "right.npz"
  ) throws -> Program.Ending {
    try Program.run(
      ["check", "--library", try library(text), "--format", "json"] + options
        + files.arguments(gradient, batch: false))
  }

  @Test(
    "A right gradient passes, a wrong component is found",
    arguments: [("right.npz", 0 as Int32), ("wrong.npz", 1)])
  func verdicts(gradient: String, status: Int32) throws {
    let end = try check(Self.meanSquare(), gradient: gradient)
    #expect(end.status == status, "\(end.errors)")
    let report = try end.object()
    #expect(report["wrong"] as? Int == Int(status))
    #expect(report["precision"] as? String == "f64")
    #expect((report["device"] as? String)?.hasPrefix("library libcost.so") == true)
    let numeric = try #require(report["relativeDifference"] as? Double)
    #expect(status == 1 || numeric < 1e-9)
  }

  @Test("Set-up gets the batch's name, its context every cost, and tear-down runs at the end")
  func lifeCycle() throws {
    let text = """
      void *gpucheck_setup(size_t n, const char *batch) {
        FILE *const file = fopen(batch, "a");
        fprintf(file, "set up %zu\\n", n);
        return file;
      }
      void gpucheck_teardown(void *context) {
        fprintf(context, "torn down\\n");
        fclose(context);
      }
      """ + Self.meanSquare("if (!context) abort();")
    try "begin\n".write(toFile: folder["notes"], atomically: true, encoding: .utf8)
    let end = try check(text, ["--batch", folder["notes"]])
    #expect(end.status == 0, "\(end.errors)")
    let notes = try String(contentsOfFile: folder["notes"], encoding: .utf8)
    let lines = notes.split(separator: "\n")
    #expect(lines.contains("set up 4"), "\(notes)")
    #expect(lines.count { $0 == "torn down" } == lines.count { $0 == "set up 4" }, "\(notes)")
  }

  @Test(
    "A crash, an exit or a hang at one component loses that component, and the report names it",
    arguments: [
      ("*(volatile int *)0 = 1;", "killed by signal 11"),
      ("fprintf(stderr, \"oh no\\n\"); abort();", "oh no"),
      ("exit(7);", "called exit(7)"), ("exit(0);", "called exit(0)"),
      ("for (;;) sleep(1);", "did not answer for 1.00 s"),
      ("close(0); for (int i = 3; i < 64; i++) close(i); for (;;) sleep(1);", "killed by signal 9"),
    ])
  func losses(deed: String, reason: String) throws {
    let end = try check(
      Self.meanSquare("if (theta[1] != -1.5) { \(deed) }"), ["--cost-timeout", "1"])
    #expect(end.status == 3, "\(end.errors)")
    let report = try end.object()
    #expect(report["passed"] as? Bool == false)
    #expect(report["checked"] as? Int == 3)
    #expect(report["wrong"] as? Int == 0)
    let lost = try #require(report["lost"] as? [[String: Any]])
    #expect(lost.count == 1)
    #expect(lost.first?["tensor"] as? String == "W")
    #expect(lost.first?["index"] as? [Int] == [1, 0])
    #expect((lost.first?["reason"] as? String)?.contains(reason) == true, "\(lost)")
  }

  @Test("Where one component is lost and another is wrong, the gradient is wrong")
  func lostAndWrong() throws {
    let end = try check(
      Self.meanSquare("if (theta[1] != -1.5) abort();"), gradient: "wrong.npz")
    #expect(end.status == 1, "\(end.errors)")
    #expect(try end.object()["wrong"] as? Int == 1)
  }

  @Test("A random cost is refused, and averaged where that is asked for")
  func random() throws {
    let text =
      "void *gpucheck_setup(size_t n, const char *batch) { srand(getpid()); return 0; }\n"
      + Self.meanSquare("sum += 1e-5 * rand() / RAND_MAX;")
    let refused = try check(text)
    #expect(refused.status == 2 && refused.output.isEmpty)
    #expect(refused.errors.contains("when asked again"), "\(refused.errors)")
    #expect(refused.errors.contains("--average N"), "\(refused.errors)")
    for (gradient, status) in [("right.npz", 0 as Int32), ("wrong.npz", 0)] {
      let end = try check(text, ["--average", "30"], gradient: gradient)
      // 1e-4 in one component is within what the noise allows.
      #expect(end.status == status, "\(gradient): \(end.output) \(end.errors)")
      let noise = try #require(try end.object()["costNoise"] as? Double)
      // Evenly spread over 1e-5/4, the mean of 30.
      #expect(
        (0.3...3).contains(noise / (2.5e-6 / 12.0.squareRoot() / 30.0.squareRoot())), "\(noise)")
    }
  }

  @Test("A cost that remembers earlier calls is refused")
  func memory() throws {
    let end = try check(
      Self.meanSquare("static double last = 0.5; sum += last; last = theta[0];"))
    #expect(end.status == 2)
    #expect(end.errors.contains("when asked again"), "\(end.errors)")
  }

  @Test(
    "What cannot be used is refused in one line",
    arguments: [
      ("int nothing;", "it has no function gpucheck_cost"),
      (meanSquare("((double *)theta)[3] = 8;"), "B[0]: gpucheck_cost changed this parameter"),
      (meanSquare("abort();"), "the cost at θ could not be evaluated: it was killed by signal 6"),
      (meanSquare("sum = NAN;"), "the cost at θ is"),
      (
        meanSquare()
          + "\nvoid *gpucheck_setup(size_t n, const char *b) { fputs(\"no data\", stderr); exit(1); }",
        "it called exit(1) in gpucheck_setup (its last words: no data)"
      ),
      (
        meanSquare() + "\n__attribute__((constructor)) void loaded(void) { abort(); }",
        "killed by signal 6 (Aborted) while it was opened"
      ),
      (meanSquare() + "\nextern int missing; int *used = &missing;", "the library cannot be used"),
    ])
  func refusals(text: String, expected: String) throws {
    let end = try check(text)
    #expect(end.status == 2 && end.output.isEmpty)
    #expect(end.errorLines.count == 1 && end.errors.contains(expected), "\(end.errors)")
  }

  @Test("A file that is no library, none at all, and options that it cannot have: one line")
  func otherRefusals() throws {
    let good = try library(Self.meanSquare())
    for (path, options, expected) in [
      (folder["theta.npz"], [], "the library cannot be used"),
      (folder["none.so"], [], "no such file"),
      (good, ["--device", "cpu"], "runs on the CPU's cores"),
      (good, ["--precision", "f32"], "runs on the CPU's cores"),
      (good, ["--evaluator", "difference"], "leave --evaluator"),
      (good, ["--memory", "100"], "allow more with --memory"),
    ] {
      let end = try Program.run(
        ["check", "--library", path] + options + files.arguments(batch: false))
      #expect(end.status == 2 && end.output.isEmpty)
      #expect(end.errorLines.count == 1 && end.errors.contains(expected), "\(end.errors)")
    }
  }

  @Test("A journal answers for it the second time")
  func journal() throws {
    let options = ["--journal", folder["check.journal"]]
    let text = Self.meanSquare("if (theta[1] != -1.5) abort();")
    let first = try check(text, options).object()
    let second = try check(text, options).object()
    #expect(first["recalled"] as? Int == 0)
    #expect(try #require(second["recalled"] as? Int) > 0)
    #expect(second["lost"] as? [NSDictionary] != nil)
    #expect((second["lost"] as? [[String: Any]])?.count == 1)
  }

  @Test("Ctrl-C ends a library that hangs, and leaves no process")
  func interrupt() throws {
    let text = Self.meanSquare("if (theta[1] != -1.5) for (;;) sleep(1);")
    let path = try library(text)
    let end = try Program.run(
      ["check", "--library", path] + files.arguments(batch: false), interruptAfter: 2)
    #expect(end.status == 130)
    #expect(try #require(end.secondsAfterInterruption) < 2)
    let deadline = Date(timeIntervalSinceNow: 10)
    while try workers(of: path) > 0, Date() < deadline { Thread.sleep(forTimeInterval: 0.1) }
    #expect(try workers(of: path) == 0)
  }

  /// Processes that run a library.
  private func workers(of path: String) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }
      .compactMap { FileManager.default.contents(atPath: "/proc/\($0)/cmdline") }
      .count { String(decoding: $0, as: UTF8.self).contains("cost-worker\0" + path) }
  }
}
