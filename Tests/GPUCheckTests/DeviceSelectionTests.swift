import GPUCheck
import Kernels
import Testing

/// Selectors on made-up machines: which device each names, or what the refusal says.
@Suite struct DeviceSelectionTests {
  private static func device(
    _ platform: Int, _ index: Int, _ name: String, _ kind: DeviceDescription.Kind,
    on platformName: String
  ) -> DeviceDescription {
    DeviceDescription(
      platformIndex: platform, deviceIndex: index, platformName: platformName, name: name,
      kind: kind)
  }

  private static let pocl = device(
    0, 0, "pthread-skylake", .cpu, on: "Portable Computing Language")
  private static let simulator = device(1, 0, "Oclgrind Simulator", .gpu, on: "Oclgrind")
  private static let card = device(2, 0, "Radeon Pro", .gpu, on: "AMD")
  private static let secondCard = device(2, 1, "Radeon", .gpu, on: "AMD")
  private static let accelerator = device(3, 0, "Stratix", .accelerator, on: "Intel FPGA")
  private static let everything = [pocl, simulator, card, secondCard, accelerator]

  @Test(
    "A selector names one device",
    arguments: [
      ("auto", 2), ("AUTO", 2), ("cpu", nil), ("gpu", 2), ("gpu:0", 2), ("gpu:1", 3), ("0:0", 0),
      ("1:0", 1), ("2:1", 3), ("oclgrind", 1), ("skylake", 0), ("portable", 0), ("fpga", 4),
      ("radeon pro", 2), ("Radeon", 3),
    ] as [(String, Int?)])
  func names(selector: String, expected: Int?) throws {
    #expect(try selectIndex(selector, among: Self.everything) == expected)
  }

  @Test("auto takes a GPU, then an accelerator, then an OpenCL CPU, then the host")
  func automaticOrder() throws {
    let (pocl, accelerator, card) = (Self.pocl, Self.accelerator, Self.card)
    #expect(try selectIndex("auto", among: [pocl, accelerator, card]) == 2)
    #expect(try selectIndex("auto", among: [pocl, accelerator]) == 1)
    #expect(try selectIndex("auto", among: [Self.simulator, pocl]) == 1)
    #expect(try selectIndex("auto", among: [Self.simulator]) == nil)
    #expect(try selectIndex("auto", among: []) == nil)
  }

  @Test(
    "A refusal says what was wrong and lists what there is",
    arguments: [
      ("gpu:2", "gpu:2 is not among the 2 GPUs"), ("gpu:-1", "not among the 2 GPUs"),
      ("4:0", "there is no device 4:0"), ("2:7", "there is no device 2:7"),
      ("geforce", "no device or platform is named \"geforce\""), ("", "no device named"),
    ])
  func refusals(selector: String, text: String) {
    let error = #expect(throws: InputError.self) {
      try selectIndex(selector, among: Self.everything)
    }
    let line = error?.description ?? ""
    #expect(line.contains(text))
    #expect(line.contains("0:0 pthread-skylake (cpu, Portable Computing Language)"))
    #expect(!line.contains("\n"))
  }

  @Test("An ambiguous name lists the devices it could be")
  func ambiguous() {
    let error = #expect(throws: InputError.self) {
      try selectIndex("amd", among: Self.everything)
    }
    let line = error?.description ?? ""
    #expect(line.contains("2:0 Radeon Pro") && line.contains("2:1 Radeon (gpu, AMD)"))
    #expect(!line.contains("Stratix"))
  }

  @Test("gpu never takes a simulator, and says when there is no device at all")
  func noGPU() {
    let error = #expect(throws: InputError.self) {
      try selectIndex("gpu", among: [Self.simulator, Self.pocl])
    }
    #expect(error?.description.contains("there is no GPU") == true)
    let empty = #expect(throws: InputError.self) { try selectIndex("gpu", among: []) }
    #expect(empty?.description.contains("no OpenCL device; use cpu") == true)
  }

  @Test("A selection over devices keeps the device")
  func devices() throws {
    let found = Devices.all().devices
    let first = try #require(found.first)
    let choice = try selectDevice(first.description.selector, from: found)
    guard case .opencl(let device) = choice else {
      Issue.record("the host was chosen")
      return
    }
    #expect(device.description == first.description)
  }
}
