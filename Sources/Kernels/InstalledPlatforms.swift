import Foundation

/// What decides which OpenCL drivers a process loads.
enum InstalledPlatforms {
  /// A text that changes where another loader or driver, or another version of one, would be
  /// loaded: the variables that choose them, the files that name them, and, for libraries that are
  /// named without a folder, the dynamic linker's list, which package managers rewrite.
  static func fingerprint(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String {
    let variables = environment.filter { name, _ in
      name == OpenCL.libraryVariable || ["LD_", "OCL_", "POCL_"].contains { name.hasPrefix($0) }
    }
    let loader = environment[OpenCL.libraryVariable] ?? OpenCL.defaultLibrary
    let vendors = environment["OCL_ICD_VENDORS"] ?? "/etc/OpenCL/vendors"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: vendors)) ?? []
    let files = ["/etc/ld.so.cache", loader, vendors] + names.sorted().map { "\(vendors)/\($0)" }
    let libraries = files.filter { $0.hasSuffix(".icd") }.map { file in
      String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
    return
      (variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      + files.map(state) + libraries.map(state)).joined(separator: "|")
  }

  /// A file's name, size and time of change; its name alone where there is no such file.
  private static func state(_ path: String) -> String {
    let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard path.contains("/"),
      let found = try? FileManager.default.attributesOfItem(atPath: resolved),
      let changed = found[.modificationDate] as? Date
    else { return path }
    return "\(path) \(found[.size] ?? 0) \(changed.timeIntervalSince1970)"
  }
}
