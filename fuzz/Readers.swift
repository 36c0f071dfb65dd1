import Foundation
import GPUCheck

/// A reader of files under test. Adding one: a line in `all`, and seeds in fuzz/corpus/NAME.
struct Reader: Sendable {
  /// Takes the bytes of a file; may throw an `InputError` and nothing else.
  var read: @Sendable (Data) throws -> Void
  /// How many times the file's size all allocations together may come to.
  var total = Allocations.factor
  /// The bytes to which allocations are held: the file's own, unless its format compresses.
  var size: @Sendable (Data) -> Int = { $0.count }

  static let all: [String: Reader] = [
    // Foundation makes several objects of a value of two characters.
    "network": Reader(read: { _ = try NetworkFile.decode($0) }, total: 512),
    "npy": Reader { _ = try NumPyFile.decode($0) },
    "npz": Reader(read: { _ = try NPZFile.decode($0) }, size: { sizeExpanded($0) }),
    "journal": Reader { try readJournal($0) },
  ]
}
