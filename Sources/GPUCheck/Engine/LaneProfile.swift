import Foundation

/// Where the time of lanes on a device went, by kernel, as its events tell.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
package final class LaneProfile: @unchecked Sendable {
  private let lock = NSLock()
  private var kernels: [String: CheckReport.Profile.Kernel] = [:]

  package init() {}

  /// A launch: how long it ran, and what its step needs at least.
  func add(_ kernel: String, seconds: Double, multiplyAdds: Double, bytes: Double) {
    lock.withLock {
      var row =
        kernels[kernel]
        ?? CheckReport.Profile.Kernel(
          name: kernel, launches: 0, seconds: 0, multiplyAdds: 0, bytes: 0)
      row.launches += 1
      row.seconds += seconds
      row.multiplyAdds += multiplyAdds
      row.bytes += bytes
      kernels[kernel] = row
    }
  }

  /// All kernels, the longest first.
  var rows: [CheckReport.Profile.Kernel] {
    lock.withLock { kernels.values.sorted { ($1.seconds, $0.name) < ($0.seconds, $1.name) } }
  }
}

/// What the host did one after the other, and how long each took.
///
/// `@unchecked Sendable`: everything that changes is touched under the lock only.
final class PhaseClock: @unchecked Sendable {
  private let lock = NSLock()
  private var done: [CheckReport.Profile.Phase] = []
  private var now: (name: String, start: ContinuousClock.Instant)?

  /// Ends the phase that runs and begins another; nil begins none.
  func enter(_ name: String?) {
    lock.withLock {
      let time = ContinuousClock.now
      if let now {
        let seconds = (time - now.start).seconds
        if let at = done.firstIndex(where: { $0.name == now.name }) {
          done[at].seconds += seconds
        } else {
          done.append(CheckReport.Profile.Phase(name: now.name, seconds: seconds))
        }
      }
      now = name.map { ($0, time) }
    }
  }

  /// The phases in the order they began.
  var phases: [CheckReport.Profile.Phase] {
    enter(nil)
    return lock.withLock { done }
  }
}

extension CheckReport {
  /// Where the time went.
  public struct Profile: Sendable {
    /// A kernel's launches together.
    public struct Kernel: Sendable {
      public var name: String
      public var launches: Int
      /// On the device.
      public var seconds: Double
      /// What the steps need: products, or elements where they have none.
      public var multiplyAdds: Double
      /// Of the lanes that the steps read and write.
      public var bytes: Double
    }

    /// Something the host did, waiting for devices included.
    public struct Phase: Sendable {
      public var name: String
      public var seconds: Double
    }

    public var kernels: [Kernel]
    public var phases: [Phase]
  }
}
