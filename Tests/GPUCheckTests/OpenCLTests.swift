import Foundation
import Kernels
import Testing

/// The device layer on whatever OpenCL this machine has; PoCL is expected, not optional.
/// Serialized, so that it runs on Oclgrind too, which does not bear two threads.
@Suite(.serialized) struct OpenCLTests {
  private func context() throws -> Context {
    let (devices, problems) = Devices.all()
    let device = devices.first { !$0.isSimulator } ?? devices.first
    return try Context(#require(device, "no OpenCL device: \(problems)"))
  }

  @Test(
    "Work-groups: one on a CPU, whole lines of neighbours where they fit, else the driver's choice")
  func workGroups() {
    let cpu = DeviceDescription(name: "", kind: .cpu, maxWorkGroupSize: 4096)
    #expect(cpu.workGroup(of: [128, 3]) == [1, 1])
    let gpu = DeviceDescription(name: "", kind: .gpu, maxWorkGroupSize: 1024)
    #expect(gpu.workGroup(of: [128, 3, 5]) == [64, 1, 1])
    #expect(gpu.workGroup(of: [64]) == [64])
    #expect(gpu.workGroup(of: [100, 64]) == nil)
    #expect(DeviceDescription(name: "", kind: .gpu).workGroup(of: [128]) == nil)
  }

  @Test("Without a loader there is a one-line reason and no device")
  func loaderMissing() {
    let (devices, problems) = Devices.all(OpenCL.load(library: "libNoSuchOpenCL.so.7"))
    #expect(devices.isEmpty)
    #expect(problems.count == 1)
    #expect(problems.first?.contains("libNoSuchOpenCL.so.7") == true)
    #expect(problems.first?.contains("\n") == false)
  }

  @Test("A library that is not OpenCL is a one-line reason too")
  func loaderWithoutSymbols() {
    let (devices, problems) = Devices.all(OpenCL.load(library: "libm.so.6"))
    #expect(devices.isEmpty)
    #expect(problems.first?.contains("clGetPlatformIDs") == true)
  }

  @Test("Devices enumerate, with what a plan needs to know of them")
  func devicesEnumerate() throws {
    let (devices, problems) = Devices.all()
    #expect(!devices.isEmpty, "\(problems)")
    for device in devices.map(\.description) {
      #expect(!device.name.isEmpty && !device.platformName.isEmpty)
      #expect(device.globalMemory > 0 && device.maxAllocation > 0 && device.maxWorkGroupSize > 0)
      let version = try #require(device.versionNumber)
      #expect((version.major, version.minor) >= (1, 2))
    }
    #expect(Devices.all(withoutDouble: true).devices.allSatisfy { !$0.description.supportsDouble })
  }

  @Test("A kernel that does not build shows the compiler's log")
  func buildLog() throws {
    let context = try context()
    let error = #expect(throws: OpenCLError.self) {
      try Program(
        context, source: ["kernel void broken(global float *x) { x[0] = no_such_name; }"],
        Specialisation(precision: .f32))
    }
    #expect(error?.call == "clBuildProgram")
    #expect(error?.name == "CL_BUILD_PROGRAM_FAILURE")
    #expect(error?.detail?.contains("no_such_name") == true)
    #expect(error?.summary.contains("\n") == false)
  }

  @Test("An unknown status prints as its number")
  func unknownStatus() {
    #expect(OpenCLError(call: "clFinish", status: -9999).description == "clFinish: status -9999")
    #expect(
      OpenCLError(call: "clFinish", status: -5, detail: "why").description
        == "clFinish: CL_OUT_OF_RESOURCES (-5): why")
  }

  @Test("Buffers round trip, in bytes, reals and integers")
  func buffersRoundTrip() throws {
    let context = try context()
    let queue = try CommandQueue(context)
    let values = (0..<33).map { Double($0) * 0.1 - 1 }
    for precision in Precision.allCases {
      let expected = precision == .f32 ? values.map { Double(Float($0)) } : values
      let buffer = try Buffer(context, reals: values, precision)
      #expect(try queue.reals(of: buffer, count: 33, precision) == expected)
      try queue.write(buffer, reals: [7, 8], precision, start: 3)
      #expect(try queue.reals(of: buffer, count: 2, precision, start: 3) == [7, 8])
    }
    let integers = try Buffer(context, integers: [3, -4, 5])
    let copy = try Buffer(context, byteCount: 12)
    try queue.copy(integers, to: copy, byteCount: 12)
    #expect(try queue.integers(of: copy, count: 3) == [3, -4, 5])
    #expect(try Buffer(context, byteCount: 0).byteCount == 4)
    #expect(try Buffer(context, integers: []).byteCount == 4)
    #expect(throws: OpenCLError.self) { try queue.integers(of: copy, count: 4) }
  }

  @Test(
    "two_sum and SELECT, scalar and vector, in both precisions",
    arguments: Precision.allCases, [1, 2, 4, 8, 16])
  func commonMacros(precision: Precision, width: Int) throws {
    let context = try context()
    guard context.device.description.precisions.contains(precision) else { return }
    let text = KernelText()
    let program = try Program(
      context, source: [text.text("common.cl"), commonTestSource],
      Specialisation(precision: precision, vectorWidth: width))
    let kernel = try Kernel(program, "common_test")
    let queue = try CommandQueue(context, profiling: true)
    let tiny = precision.unitRoundoff / 16
    let count = 16
    let a = (0..<count).map { $0 % 3 == 0 ? tiny : Double($0) }
    let b = (0..<count).map { $0 % 2 == 0 ? 1.0 : -Double($0) }
    let sums = try Buffer(context, realCount: count, precision)
    let errors = try Buffer(context, realCount: count, precision)
    let chosen = try Buffer(context, realCount: count, precision)
    try kernel.set(
      CommonTest(
        a: Buffer(context, reals: a, precision), b: Buffer(context, reals: b, precision),
        sums: sums, errors: errors, chosen: chosen, shift: 0.5))
    let event = try queue.enqueueWithEvent(kernel, global: [count / width])
    #expect(try #require(event).seconds() >= 0)
    let sum = try queue.reals(of: sums, count: count, precision)
    let error = try queue.reals(of: errors, count: count, precision)
    let choice = try queue.reals(of: chosen, count: count, precision)
    for i in 0..<count {
      let rounded = precision == .f32 ? Double(Float(a[i] + b[i])) : a[i] + b[i]
      #expect(sum[i] == rounded, "sum \(i)")
      // The larger term, less the rounded sum, plus the smaller: exact in double here.
      let (large, small) = a[i].magnitude > b[i].magnitude ? (a[i], b[i]) : (b[i], a[i])
      #expect(error[i] == (large - rounded) + small, "error \(i)")
      #expect(choice[i] == (a[i] < b[i] ? 0.5 : Double(i)), "choice \(i)")
    }
  }

  @Test(
    "The word double does not reach f32 programs",
    arguments: KernelText.names.filter { $0 != "common.cl" })
  func noDoubleInSingle(file: String) throws {
    let context = try context()
    let source =
      ["#define double no_double_in_f32"]
      + (try KernelText().source([KernelUnit(file: "lanes.cl"), KernelUnit(file: file)]))
    do {
      _ = try Program(context, source: source, Specialisation(precision: .f32))
    } catch let error as OpenCLError {
      // A file may want macros of its own, and not build without; this test asks one thing only.
      #expect(error.detail?.contains("no_double_in_f32") == false)
    }
  }

  @Test("Arguments of another kernel, or too few, are refused")
  func wrongArguments() throws {
    let context = try context()
    let source = ["kernel void common_test(global float *x) { x[0] = 1.0f; }"]
    let program = try Program(context, source: source, Specialisation(precision: .f32))
    let kernel = try Kernel(program, "common_test")
    let buffer = try Buffer(context, byteCount: 4)
    let wrong = CommonTest(
      a: buffer, b: buffer, sums: buffer, errors: buffer, chosen: buffer, shift: 0)
    let error = #expect(throws: OpenCLError.self) { try kernel.set(wrong) }
    #expect(error?.description.contains("common_test takes 1 arguments; given 6") == true)
    #expect(throws: OpenCLError.self) { try Kernel(program, "no_such_kernel") }
  }

  @Test("Programs are built once a specialisation")
  func programCache() throws {
    let programs = ProgramCache(try context())
    let first = try programs.program(
      [KernelUnit(file: "selftest.cl")], Specialisation(precision: .f32))
    let again = try programs.program(
      [KernelUnit(file: "selftest.cl")], Specialisation(precision: .f32))
    let other = try programs.program(
      [KernelUnit(file: "selftest.cl")], Specialisation(precision: .f32, vectorWidth: 4))
    #expect(first === again)
    #expect(first !== other)
    #expect(programs.count == 2)
  }

  @Test("A folder of kernels replaces the embedded text; a missing file is one line")
  func kernelFolder() throws {
    #expect(try KernelText().text("common.cl").contains("two_sum"))
    let missing = #expect(throws: KernelTextError.self) {
      try KernelText(folder: "/no/such/folder").text("common.cl")
    }
    #expect(missing?.description.hasPrefix("/no/such/folder/common.cl: ") == true)
    #expect(throws: KernelTextError.self) { try KernelText().text("nothing.cl") }
  }

  @Test("Options and cache keys are stable and tell specialisations apart")
  func optionsAndKeys() {
    var device = DeviceDescription(
      platformName: "P", name: "D", kind: .cpu, driverVersion: "1",
      singleArithmetic: .ieee, nativeVectorWidthDouble: 8)
    let wide = Specialisation(
      precision: .f64, for: device, defines: [("TILE", "4"), ("ACTIVATION", "2")])
    #expect(
      wide.options(for: device)
        == "-cl-std=CL1.2 -DREAL_IS_DOUBLE=1 -DVECTOR_WIDTH=8 -DACTIVATION=2 -DTILE=4")
    let single = Specialisation(precision: .f32)
    #expect(
      single.options(for: device)
        == "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt -DVECTOR_WIDTH=1"
    )
    let key = single.cacheKey(for: device, source: ["a"])
    #expect(key == single.cacheKey(for: device, source: ["a"]))
    #expect(key.hasSuffix("|af63dc4c8601ec8c"))
    #expect(key != single.cacheKey(for: device, source: ["b"]))
    #expect(key != wide.cacheKey(for: device, source: ["a"]))
    device.driverVersion = "2"
    #expect(key != single.cacheKey(for: device, source: ["a"]))
  }

  @Test("CPUs get explicit vectors of their own width, GPUs one real a work-item")
  func vectorWidths() {
    let cpu = DeviceDescription(
      name: "c", kind: .cpu, nativeVectorWidthFloat: 16, nativeVectorWidthDouble: 8)
    let small = DeviceDescription(
      name: "s", kind: .cpu, nativeVectorWidthFloat: 4, nativeVectorWidthDouble: 1)
    #expect(Quirks.vectorWidth(of: small, precision: .f32) == 4)
    #expect(Quirks.vectorWidth(of: small, precision: .f64) == 2)
    let gpu = DeviceDescription(name: "g", kind: .gpu)
    #expect(Quirks.vectorWidth(of: cpu, precision: .f32) == 16)
    #expect(Quirks.vectorWidth(of: cpu, precision: .f64) == 8)
    #expect(Quirks.vectorWidth(of: gpu, precision: .f32) == 1)
    #expect(!gpu.isSimulator)
  }

  @Test("Every device of this machine passes the self-test")
  func selfTestPasses() throws {
    for device in Devices.all().devices {
      let results = SelfTest.run(ProgramCache(try Context(device)))
      #expect(results.map(\.precision) == device.description.precisions)
      for result in results {
        #expect(result.passed, "\(result.failure ?? ""): \(result.functions)")
        #expect(result.functions.count == 10)
      }
    }
  }
  @Test(
    "A device that gets something wrong is refused with what and by how much",
    arguments: [
      ("selftest.cl", "expm1(a)", "exp(a) - R(1.0)", "expm1 is off by"),
      ("selftest.cl", "log(a)", "a * R(0.0) / R(0.0)", "log gives a wrong infinity"),
      ("selftest.cl", "fma(a, b, c)", "(a * b) * R(1.000001) + c", "fma is off by"),
      ("common.cl", "(a - first) + (b - second)", "a - a", "a compensated sum gives 0.0"),
      ("moments.cl", "fma(c[4], square, c[2])", "c[2]", "moments_run gives"),
      ("moments.cl", "fabs(d) <= c[SERIES_TERMS]", "c[SERIES_TERMS] >= 0", "moments_run gives"),
      (
        "moments.cl", "gather(x, s * ins, 1, input)", "gather(x, 0, 1, input)",
        "moments_listed gives"
      ),
      ("selftest.cl", "erf(a)", "no_such_function(a)", "CL_BUILD_PROGRAM_FAILURE"),
    ])
  func selfTestRefuses(file: String, right: String, wrong: String, line: String) throws {
    let text = try kernels(file, replacing: right, by: wrong)
    let result = SelfTest.run(ProgramCache(try context(), text: text), precisions: [.f32])[0]
    #expect(!result.passed)
    let failure = result.failure ?? ""
    #expect(failure.contains("fails its self-test in f32: "))
    #expect(failure.contains(line), "\(failure)")
    #expect(!failure.contains("\n"))
  }
}

/// The kernel of `commonMacros`.
private let commonTestSource = """
  kernel void common_test(global const real *a, global const real *b, global real *sums,
                          global real *errors, global real *chosen, const real shift) {
    const size_t i = get_global_id(0);
    const realv first = LOAD(i, a);
    const realv second = LOAD(i, b);
    realv error;
    STORE(two_sum(first, second, &error), i, sums);
    STORE(error, i, errors);
    real places[VECTOR_WIDTH];
    for (int lane = 0; lane < VECTOR_WIDTH; lane++) {
      places[lane] = (real)(i * VECTOR_WIDTH + lane);
    }
    const maskv less = first < second;
    realv result = SELECT(LOAD(0, places), shift, less);
    // Masks join with & and ! alike for scalars and vectors, and scalars spread over the lanes.
    result = SELECT(result, R(-1.0), less & !less);
    STORE(result, i, chosen);
  }
  """

private struct CommonTest: KernelArguments {
  let kernel = "common_test"
  let a, b, sums, errors, chosen: Buffer
  let shift: Double
  var arguments: [KernelArgument] {
    [.buffer(a), .buffer(b), .buffer(sums), .buffer(errors), .buffer(chosen), .real(shift)]
  }
}
