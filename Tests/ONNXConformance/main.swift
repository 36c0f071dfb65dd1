import Foundation

// Runs ONNX's node tests from a folder and counts, by operator, those that pass, as Markdown on
// standard output. With a second argument only the tests whose name contains it, one a line.

guard let folder = CommandLine.arguments.dropFirst().first else {
  print("onnx-conformance FOLDER [NAME]")
  exit(2)
}
let tests = try NodeTest.all(in: URL(fileURLWithPath: folder, isDirectory: true))
if let part = CommandLine.arguments.dropFirst(2).first {
  for test in tests where test.name.contains(part) { print(test.name, test.run()) }
  exit(0)
}
print(try ConformanceTable(tests).markdown)
