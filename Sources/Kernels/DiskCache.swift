import Foundation

/// Results that outlive the process: small JSON files in one folder, each with the whole of its key.
///
/// Whatever goes wrong costs the result and nothing else: an entry that is damaged, of another key
/// or unreadable counts as absent, and one that cannot be written is computed again next time. A
/// file is replaced whole by renaming, so processes that write the same entry do not disturb each
/// other.
package struct DiskCache: Sendable {
  /// The environment variable that names another folder; empty, it switches the cache off.
  package static let variable = "GPUCHECK_CACHE_DIR"

  /// The cache of this user; nil where it is switched off or there is no home for it.
  package static let standard = DiskCache(ProcessInfo.processInfo.environment)

  /// Where the files are.
  package let folder: URL

  /// A cache in a folder, which is made at the first write.
  package init(folder: String) { self.folder = URL(fileURLWithPath: folder, isDirectory: true) }

  /// The cache that an environment asks for: `variable`, else `gpucheck` in `XDG_CACHE_HOME`, else
  /// in `~/.cache` (XDG Base Directory Specification 0.8, by which relative paths are ignored).
  package init?(_ environment: [String: String]) {
    if let folder = environment[Self.variable] {
      guard !folder.isEmpty else { return nil }
      self.init(folder: folder)
      return
    }
    func absolute(_ name: String) -> String? {
      environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    guard let root = absolute("XDG_CACHE_HOME") ?? absolute("HOME").map({ "\($0)/.cache" }) else {
      return nil
    }
    self.init(folder: "\(root)/gpucheck")
  }

  /// What a file holds.
  private struct Entry<Value: Codable>: Codable {
    var schema = cacheSchema
    var key: String
    var value: Value
  }

  /// The value under a key; nil where there is none that can be trusted to be of that key.
  package func value<Value: Codable>(_ type: Value.Type, of kind: String, key: String) -> Value? {
    guard let data = FileManager.default.contents(atPath: file(kind, key).path),
      let entry = try? JSONDecoder().decode(Entry<Value>.self, from: data),
      entry.schema == cacheSchema, entry.key == key
    else { return nil }
    return entry.value
  }

  /// Keeps a value under a key, where that can be done.
  package func keep(_ value: some Codable, of kind: String, key: String) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(Entry(key: key, value: value)) else { return }
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try? data.write(to: file(kind, key), options: .atomic)
  }

  /// Forgets what stands under a key.
  package func forget(_ kind: String, key: String) {
    try? FileManager.default.removeItem(at: file(kind, key))
  }

  private func file(_ kind: String, _ key: String) -> URL {
    folder.appendingPathComponent("\(kind)-\(StableHash.digits(of: key)).json")
  }
}

private let cacheSchema = "gpucheck.cache/1"
