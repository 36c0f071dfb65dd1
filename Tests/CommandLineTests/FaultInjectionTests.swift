import Foundation
import GPUCheck
import Kernels
import Testing

/// Every OpenCL call of a check of the digits network fails once, in turn: each check ends with the
/// right report, which says what happened.
///
/// The library of Tests/FaultyOpenCL stands between gpucheck and the machine's OpenCL, in this
/// process; what hangs or aborts is tried in processes of their own (DeviceFaultTests). The network
/// and its 2,410 parameters are those of examples/digits, with the first eight samples of the batch:
/// the sequence of calls is that of the whole batch, and a thousand checks take half a minute.
///
/// Run them alone with
///
///     swift test -c release --disable-testable-imports --filter FaultInjectionTests
///
/// In a debug build, where the CPU's lanes are thirty times slower, only some of the calls fail.
@Suite(.serialized) struct FaultInjectionTests {
  private let opencl: FaultyLibrary
  private let right: Problem
  private let wrong: Problem

  init() throws {
    opencl = try FaultyLibrary.shared.get()
    (right, wrong) = try Digits.shared.get()
  }

  /// How far apart the calls are that fail.
  private static let stride: Int = {
    #if DEBUG
      97
    #else
      1
    #endif
  }()

  /// A check as `--device auto` runs it.
  private func check(_ backend: any Backend, _ problem: Problem, _ options: CheckOptions) throws
    -> CheckReport
  {
    try Checker(backend, mayFallBack: true).check(problem, options)
  }

  // MARK: The calls of opening a device

  @Test("A call that fails while the device is opened: a line, or a device that works")
  func opening() throws {
    let number = try calls { (fault) throws -> Bool in
      opencl.arm(fault)
      var lines: [String] = []
      var backend: (any Backend)?
      do {
        let (devices, problems) = opencl.devices()
        lines = problems
        if let device = devices.first { backend = try opencl.open(device, cache: nil) }
      } catch {
        lines.append("\(error)")
      }
      let failed = opencl.failed
      opencl.arm("")
      if let failed, !Self.isSilent(failed) || backend == nil {
        #expect(lines.count == 1, "\(fault): \(lines)")
        #expect(lines.first?.contains(failed) == true, "\(fault): \(lines)")
        #expect(lines.first?.contains("\n") == false, "\(fault): \(lines)")
      }
      if let backend {
        #expect(try check(backend, right, CheckOptions()).passed, "\(fault)")
        #expect(try !check(backend, wrong, CheckOptions()).passed, "\(fault)")
      }
      return failed != nil
    }
    #expect(number > 80)
  }

  // MARK: The calls of a check

  @Test("A call that fails while programs are built: a right report that names it")
  func building() throws {
    // The programs come before anything else of a device that was not used before.
    for call in ["clCreateProgramWithSource", "clBuildProgram"] {
      for (problem, passes) in [(right, true), (wrong, false)] {
        let backend = try opencl.open()
        try expect(passes, problem, on: backend, fault: "status \(call) 1 -6", named: call)
      }
    }
  }

  @Test(
    "A call that fails in the middle of a check: a right report that names it",
    arguments: [
      (Evaluator.difference, PrecisionChoice.f64, 1), (.difference, .f32, 11), (.direct, .f64, 13),
      (.direct, .f32, 17),
    ])
  func running(evaluator: Evaluator, precision: PrecisionChoice, stride: Int) throws {
    var options = CheckOptions()
    options.evaluator = evaluator
    options.precision = precision
    let backend = try opencl.open()
    // Builds the programs.
    #expect(try check(backend, right, options).passed)
    var place = 0
    let number = try calls(stride: stride) { fault in
      let hasFailed = try expect(true, right, options, on: backend, fault: fault)
      if place.isMultiple(of: 8), hasFailed {
        try expect(false, wrong, options, on: backend, fault: fault)
      }
      place += 1
      return hasFailed
    }
    // All calls of a check were gone through; moments take few.
    #expect(number > (evaluator == .difference ? 400 : 600))
  }

  @Test("A device without the memory for some of the buffers: a right report")
  func memory() throws {
    for bytes in [0, 100, 3_000, 100_000, 1_000_000] {
      for (problem, passes) in [(right, true), (wrong, false)] {
        let backend = try opencl.open()
        try expect(passes, problem, on: backend, fault: "memory \(bytes)")
      }
    }
  }

  @Test(
    "A command that does nothing, or a read of other bytes: nothing wrong passes, nothing right fails",
    arguments: [
      "skip clEnqueueNDRangeKernel", "skip clEnqueueWriteBuffer", "skip clEnqueueReadBuffer",
      "corrupt clEnqueueReadBuffer",
    ])
  func wrongResults(kind: String) throws {
    let backend = try opencl.open()
    #expect(try check(backend, right, CheckOptions()).passed)
    let number = try calls(of: kind) { fault in
      try expect(true, right, on: backend, fault: fault, named: "")
      return try expect(false, wrong, on: backend, fault: fault, named: "")
    }
    #expect(number > 10)
  }

  // MARK: What they share

  /// Plants a fault in the first call, the second and so on, until a run ends without meeting it.
  /// Returns how many calls failed, or would have.
  private func calls(
    of kind: String = "status *", stride: Int = 1, _ run: (String) throws -> Bool
  ) throws -> Int {
    var number = 1
    // Out of resources, which a smaller batch could help, and a queue that is broken, in turn.
    while try run("\(kind) \(number) \(number.isMultiple(of: 2) ? -5 : -36)") {
      number += stride * Self.stride
      guard number < 100_000 else {
        Issue.record("no end of calls")
        break
      }
    }
    return number
  }

  /// Checks with a fault planted, and expects the right verdict, and a warning that names what
  /// failed. Returns whether the fault was met.
  @discardableResult
  private func expect(
    _ passes: Bool, _ problem: Problem, _ options: CheckOptions = CheckOptions(),
    on backend: any Backend, fault: String, named: String? = nil
  ) throws -> Bool {
    opencl.arm(fault)
    defer { opencl.arm("") }
    do {
      let report = try check(backend, problem, options)
      // A batch of which a small part went wrong without a word can get past those lanes that are looked
      // over; not past the textbook, which then leaves even a right gradient undecided.
      let isFound =
        named == "" && report.verdict == .undecidable
        && report.warnings.contains { $0.contains("this device computes wrongly") }
      #expect(
        report.passed == passes || (passes && isFound),
        "\(fault): \(report.verdict), \(report.warnings)")
      guard let failed = opencl.failed else { return false }
      let name = named ?? (Self.isSilent(failed) ? "" : failed)
      let isNamed = name.isEmpty || report.warnings.contains { $0.contains(name) }
      #expect(isNamed, "\(fault): \(failed), \(report.warnings)")
    } catch {
      Issue.record("\(fault): \(error)")
    }
    return opencl.failed != nil
  }

  /// Whether nobody need hear of a call's failure: what cannot be released is lost and no more, a device
  /// may refuse the question after its doubles, and one that does not divide is used as a whole.
  private static func isSilent(_ function: String) -> Bool {
    function.hasPrefix("clRelease") || function == "clGetDeviceInfo"
      || function == "clCreateSubDevices"
  }
}

/// The digits network of the example at its given parameters, over a few samples.
private enum Digits {
  static let shared = Result { (try problem(isRight: true), try problem(isRight: false)) }

  /// dθ as the CPU finds it, or with one component of it off by the size of the largest.
  private static func problem(isRight: Bool) throws -> Problem {
    let folder = Program.repository.appendingPathComponent("examples/digits").path
    let network = try NetworkFile.read("\(folder)/model.json")
    let contents = try TensorFile.read("\(folder)/batch.npz")
    guard case .named(let whole) = contents else { throw InputError("batch.npz has no names") }
    let samples = 8
    let batch = whole.mapValues { tensor in
      let width = tensor.values.count / tensor.shape[0]
      return Tensor(
        shape: [samples] + tensor.shape.dropFirst(),
        values: Array(tensor.values.prefix(samples * width)))
    }
    let theta = try network.parameterVector(TensorFile.read("\(folder)/parameters.npz"))
    let graph = try network.graph(batch: batch)
    let unchecked = network.problem(graph, parameters: theta, gradient: theta, unused: [])
    // So small a step that no truncation is left: dθ must be as right as any closer look finds it.
    var options = CheckOptions()
    options.epsilon = 1e-8
    var values = try Checker(CPUBackend()).check(unchecked, options).numeric
    if !isRight { values[2100] += values.map(\.magnitude).max() ?? 1 }
    let gradient = try ParameterVector(layout: graph.layout, values: values)
    return network.problem(graph, parameters: theta, gradient: gradient, unused: [])
  }
}

/// The OpenCL library that fails on demand, in this process. Its functions are not among the
/// process's own, so nothing else here comes upon them.
private final class FaultyLibrary: Sendable {
  static let shared = Result { try FaultyLibrary() }

  private let library: Result<OpenCL, OpenCLUnavailable>
  private let armFunction: @convention(c) (UnsafePointer<CChar>?) -> CInt
  private let failedFunction: @convention(c) () -> UnsafePointer<CChar>?
  private let cache = DiskCache(folder: Program.cache + "/faulty")

  private init() throws {
    let path = try FaultyOpenCL.path()
    let handle = try #require(dlopen(path, RTLD_NOW | RTLD_LOCAL))
    func find<Function>(_ name: String, _: Function.Type) throws -> Function {
      unsafeBitCast(try #require(dlsym(handle, name)), to: Function.self)
    }
    library = OpenCL.load(library: path)
    armFunction = try find(
      "faulty_opencl_arm", (@convention(c) (UnsafePointer<CChar>?) -> CInt).self)
    failedFunction = try find(
      "faulty_opencl_failed", (@convention(c) () -> UnsafePointer<CChar>?).self)
  }

  /// Sets the fault, or none.
  func arm(_ fault: String) { #expect(armFunction(fault) == 0) }

  /// The function that failed since then.
  var failed: String? { failedFunction().map { String(cString: $0) } }

  /// The CPUs of the library, never a simulator.
  func devices() -> (devices: [Device], problems: [String]) {
    let (devices, problems) = Devices.all(library)
    return (devices.filter { $0.description.kind == .cpu && !$0.isSimulator }, problems)
  }

  /// The first of them, its self-test run only once.
  func open() throws -> any Backend {
    arm("")
    let (devices, problems) = devices()
    return try open(try #require(devices.first, "\(problems)"), cache: cache)
  }

  func open(_ device: Device, cache: DiskCache?) throws -> any Backend {
    try OpenCLBackend(device, text: KernelText(), cache: cache)
  }
}
