import Foundation
import GPUCheck
import Kernels

extension DeviceListing {
  /// For people: a few lines a device.
  var text: String {
    devices.map { device in
      let mark = device.index == automatic ? "  (what auto takes)" : ""
      return
        (["\(device.index)  \(TextFormat.plain(device.name))\(mark)"]
        + device.facts.map { TextFormat.wrapped($0, first: "     ") })
        .joined(separator: "\n")
    }.joined(separator: "\n\n") + "\n"
  }

  /// For programs: `gpucheck.devices/1` (docs/report.md).
  func json() throws -> String {
    let object: JSONValue = [
      "schema": .string("gpucheck.devices/1"),
      "devices": .array(devices.map(\.json)),
      "automatic": .string(automatic),
      "problems": .array(problems.map(JSONValue.string)),
    ]
    return try object.encoded() + "\n"
  }
}

extension ListedDevice {
  fileprivate var facts: [String] {
    let memory = TextFormat.bytes(memoryBytes)
    let arithmetic = double ? "double" : "no double (f32 only)"
    guard let platform else {
      return [
        "the host's CPU, without OpenCL",
        "\(TextFormat.count(computeUnits, "core")), \(memory), \(arithmetic)",
      ]
    }
    let kind = isSimulator ? "simulator" : type == "gpu" || type == "cpu" ? type.uppercased() : type
    return [
      "\(kind) of \(vendor), platform \(platform)",
      [version, driver.map { "driver \($0)" }].compactMap(\.self).joined(separator: ", "),
      "\(TextFormat.count(computeUnits, "compute unit")), \(memory), \(arithmetic)",
      "self-test " + (failure.map { "FAILED: \($0)" } ?? "passed" + (isCached ? " (cached)" : "")),
    ] + (failure == nil ? selfTests.map(\.line) : [])
  }

  fileprivate var json: JSONValue {
    [
      "index": .string(index), "platform": .text(platform), "name": .string(name),
      "vendor": .string(vendor), "type": .string(type), "simulator": .bool(isSimulator),
      "version": .text(version), "driver": .text(driver), "memoryBytes": .count(memoryBytes),
      "computeUnits": .count(computeUnits), "double": .bool(double),
      "selfTest": [
        "passed": .bool(failure == nil),
        "cached": .bool(isCached),
        "functions": .array(selfTests.flatMap { $0.functionsJSON }),
        "failure": .text(failure),
      ],
    ]
  }
}

extension SelfTestResult {
  /// The errors of one precision: `f32, errors in ULP: exp 0.61, …`.
  fileprivate var line: String {
    let errors = functions.map { $0.name + String(format: " %.2g", $0.maxULP) }
    return "\(precision.rawValue), largest errors in ULP: " + errors.joined(separator: ", ")
  }

  fileprivate var functionsJSON: [JSONValue] {
    functions.map { function in
      [
        "name": .string(function.name), "precision": .string(precision.rawValue),
        "maxULP": .number(function.maxULP), "limit": .number(function.limit),
      ]
    }
  }
}
