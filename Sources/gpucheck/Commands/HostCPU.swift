import Foundation
import GPUCheck

/// The CPU that checks run on without OpenCL.
struct HostCPU {
  var name: String
  var vendor: String
  var cores = HostCores.count
  var memoryBytes = Int(clamping: ProcessInfo.processInfo.physicalMemory)

  /// As /proc/cpuinfo names it; by the architecture where there is no such file, or no name in it.
  init() {
    let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    let facts = (text ?? "").split(separator: "\n").map { line in
      line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
    }
    func fact(_ key: String) -> String? {
      facts.first { $0.count == 2 && $0[0] == key && !$0[1].isEmpty }?[1]
    }
    name = fact("model name") ?? fact("Model") ?? fact("cpu model") ?? Self.architecture
    vendor = fact("vendor_id") ?? ""
  }

  private static var architecture: String {
    #if arch(x86_64)
      "x86-64 CPU"
    #elseif arch(arm64)
      "ARM64 CPU"
    #else
      "CPU"
    #endif
  }
}
