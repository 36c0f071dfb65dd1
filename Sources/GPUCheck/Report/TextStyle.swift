import Foundation

/// How text looks at a terminal.
struct TextStyle {
  /// Whether escape sequences for colour may be written.
  var colour: Bool

  func bold(_ text: String) -> String { wrap(text, "1") }
  func red(_ text: String) -> String { wrap(text, "31") }
  func green(_ text: String) -> String { wrap(text, "32") }
  func yellow(_ text: String) -> String { wrap(text, "33") }
  func faint(_ text: String) -> String { wrap(text, "2") }

  private func wrap(_ text: String, _ code: String) -> String {
    colour ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}

/// Numbers and words for people.
package enum TextFormat {
  /// A count with its thousands apart: `101,770`.
  package static func count(_ value: Int) -> String {
    var digits = Array(String(value.magnitude))
    var place = digits.count - 3
    while place > 0 {
      digits.insert(",", at: place)
      place -= 3
    }
    return (value < 0 ? "-" : "") + String(digits)
  }

  /// A count and what is counted: `1 component`, `2 components`.
  package static func count(_ value: Int, _ noun: String) -> String {
    count(value) + " " + noun + (value == 1 ? "" : "s")
  }

  /// A distance or an error bar, two digits: `3.1e-12`.
  package static func rough(_ value: Double) -> String {
    value == 0 ? "0" : shortExponent(format(value, "%.1e"))
  }

  /// A number of units, three digits: `0.512`, `17`, `3.1e+4` for large ones.
  package static func short(_ value: Double) -> String {
    value.magnitude < 1e6 && value == value.rounded()
      ? count(Int(value)) : shortExponent(format(value, "%.3g"))
  }

  /// A number that somebody wrote, as short as it reads back: `1e-7`.
  package static func exact(_ value: Double) -> String {
    let digits = shortExponent("\(value)")
    return digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits
  }

  /// A component, nine digits.
  package static func value(_ value: Double) -> String { shortExponent(format(value, "%.9g")) }

  /// Memory: `13.2 GiB`.
  package static func bytes(_ value: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    let place = (1..<units.count).last { value >> (10 * $0) > 0 } ?? 0
    guard place > 0 else { return "\(value) bytes" }
    return String(format: "%.1f ", Double(value) / Double(1 << (10 * place))) + units[place]
  }

  /// Seconds: `21 ms`, `0.21 s`, `14 s`, `3 min 20 s`, `2 h 5 min`, `12 days`, `5 years`.
  package static func seconds(_ value: Double) -> String {
    guard value.isFinite, value < 1e9 else { return "unknown" }
    if value > 0, value < 0.0095 { return format((10_000 * value).rounded(.up) / 10, "%.1f ms") }
    if value < 0.1 { return "\(Int((1000 * value).rounded(.up))) ms" }
    if value < 10 { return format(value, "%.2f s") }
    let whole = Int(value.rounded())
    if whole < 120 { return "\(whole) s" }
    if whole < 7200 { return "\(whole / 60) min \(whole % 60) s" }
    let days = whole / 86_400
    if days > 1000 { return "\(days / 365) years" }
    if days > 1 { return "\(days) days" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// Text from a file on one line, without anything that a terminal would obey.
  package static func plain(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
          return isControl ? (scalar == "\n" || scalar == "\t" ? " " : "?") : scalar
        }))
  }

  /// Words in lines of at most so many columns: `first` before the first, as many spaces before
  /// the others. A word longer than a line is shortened.
  package static func wrapped(_ text: String, first: String = "", columns: Int = 100) -> String {
    let margin = String(repeating: " ", count: first.count)
    var lines: [String] = []
    var line = first
    var isBegun = false
    for word in plain(text).split(separator: " ") {
      let word = shortened(String(word), to: columns - margin.count)
      if isBegun, line.count + 1 + word.count > columns {
        lines.append(line)
        line = margin
        isBegun = false
      }
      line += isBegun ? " " + word : word
      isBegun = true
    }
    lines.append(line)
    return lines.joined(separator: "\n")
  }

  /// Text of at most so many columns, an ellipsis in its middle where some is left out.
  package static func shortened(_ text: String, to columns: Int) -> String {
    guard text.count > columns, columns > 1 else { return text }
    let tail = (columns - 1) / 2
    return text.prefix(columns - 1 - tail) + "…" + text.suffix(tail)
  }

  /// `1e-7` where C writes `1e-07`.
  private static func shortExponent(_ digits: String) -> String {
    digits.replacingOccurrences(of: "e-0", with: "e-").replacingOccurrences(of: "e+0", with: "e+")
  }

  private static func format(_ value: Double, _ pattern: String) -> String {
    if value.isNaN { return "not a number" }
    if value.isInfinite { return value < 0 ? "-infinity" : "infinity" }
    return String(format: pattern, value)
  }
}
