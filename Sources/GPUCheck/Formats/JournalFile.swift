import Foundation
import Kernels

/// What a check's results depend on, in hashes: a journal of anything else is refused.
package struct JournalIdentity: Sendable, Equatable {
  /// The graph, the batch's values included.
  package var problem: UInt64
  package var parameters: UInt64
  /// Options, devices and kernels.
  package var options: UInt64

  package init(problem: UInt64, parameters: UInt64, options: UInt64) {
    self.problem = problem
    self.parameters = parameters
    self.options = options
  }
}

/// The results of lanes in a file that grows as they come: a check that was ended, however suddenly,
/// goes on where it was.
///
/// The file: `magic`, the three hashes of the identity, and records. A record: the length of its
/// body and the body's CRC-32, 4 bytes each, then the body: section, piece of work, batch, first
/// lane, lanes (8 bytes each), the hash of what was asked (8 bytes), values (8 bytes each) and flags
/// (1 byte each). Everything is little-endian. A record that is cut short or damaged is taken off
/// with all that follows.
///
/// `@unchecked Sendable`: what changes after init is touched under the lock only.
package final class JournalFile: @unchecked Sendable {
  static let magic = Data("gpucheck journal 1\n".utf8)
  private static let headerSize = magic.count + 24
  private static let bodyFixedSize = 48
  /// Records written since so many seconds are not yet on the disk after a power cut.
  private static let syncInterval = 0.1

  private let path: String
  private let handle: FileHandle
  private let lock = NSLock()
  private var end: UInt64
  private var entries: [Place: [Entry]] = [:]
  private var lastSync = ContinuousClock.now
  private var failure: String?
  private var recalledLanes = 0

  /// A piece of work of a section.
  private struct Place: Hashable {
    var section: Int
    var call: Int
  }

  private struct Entry {
    var batch: Int
    var range: Range<Int>
    var hash: UInt64
    /// Where the values begin in the file.
    var offset: UInt64
  }

  /// Opens a journal, or begins one where there is no such file.
  ///
  /// Throws an `InputError` where the file cannot be written, is no journal, is another check's, or
  /// is in use by another process.
  package init(_ path: String, _ identity: JournalIdentity) throws {
    self.path = path
    func refuse(_ problem: String, _ remedy: String) -> InputError {
      InputError(problem, file: path, remedy: remedy)
    }
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw refuse(
        "the journal cannot be opened: \(String(cString: strerror(errno)))",
        "choose a file that can be read and written")
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw refuse("the journal is not a regular file", "choose another name")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw refuse(
        "the journal is in use by another process", "wait for it, or choose another name")
    }
    end = UInt64(Self.headerSize)
    let header = try handle.read(upToCount: Self.headerSize) ?? Data()
    if header.count < Self.headerSize, Self.header(identity).starts(with: header) {
      try start(identity)
      return
    }
    guard header.count == Self.headerSize, header.starts(with: Self.magic) else {
      throw refuse(
        header.starts(with: Data("gpucheck journal ".utf8))
          ? "the journal is of another version of gpucheck" : "this is not a journal of gpucheck",
        "choose another name; the file was left as it is")
    }
    let found = Self.identity(header)
    let others = [
      (found.problem == identity.problem, "the model or the batch"),
      (found.parameters == identity.parameters, "the parameters"),
      (found.options == identity.options, "the options, the device or gpucheck itself"),
    ].filter { !$0.0 }.map(\.1)
    guard others.isEmpty else {
      throw refuse(
        "the journal is of another check: \(others.joined(separator: " and ")) differ",
        "choose another name, or remove the file to begin anew")
    }
    try index(size: UInt64(clamping: Int(status.st_size)))
  }

  // MARK: Header

  private static func header(_ identity: JournalIdentity) -> Data {
    var header = magic
    for hash in [identity.problem, identity.parameters, identity.options] {
      header.appendLittleEndian(hash)
    }
    return header
  }

  private static func identity(_ header: Data) -> JournalIdentity {
    func hash(_ place: Int) -> UInt64 { header.littleEndian(at: magic.count + 8 * place) ?? 0 }
    return JournalIdentity(problem: hash(0), parameters: hash(1), options: hash(2))
  }

  private func start(_ identity: JournalIdentity) throws {
    do {
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: Self.header(identity))
      try handle.synchronize()
    } catch {
      throw InputError(
        "the journal cannot be written", file: path, remedy: "check the space left on the disk")
    }
  }

  // MARK: Reading

  /// Reads the records' heads, and takes off what is damaged.
  private func index(size: UInt64) throws {
    while let body = readBody(before: size) {
      let fields = (0..<6).compactMap { body.littleEndian(UInt64.self, at: 8 * $0) }
      let numbers = fields.prefix(5).compactMap { Int(exactly: $0) }
      guard fields.count == 6, numbers.count == 5,
        body.count - Self.bodyFixedSize == numbers[4].multiplied(by: 9),
        let last = numbers[3].adding(numbers[4])
      else { break }
      entries[Place(section: numbers[0], call: numbers[1]), default: []].append(
        Entry(
          batch: numbers[2], range: numbers[3]..<last, hash: fields[5],
          offset: end + 8 + UInt64(Self.bodyFixedSize)))
      end += 8 + UInt64(body.count)
    }
    try handle.truncate(atOffset: end)
  }

  /// The body of the record at `end`; nil where there is none that is whole.
  private func readBody(before size: UInt64) -> Data? {
    guard size >= end + 8, (try? handle.seek(toOffset: end)) != nil,
      let head = try? handle.read(upToCount: 8),
      let length = head.littleEndian(UInt32.self, at: 0),
      let checksum = head.littleEndian(UInt32.self, at: 4),
      length >= Self.bodyFixedSize, UInt64(length) <= size - end - 8,
      let body = try? handle.read(upToCount: Int(length)), body.count == Int(length),
      Deflate.checksum(body) == checksum
    else { return nil }
    return body
  }

  private func results(of entry: Entry) -> LaneResults? {
    let count = entry.range.count
    guard (try? handle.seek(toOffset: entry.offset)) != nil,
      let data = try? handle.read(upToCount: 9 * count), data.count == 9 * count
    else { return nil }
    return LaneResults(
      values: (0..<count).map { Double(bitPattern: data.littleEndian(at: 8 * $0) ?? 0) },
      flags: data.suffix(count).map { LaneFlags(rawValue: UInt32($0)) })
  }

  // MARK: A section

  /// Lanes found in the file so far.
  package var recalled: Int { lock.withLock { recalledLanes } }

  /// Why results were no longer kept; nil where all were.
  package var note: String? { lock.withLock { failure } }

  /// The journal of one pool of a check.
  package func section(_ number: Int) -> any LaneJournal { Section(file: self, number: number) }

  fileprivate func recall(_ place: (section: Int, call: Int), _ batches: [LaneBatch]) -> LaneRecall
  {
    lock.withLock {
      let place = Place(section: place.section, call: place.call)
      var known: [(batch: Int, range: Range<Int>, results: LaneResults)] = []
      for entry in entries[place] ?? [] {
        guard batches.indices.contains(entry.batch),
          entry.range.upperBound <= batches[entry.batch].count,
          !known.contains(where: {
            $0.batch == entry.batch && $0.range.overlaps(entry.range)
          }), batches[entry.batch].hash(entry.range) == entry.hash,
          let results = results(of: entry)
        else { continue }
        known.append((entry.batch, entry.range, results))
        recalledLanes += entry.range.count
      }
      return LaneRecall(known: known) { [self] batch, range, results in
        record(place, batch, range, results, hash: batches[batch].hash(range))
      }
    }
  }

  private func record(
    _ place: Place, _ batch: Int, _ range: Range<Int>, _ results: LaneResults, hash: UInt64
  ) {
    var body = Data(capacity: Self.bodyFixedSize + 9 * range.count)
    for number in [place.section, place.call, batch, range.lowerBound, range.count] {
      body.appendLittleEndian(UInt64(number))
    }
    body.appendLittleEndian(hash)
    for value in results.values { body.appendLittleEndian(value.bitPattern) }
    body.append(contentsOf: results.flags.map { UInt8(truncatingIfNeeded: $0.rawValue) })
    var record = Data(capacity: 8 + body.count)
    record.appendLittleEndian(UInt32(body.count))
    record.appendLittleEndian(Deflate.checksum(body))
    record.append(body)
    lock.withLock {
      guard failure == nil else { return }
      do {
        try handle.seek(toOffset: end)
        try handle.write(contentsOf: record)
        end += UInt64(record.count)
        guard (ContinuousClock.now - lastSync).seconds > Self.syncInterval else { return }
        try handle.synchronize()
        lastSync = .now
      } catch {
        // A full disk is no reason to lose the check.
        failure = "the journal \(path) could not be written on, so nothing was kept from there on"
      }
    }
  }
}

/// One pool's pieces of work, counted in the order in which they come.
private final class Section: LaneJournal, @unchecked Sendable {
  private let file: JournalFile
  private let number: Int
  private let lock = NSLock()
  private var calls = 0

  init(file: JournalFile, number: Int) {
    self.file = file
    self.number = number
  }

  func recall(_ batches: [LaneBatch]) -> LaneRecall {
    let call = lock.withLock {
      calls += 1
      return calls - 1
    }
    return file.recall((number, call), batches)
  }
}

extension LaneBatch {
  /// A hash of what is asked of some lanes.
  fileprivate func hash(_ range: Range<Int>) -> UInt64 {
    var hash = StableHash()
    hash.add(segment)
    hash.add(Int(tiePolicy.rawValue))
    let lanes = self[range]
    if let run = lanes.run {
      hash.add(run.range.lowerBound)
      hash.add(run.range.count)
      hash.add(run.moves)
    } else {
      hash.add(lanes.components)
      hash.add(lanes.moves)
    }
    return hash.value
  }
}
