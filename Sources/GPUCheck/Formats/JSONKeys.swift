import Foundation

/// Throws an `InputError` naming the place where a key of an object stands a second time.
///
/// Foundation accepts such a text and keeps one of the values. `text` must be valid JSON: this only
/// follows its brackets and strings.
func requireUniqueKeys(_ text: Data) throws {
  try text.withUnsafeBytes { raw in
    var scan = KeyScan(text: raw)
    try scan.run()
  }
}

private struct KeyScan {
  /// An object or an array that is open.
  private struct Level {
    /// The keys of an object so far; nil in an array.
    var keys: Set<String>?
    /// The key whose value is next, or stands here; nil where a key is expected.
    var key: String?
    /// The position in an array.
    var index = 0
  }

  let text: UnsafeRawBufferPointer
  private var position = 0
  private var levels: [Level] = []

  init(text: UnsafeRawBufferPointer) { self.text = text }

  mutating func run() throws {
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "{"): levels.append(Level(keys: []))
      case UInt8(ascii: "["): levels.append(Level())
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = levels.popLast()
      case UInt8(ascii: ","):
        if let last = levels.indices.last {
          levels[last].key = nil
          levels[last].index += 1
        }
      case UInt8(ascii: "\""):
        let string = skipString()
        if let last = levels.indices.last, levels[last].keys != nil, levels[last].key == nil {
          try add(string)
        }
        continue
      default: break
      }
      position += 1
    }
  }

  private mutating func add(_ string: Range<Int>) throws {
    let key = decoded(string)
    let last = levels.count - 1
    levels[last].key = key
    guard levels[last].keys?.insert(key).inserted == true else {
      throw InputError(
        "the key stands twice in its object", tensor: path, remedy: "leave one of the two out")
    }
  }

  /// Steps over a string; what lies between its quotes.
  private mutating func skipString() -> Range<Int> {
    let start = position + 1
    position = start
    while position < text.count, text[position] != UInt8(ascii: "\"") {
      position += text[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    let end = min(position, text.count)
    position = end + 1
    return start..<end
  }

  /// The characters of a string; escapes are left to Foundation.
  private func decoded(_ string: Range<Int>) -> String {
    let bytes = text[string]
    let plain = String(decoding: bytes, as: UTF8.self)
    guard bytes.contains(UInt8(ascii: "\\")) else { return plain }
    let quoted = Data("\"\(plain)\"".utf8)
    return (try? JSONSerialization.jsonObject(with: quoted, options: .fragmentsAllowed)) as? String
      ?? plain
  }

  /// The path to the current key, such as `layers[1].units`.
  private var path: String {
    levels.reduce(into: "") { path, level in
      path += level.keys == nil ? "[\(level.index)]" : (path.isEmpty ? "" : ".") + (level.key ?? "")
    }
  }
}
