import ArgumentParser
import Foundation
import GPUCheck

/// How the values of options are read. What is thrown stands after "The value 'X' is invalid for
/// '--option': ".
enum OptionValue {
  /// One of the cases of an enumeration, by its raw value; the nearest is suggested.
  static func choice<Value>(_ text: String) throws -> Value
  where Value: CaseIterable & RawRepresentable<String> {
    if let value = Value(rawValue: text) { return value }
    let names = Value.allCases.map(\.rawValue)
    let near = nearestName(to: text, among: names).map { "did you mean \($0)? " } ?? ""
    throw ValidationError(near + "expected " + names.joined(separator: ", "))
  }

  /// The completion of such an option.
  static func completion<Value>(_: Value.Type) -> CompletionKind
  where Value: CaseIterable & RawRepresentable<String> {
    .list(Value.allCases.map(\.rawValue))
  }

  /// A whole number of at least so much.
  static func count(_ text: String, atLeast least: Int) throws -> Int {
    guard let value = Int(text), value >= least else {
      throw ValidationError("expected a whole number of at least \(least)")
    }
    return value
  }

  static func seed(_ text: String) throws -> UInt64 {
    guard let value = UInt64(text) else {
      throw ValidationError("expected a whole number from 0 to \(UInt64.max)")
    }
    return value
  }

  /// Bytes: a number with K, M, G or T (1024 each; KiB, MB and the like are the same) or without.
  static func bytes(_ text: String) throws -> Int {
    let letters = text.lowercased().drop { $0.isNumber || $0 == "." }
    let number = Double(text.prefix(text.count - letters.count))
    let powers = ["": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4]
    let unit =
      letters.hasSuffix("ib")
      ? letters.dropLast(2)
      : letters.count > 1 && letters.hasSuffix("b") ? letters.dropLast() : letters
    guard let number, let power = powers[String(unit)], number > 0,
      let bytes = Int(exactly: (number * Double(1 << (10 * power))).rounded())
    else { throw ValidationError("expected a size such as 512M or 2G") }
    return bytes
  }

  static func seconds(_ text: String) throws -> Double {
    guard let value = Double(text), value.isFinite, value > 0 else {
      throw ValidationError("expected a number of seconds above 0")
    }
    return value
  }

  /// A time: a number of seconds, or with s, m, min or h.
  static func duration(_ text: String) throws -> Double {
    let units = ["": 1.0, "s": 1, "m": 60, "min": 60, "h": 3600]
    let letters = String(text.drop { $0.isNumber || $0 == "." })
    guard let value = Double(text.dropLast(letters.count)), let unit = units[letters],
      value > 0, (value * unit).isFinite
    else { throw ValidationError("expected a time such as 90, 10min or 2h") }
    return value * unit
  }

  static func tolerance(_ text: String) throws -> Double {
    guard let value = Double(text), value.isFinite, value >= 0 else {
      throw ValidationError("expected a number of at least 0, such as 1e-5")
    }
    return value
  }

  static func cost(_ text: String) throws -> ExpectedCost {
    guard let cost = ExpectedCost(text) else {
      throw ValidationError("expected the cost that your code gives, such as 2.3026")
    }
    return cost
  }
}

/// The step: `auto` or a number above 0.
struct StepOption: CustomStringConvertible, Sendable {
  /// nil for auto.
  var epsilon: Double?

  static let automatic = StepOption(epsilon: nil)

  static func parse(_ text: String) throws -> StepOption {
    if text.lowercased() == "auto" { return automatic }
    guard let value = Double(text), value.isFinite, value > 0 else {
      throw ValidationError("expected auto, or a number above 0 such as 1e-5")
    }
    return StepOption(epsilon: value)
  }

  var description: String { epsilon.map { "\($0)" } ?? "auto" }
}

/// How a result is written.
enum OutputFormat: String, CaseIterable, Sendable {
  /// For people.
  case text
  /// For programs.
  case json
}
