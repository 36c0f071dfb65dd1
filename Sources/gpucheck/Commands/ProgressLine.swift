import Foundation
import GPUCheck

/// One line on stderr that is redrawn at most ten times a second, where stderr is a terminal.
///
/// `@unchecked Sendable`: what changes is touched under the lock only.
final class ProgressLine: @unchecked Sendable {
  private static let pause = Duration.milliseconds(100)
  /// Back to the first column, and everything after it erased.
  private static let erase = "\r\u{1B}[K"

  private let isShown: Bool
  private let lock = NSLock()
  private var lastDrawn: ContinuousClock.Instant?
  private var isOnScreen = false
  /// Where the stage now running was first seen.
  private var start: CheckProgress?

  init(quiet: Bool) { isShown = !quiet && Terminal.takesProgress }

  /// Shows what is being done, at once.
  func show(_ text: String) {
    lock.withLock { draw(text) }
  }

  /// Shows how far a check is, unless the line was drawn just now.
  func show(_ progress: CheckProgress) {
    guard isShown else { return }
    lock.withLock {
      if start?.stage != progress.stage || (start?.done ?? 0) > progress.done { start = progress }
      let isNew = start?.done == progress.done
      if !isNew, let lastDrawn, ContinuousClock.now - lastDrawn < Self.pause { return }
      draw(Self.text(progress, since: start ?? progress))
    }
  }

  /// Takes the line off the screen. Gives up where another thread is stuck in writing it.
  func clear() {
    guard lock.lock(before: Date(timeIntervalSinceNow: 0.2)) else { return }
    defer { lock.unlock() }
    if isOnScreen { Terminal.draw(Self.erase) }
    isOnScreen = false
  }

  private func draw(_ text: String) {
    guard isShown else { return }
    Terminal.draw(Self.erase + TextFormat.shortened(text, to: Terminal.columns - 1))
    lastDrawn = .now
    isOnScreen = true
  }

  /// `evaluating: 12,345 of 101,770 (12 %), 54,000/s, 2 s left`.
  private static func text(_ progress: CheckProgress, since start: CheckProgress) -> String {
    let done = TextFormat.count(progress.done)
    let total = TextFormat.count(progress.total)
    let percent = progress.total > 0 ? 100 * progress.done / progress.total : 100
    var text = "\(progress.stage): \(done) of \(total) (\(percent) %)"
    let seconds = progress.seconds - start.seconds
    let rate = Double(progress.done - start.done) / seconds
    // The first tenths of a second tell nothing of the rate.
    if seconds > 0.3, rate > 0, rate.isFinite {
      let left = Double(progress.total - progress.done) / rate
      let shownRate = rate >= 10 ? TextFormat.count(Int(rate)) : TextFormat.rough(rate)
      text += ", \(shownRate)/s, \(TextFormat.seconds(left)) left"
    }
    return text
  }
}
