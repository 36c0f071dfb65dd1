import Foundation
import GPUCheck

/// How many of ONNX's node tests pass, by operator.
struct ConformanceTable {
  private struct Row {
    var passed = 0
    var total = 0
    var failures: [(name: String, reason: String)] = []
  }

  private var rows: [String: Row] = [:]

  /// Runs the tests with a floating-point output.
  init(_ tests: [NodeTest]) throws {
    for test in tests {
      // Integers that no double holds are no numbers of a cost.
      guard let outputs = try? test.expected(),
        outputs.values.contains(where: \.elementType.isFloatingPoint)
      else { continue }
      var row = rows[test.operation] ?? Row()
      row.total += 1
      switch test.run() {
      case .passed: row.passed += 1
      case .failed(let reason): row.failures.append((test.name, reason))
      }
      rows[test.operation] = row
    }
  }

  /// The reason without the folder that the tests happened to lie in.
  private func short(_ reason: String) -> String {
    reason.split(separator: " ").map { word in
      word.contains("/model.onnx:") ? "model.onnx:" : String(word)
    }.joined(separator: " ")
  }

  /// What a reason does not say by itself, by the beginning of the test's name.
  private static let remarks = [
    "test_averagepool_2d_ceil_last_window_starts_on_pad":
      "the output that the test expects was written down with four digits",
    "test_mod_float_edge_cases":
      "a negative number modulo infinity, by a - b * floor(a / b); differences of such have no meaning",
  ]

  private static let controlFlow: Set = ["If", "Loop", "Scan"]

  /// The table of the supported operators, what fails of them, and the operators left out.
  var markdown: String {
    let known = Set(OperatorRegistry.all.map(\.name)).union(Self.controlFlow)
    let supported = rows.filter { known.contains($0.key) }.sorted { $0.key < $1.key }
    let (passed, total) = supported.reduce((0, 0)) {
      ($0.0 + $1.value.passed, $0.1 + $1.value.total)
    }
    var lines = [
      "Of the node tests of the supported operators \(passed) of \(total) pass.", "",
      "| operator | passed | tests |", "|---|---|---|",
    ]
    lines += supported.map { "| \($0.key) | \($0.value.passed) | \($0.value.total) |" }
    lines += ["", "What does not pass, and why:", ""]
    for (_, row) in supported {
      lines += row.failures.map { failure in
        let remark = Self.remarks.first { failure.name.hasPrefix($0.key) }?.value
        return "- `\(failure.name)`: \(short(failure.reason))" + (remark.map { " (\($0))" } ?? "")
      }
    }
    let others = rows.keys.filter { !known.contains($0) }.sorted()
    lines += ["", "Operators that are not supported: \(others.joined(separator: ", "))."]
    return lines.joined(separator: "\n")
  }
}
