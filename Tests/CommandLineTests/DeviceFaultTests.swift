import Foundation
import Testing

/// What machines do wrong before a check begins: each ends in a right report that says what happened,
/// or in one clear line.
@Suite(.serialized) struct DeviceFaultTests {
  /// A fault, and what the line about it says.
  struct Fault: Sendable, CustomTestStringConvertible {
    var name: String
    /// Made with a folder for what is needed.
    var environment: @Sendable (TemporaryFolder) throws -> [String: String]
    var words: [String]

    var testDescription: String { name }

    /// A call that goes wrong.
    init(_ call: String, more: [String: String] = [:], words: [String]) {
      name = call
      environment = { _ in try FaultyOpenCL.environment(call).merging(more) { $1 } }
      self.words = words
    }

    init(
      _ name: String, words: [String],
      _ environment: @escaping @Sendable (TemporaryFolder) throws -> [String: String]
    ) {
      self.name = name
      self.words = words
      self.environment = environment
    }
  }

  private static let soon = ["GPUCHECK_SELF_TEST_SECONDS": "2"]

  /// There is no device to take.
  static let withoutDevice = [
    Fault("no loader", words: ["cannot open libnone.so.1"]) { _ in
      ["GPUCHECK_OPENCL_LIBRARY": "libnone.so.1"]
    },
    Fault("a loader without OpenCL", words: ["has no clGetPlatformIDs"]) { _ in
      ["GPUCHECK_OPENCL_LIBRARY": "libz.so.1"]
    },
    Fault("no platform", words: ["no OpenCL platform is installed"]) { folder in
      ["OCL_ICD_VENDORS": try icds([:], in: folder)]
    },
    Fault("a platform that is a text file", words: ["no OpenCL platform is installed"]) { folder in
      let text = folder["driver.so"]
      try Data("not a library\n".utf8).write(to: URL(fileURLWithPath: text))
      return ["OCL_ICD_VENDORS": try icds(["broken.icd": text], in: folder)]
    },
    Fault("a platform without functions", words: ["no OpenCL platform is installed"]) { folder in
      ["OCL_ICD_VENDORS": try icds(["other.icd": "libz.so.1"], in: folder)]
    },
    Fault("status clGetPlatformIDs 1 -1001", words: ["no OpenCL platform is installed"]),
    Fault("status clGetPlatformIDs 1 -6", words: ["clGetPlatformIDs: CL_OUT_OF_HOST_MEMORY (-6)"]),
    Fault("status clGetDeviceIDs 1 -1", words: ["Portable Computing Language", "has no device"]),
    Fault("status clGetDeviceInfo 3", words: ["clGetDeviceInfo: CL_OUT_OF_RESOURCES"]),
    Fault(
      "abort clGetDeviceIDs 1",
      words: [
        "signal 6 (Aborted) when asked for its devices (its last words: planted in clGetDeviceIDs)"
      ]),
    Fault("hang clGetPlatformIDs 1", more: soon, words: ["within 2 s", "asked for its devices"]),
  ]

  /// There is a device, and it must not be used.
  static let withBadDevice = [
    Fault(
      "abort clBuildProgram 1",
      words: [
        "signal 6 (Aborted) in its self-test (its last words: planted in clBuildProgram)"
      ]),
    Fault("hang clEnqueueReadBuffer 1", more: soon, words: ["within 2 s", "in its self-test"]),
    Fault("status clBuildProgram 1 -11", words: ["its self-test in f64: clBuildProgram: CL_BUILD"]),
    Fault("status clCreateContext 1 -6", words: ["before its self-test: clCreateContext"]),
    Fault(
      "corrupt clEnqueueReadBuffer 1", words: ["its self-test in f64: exp gives a wrong infinity"]),
    Fault("skip clEnqueueNDRangeKernel 2", words: ["its self-test in f64: a compensated sum"]),
    Fault("no linker for PoCL", words: ["needs the command ld", "install binutils"]) { folder in
      ["PATH": try icds([:], in: folder)]
    },
  ]

  /// A folder of .icd files, each with the library it names.
  private static func icds(_ files: [String: String], in folder: TemporaryFolder) throws -> String {
    let path = folder["icds"]
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, library) in files {
      try Data("\(library)\n".utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }
    return path
  }

  @Test("auto goes on without OpenCL and says why", arguments: withoutDevice + withBadDevice)
  func automatic(fault: Fault) throws {
    let folder = try TemporaryFolder()
    let environment = try fault.environment(folder)
      .merging(["GPUCHECK_CACHE_DIR": folder["cache"]]) { $1 }
    let end = try Program.run(
      digits("gradient.npz", ["--sample", "200"]), environment: environment)
    #expect(end.status == 0 && !end.wasKilled, "\(end.errors)")
    #expect(end.output.hasPrefix("RIGHT  "))
    #expect(end.output.contains("CPU without OpenCL"))
    #expect(end.errorLines.count == 1, "\(end.errors)")
    #expect(end.errors.contains("running on the CPU without OpenCL"))
    for word in fault.words { #expect(end.errors.contains(word), "\(end.errors)") }
    let wrong = try Program.run(
      digits("wrong-transposed-W2.npz", ["--sample", "200"]), environment: environment)
    #expect(wrong.status == 1 && wrong.output.hasPrefix("WRONG  "))
  }

  @Test(
    "A device that was asked for by name is refused in one line", arguments: withBadDevice)
  func explicit(fault: Fault) throws {
    let folder = try TemporaryFolder()
    let environment = try fault.environment(folder)
      .merging(["GPUCHECK_CACHE_DIR": folder["cache"]]) { $1 }
    let end = try Program.run(
      digits("gradient.npz", ["--device", "0:0"]), environment: environment)
    try expectRefusal(end, fault.words + ["choose another device, or cpu"])
  }

  @Test(
    "A device that was asked for and is not there is one line", arguments: withoutDevice)
  func explicitMissing(fault: Fault) throws {
    let folder = try TemporaryFolder()
    let environment = try fault.environment(folder)
      .merging(["GPUCHECK_CACHE_DIR": folder["cache"]]) { $1 }
    let end = try Program.run(
      digits("gradient.npz", ["--device", "0:0"]), environment: environment)
    try expectRefusal(end, ["use cpu"])
  }

  private func expectRefusal(_ end: Program.Ending, _ words: [String]) throws {
    #expect(end.status == 2 && !end.wasKilled && end.output.isEmpty)
    #expect(end.errorLines.count == 1, "\(end.errors)")
    for word in words { #expect(end.errors.contains(word), "\(end.errors)") }
  }

  @Test("devices lists what is left, with a line for what is not", arguments: withoutDevice)
  func listing(fault: Fault) throws {
    let folder = try TemporaryFolder()
    let environment = try fault.environment(folder)
      .merging(["GPUCHECK_CACHE_DIR": folder["cache"]]) { $1 }
    let end = try Program.run(["devices", "--format", "json"], environment: environment)
    let listing = try end.object()
    #expect(end.status == 0 && end.errorLines.count == 1)
    #expect((listing["devices"] as? [Any])?.count == 1)
    #expect(listing["automatic"] as? String == "cpu")
    let problems = try #require(listing["problems"] as? [String])
    #expect(problems.count == 1)
    for word in fault.words { #expect(problems.first?.contains(word) == true, "\(problems)") }
  }

  @Test("devices lists a bad device with its failure, and auto passes it over")
  func badListing() throws {
    let folder = try TemporaryFolder()
    var environment = try FaultyOpenCL.environment("abort clBuildProgram 1")
    environment["GPUCHECK_CACHE_DIR"] = folder["cache"]
    let end = try Program.run(["devices", "--format", "json"], environment: environment)
    let listing = try end.object()
    #expect(end.status == 0)
    #expect(listing["automatic"] as? String == "cpu")
    let devices = try #require(listing["devices"] as? [[String: Any]])
    let test = try #require(devices.first?["selfTest"] as? [String: Any])
    #expect(test["passed"] as? Bool == false)
    #expect((test["failure"] as? String)?.contains("signal 6") == true)
  }

  @Test(
    "A device that fails in the middle: auto goes on and says what happened",
    arguments: [
      ("status clEnqueueNDRangeKernel 20 -36", "CL_INVALID_COMMAND_QUEUE"),
      ("status clEnqueueReadBuffer 12 -5", "clEnqueueReadBuffer: CL_OUT_OF_RESOURCES"),
      ("memory 9000", "clCreateBuffer: CL_MEM_OBJECT_ALLOCATION_FAILURE"),
    ])
  func middle(fault: String, words: String) throws {
    let environment = try FaultyOpenCL.environment(fault)
    let end = try Program.run(
      digits("gradient.npz", ["--sample", "200"]), environment: environment)
    #expect(end.status == 0 && end.output.hasPrefix("RIGHT  "), "\(end.errors)")
    // Where a line breaks depends on the device's name.
    let text = end.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(text.contains(words), "\(end.output)")
    let wrong = try Program.run(
      digits("wrong-transposed-W2.npz", ["--sample", "200"]), environment: environment)
    #expect(wrong.status == 1 && wrong.output.hasPrefix("WRONG  "), "\(wrong.errors)")
  }

  @Test(
    "A device that hangs in the middle is left after the stated time, and the program ends",
    arguments: [
      "hang clEnqueueNDRangeKernel 20", "hang clEnqueueReadBuffer 12", "hang clBuildProgram 1",
      "hang clCreateContext 1",
    ])
  func hangs(fault: String) throws {
    for (gradient, status) in [("gradient.npz", 0), ("wrong-transposed-W2.npz", 1)] {
      let start = ContinuousClock.now
      let end = try Program.run(
        digits(gradient, ["--sample", "200", "--device-timeout", "2"]),
        environment: try FaultyOpenCL.environment(fault))
      #expect(end.status == Int32(status), "\(fault): \(end.errors)")
      let words = (end.output + end.errors).split(whereSeparator: \.isWhitespace)
      #expect(words.joined(separator: " ").contains("did not answer for 2.00 s while"), "\(end)")
      #expect((ContinuousClock.now - start) / .seconds(1) < 30)
    }
  }

  @Test("A kernel that does not build: one line, its log under it, exit 2")
  func kernelError() throws {
    let folder = try TemporaryFolder()
    let copy = folder["kernels"]
    let source = Program.repository.appendingPathComponent("kernels").path
    try FileManager.default.copyItem(atPath: source, toPath: copy)
    let file = URL(fileURLWithPath: "\(copy)/reduce.cl")
    let text = try String(contentsOf: file, encoding: .utf8)
    try Data((text + "\nkernel void broken() { no_such_thing(); }\n").utf8).write(to: file)
    for options in [[], ["--device", "Portable Computing Language"]] {
      let end = try Program.run(digits("gradient.npz", ["--kernels", copy] + options))
      #expect(end.status == 2 && end.output.isEmpty)
      let lines = end.errorLines.filter { $0.hasPrefix("gpucheck: ") }
      #expect(lines.count == 1, "\(end.errors)")
      #expect(lines[0].contains("clBuildProgram: CL_BUILD_PROGRAM_FAILURE (-11)"))
      #expect(lines[0].contains("no_such_thing"))
      #expect(end.errors.contains("  options: -cl-std=CL1.2"))
      #expect(end.errorLines.dropFirst().contains { $0.contains("error: ") })
    }
  }
}
