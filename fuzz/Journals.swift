import CZlib
import Foundation
import GPUCheck

/// Opens the bytes as a journal of a check whose hashes are 1, 2 and 3, and recalls a few lanes.
///
/// No mutation finds a checksum by chance: files that do not end in a zero byte have the checksums
/// of their records corrected first.
func readJournal(_ data: Data) throws {
  let file = data.last == 0 ? data : correctingChecksums(data)
  try file.write(to: URL(fileURLWithPath: journalPath))
  let journal = try JournalFile(
    journalPath, JournalIdentity(problem: 1, parameters: 2, options: 3))
  let batch = LaneBatch(segment: 0, components: [0, 0, 1, 1], moves: [1, -1, 1, -1])
  let section = journal.section(0)
  for _ in 0..<2 {
    for known in section.recall([batch, batch]).known {
      let count = known.results.values.count
      precondition(known.range.count == count && known.results.flags.count == count)
      precondition(known.batch < 2 && known.range.upperBound <= batch.count)
    }
  }
}

private let journalPath = NSTemporaryDirectory() + "gpucheck-fuzz-\(getpid()).journal"

private func correctingChecksums(_ data: Data) -> Data {
  var bytes = [UInt8](data)
  // The header: a line and three hashes.
  var head = 19 + 24
  while head + 8 <= bytes.count {
    let length = (0..<4).reduce(0) { $0 | Int(bytes[head + $1]) << (8 * $1) }
    guard length <= bytes.count - head - 8 else { break }
    let body = Array(bytes[head + 8..<head + 8 + length])
    let checksum = crc32_z(0, body, body.count)
    for place in 0..<4 {
      bytes[head + 4 + place] = UInt8(truncatingIfNeeded: checksum >> (8 * place))
    }
    head += 8 + length
  }
  return Data(bytes)
}
