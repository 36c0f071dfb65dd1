import Foundation
import Kernels

/// A cost that is somebody's own code, ready to be asked for J(θ + ε·e_i).
package struct UserCost: Sendable {
  /// Who evaluates it: all of one precision, each with lanes of its own at the same time.
  package var evaluators: [any LaneEvaluator]
  /// Where it runs, for reports.
  package var name: String
  /// The files that the cost is made of, by whose bytes a journal knows it; none where nothing tells it
  /// from another.
  package var files: [String]
  /// Evaluations that never came back; nil where a cost that crashes takes the check with it.
  package var losses: LossLog?
  /// What a report must say.
  package var warnings: [String] = []

  package init(
    evaluators: [any LaneEvaluator], name: String, files: [String] = [], losses: LossLog? = nil,
    warnings: [String] = []
  ) {
    self.evaluators = evaluators
    self.name = name
    self.files = files
    self.losses = losses
    self.warnings = warnings
  }
}

/// Evaluations of a user's code that never came back, as they happen.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
package final class LossLog: @unchecked Sendable {
  private let lock = NSLock()
  private var reasons: [Int: String] = [:]
  private var inARow = 0
  private var hangsInARow = 0

  /// Evaluations lost without an answer between them, and hangs among them, after which a check gives
  /// up.
  private static let mostInARow = 64
  private static let mostHangsInARow = 8

  package init() {}

  /// Why a component of θ could not be evaluated; nil where it could.
  func reason(_ component: Int) -> String? { lock.withLock { reasons[component] } }

  /// An evaluation came back.
  func noteAnswer() { lock.withLock { (inARow, hangsInARow) = (0, 0) } }

  /// An evaluation did not. Throws an `InputError` where none does any more.
  func noteLoss(of component: Int, _ reason: String, isHang: Bool) throws {
    try lock.withLock {
      reasons[component] = reasons[component] ?? reason
      inARow += 1
      if isHang { hangsInARow += 1 }
      guard inARow < Self.mostInARow, hangsInARow < Self.mostHangsInARow else {
        throw InputError(
          "\(inARow) evaluations in a row did not come back; the last: \(reason)",
          remedy: "run the cost at these parameters under a debugger")
      }
    }
  }
}
