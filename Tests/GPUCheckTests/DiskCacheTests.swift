import Foundation
import Kernels
import Testing

/// Where results are kept from one process to the next, and what is read of them.
@Suite struct DiskCacheTests {
  @Test(
    "An environment names the folder, or none",
    arguments: [
      (["HOME": "/home/a"], "/home/a/.cache/gpucheck"),
      (["HOME": "/home/a", "XDG_CACHE_HOME": "/x"], "/x/gpucheck"),
      (["HOME": "/home/a", "XDG_CACHE_HOME": "x"], "/home/a/.cache/gpucheck"),
      (["HOME": "/home/a", "XDG_CACHE_HOME": ""], "/home/a/.cache/gpucheck"),
      (["HOME": "/home/a", "XDG_CACHE_HOME": "/x", "GPUCHECK_CACHE_DIR": "/y"], "/y"),
      (["HOME": "/home/a", "GPUCHECK_CACHE_DIR": ""], nil),
      (["HOME": "a"], nil), ([:], nil),
    ] as [([String: String], String?)])
  func folders(environment: [String: String], path: String?) {
    #expect(DiskCache(environment)?.folder.path == path)
  }

  @Test("A value comes back under its own kind and key only")
  func values() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("gpucheck-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let cache = DiskCache(folder: folder.path)
    #expect(cache.value([Double].self, of: "kind", key: "a") == nil)
    cache.keep([1.5, 0.1], of: "kind", key: "a")
    cache.keep([2.5], of: "kind", key: "b")
    #expect(cache.value([Double].self, of: "kind", key: "a") == [1.5, 0.1])
    #expect(cache.value([Double].self, of: "kind", key: "b") == [2.5])
    #expect(cache.value([Double].self, of: "other", key: "a") == nil)
    #expect(cache.value([String].self, of: "kind", key: "a") == nil)
    // JSON has no infinity: such a value is not kept, and the older one stays.
    cache.keep([Double.infinity], of: "kind", key: "a")
    #expect(cache.value([Double].self, of: "kind", key: "a") == [1.5, 0.1])
  }

  @Test("A device whose driver needs a command is refused where the PATH has none")
  func neededCommands() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("gpucheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let pocl = DeviceDescription(
      platformName: "Portable Computing Language", name: "pthread-skylake", kind: .cpu)
    for path in [nil, "", folder.path, "/no/such/folder"] {
      let line = Quirks.refusal(of: pocl, path: path)
      #expect(line?.contains("pthread-skylake needs the command ld") == true, "\(path ?? "nil")")
      #expect(Quirks.refusal(of: DeviceDescription(name: "g", kind: .gpu), path: path) == nil)
    }
    let linker = folder.appendingPathComponent("ld")
    try Data().write(to: linker)
    #expect(Quirks.refusal(of: pocl, path: folder.path) != nil)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: linker.path)
    #expect(Quirks.refusal(of: pocl, path: "/none:\(folder.path)") == nil)
  }
}
