import Foundation
import GPUCheck

/// What goes to the user's terminal, or to where it is redirected.
enum Terminal {
  /// Whether colour may be written on stdout: a terminal, and NO_COLOR (no-color.org) unset.
  static var takesColour: Bool {
    isatty(STDOUT_FILENO) == 1 && !isDumb && environment("NO_COLOR") == nil
  }

  /// Whether a line on stderr can be redrawn.
  static var takesProgress: Bool { isatty(STDERR_FILENO) == 1 && !isDumb }

  private static var isDumb: Bool { environment("TERM") == "dumb" }

  /// The value of an environment variable; nil where it is unset or empty.
  static func environment(_ name: String) -> String? {
    let value = ProcessInfo.processInfo.environment[name]
    return value?.isEmpty == false ? value : nil
  }

  /// Writes one line to stderr.
  static func tell(_ line: String) { draw("gpucheck: \(TextFormat.plain(line))\n") }

  /// Writes to stderr as it stands. There is nowhere left to complain if that fails.
  static func draw(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Writes a result to stdout.
  static func write(_ text: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      throw InputError(
        "standard output cannot be written", remedy: "check the space left, or use --output")
    }
  }

  /// Columns of the terminal that stderr goes to; 80 where that is not known.
  static var columns: Int {
    var size = winsize()
    let status = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}
