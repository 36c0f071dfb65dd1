import Foundation

/// The cores that this process may use. Foundation reads a handful of files each time it is asked.
package enum HostCores {
  package static let count = ProcessInfo.processInfo.activeProcessorCount
}
