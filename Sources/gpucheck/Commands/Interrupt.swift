import Dispatch
import Foundation

/// Ctrl-C: ends the program with status 130, whatever the other threads are doing.
///
/// Files are written whole or not at all, so there is nothing to undo.
enum Interrupt {
  /// Kept for the life of the process; set once, before any other thread of ours runs.
  private nonisolated(unsafe) static var source: (any DispatchSourceSignal)?

  /// From here on Ctrl-C calls `cleanUp`, waits for it no longer than half a second, and ends.
  static func handle(_ cleanUp: @escaping @Sendable () -> Void) {
    let interrupt = DispatchSource.makeSignalSource(
      signal: SIGINT, queue: DispatchQueue(label: "gpucheck.interrupt", qos: .userInteractive))
    interrupt.setEventHandler {
      DispatchQueue(label: "gpucheck.interrupt.deadline", qos: .userInteractive)
        .asyncAfter(deadline: .now() + 0.5) { _exit(Failure.Status.interrupted) }
      cleanUp()
      _exit(Failure.Status.interrupted)
    }
    signal(SIGINT, SIG_IGN)
    interrupt.activate()
    source = interrupt
  }
}
