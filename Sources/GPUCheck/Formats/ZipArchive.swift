import Foundation

/// A zip archive read by its central directory (PKWARE's APPNOTE 6.3, with zip64): stored and
/// deflated members, one disk, no encryption.
struct ZipArchive {
  /// One file of an archive, as the central directory tells it.
  struct Member: Equatable {
    var name: String
    /// 0 stored, 8 deflated.
    var method: UInt16
    var checksum: UInt32
    var size: Int
    /// Where its compressed bytes lie in the archive.
    var range: Range<Int>
  }

  /// The members in the order of the central directory; folders are left out.
  let members: [Member]
  private let data: Data

  /// Reads the directory. Every name and every size is checked here, before anything is expanded.
  init(_ data: Data) throws {
    let directory = try ZipDirectory(data)
    var members: [Member] = []
    var taken: [(start: Int, end: Int)] = []
    var names: Set<String> = []
    var offset = directory.range.lowerBound
    for _ in 0..<directory.count {
      let entry = try ZipEntry(data, at: offset, before: directory.range.upperBound)
      offset = entry.end
      try Self.check(name: entry.name)
      guard names.insert(entry.name).inserted else {
        throw InputError(
          "two members of the archive are named '\(entry.name)'",
          remedy: "write the archive again, each name once")
      }
      try entry.checkFlags()
      let range = try entry.locate(in: data, before: directory.range.lowerBound)
      taken.append((entry.headerOffset, range.upperBound))
      guard !entry.name.hasSuffix("/") else { continue }
      try entry.checkSizes()
      members.append(
        Member(
          name: entry.name, method: entry.method, checksum: entry.checksum, size: entry.size,
          range: range))
    }
    guard offset == directory.range.upperBound else {
      throw zipDamage("the directory is longer than its members")
    }
    taken.sort { $0.start < $1.start }
    for (one, next) in zip(taken, taken.dropFirst()) where one.end > next.start {
      throw zipDamage("two members share the same bytes")
    }
    self.members = members
    self.data = data
  }

  /// The expanded bytes of a member, its checksum verified.
  func contents(of member: Member) throws -> Data {
    let packed = try packed(member)
    let bytes = member.method == 0 ? packed : try Deflate.inflate(packed, size: member.size)
    guard Deflate.checksum(bytes) == member.checksum else {
      throw InputError(
        "damaged member: its CRC-32 differs from the one in the archive",
        remedy: "write or copy the archive again")
    }
    return bytes
  }

  /// The first expanded bytes of a member, `count` where there are so many; not verified.
  func prefix(of member: Member, count: Int) throws -> Data {
    let packed = try packed(member)
    return member.method == 0 ? packed.prefix(count) : try Deflate.prefix(packed, count: count)
  }

  /// The bytes of a member as they are stored.
  private func packed(_ member: Member) throws -> Data {
    guard let bytes = data.slice(at: member.range.lowerBound, count: member.range.count) else {
      throw zipDamage("it is cut short")
    }
    return bytes
  }

  /// Refuses a member name that no archive of tensors needs: empty, absolute, climbing, or with
  /// backslashes, colons or control characters.
  static func check(name: String) throws {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let isPlain = name.unicodeScalars.allSatisfy { scalar in
      scalar.value >= 0x20 && scalar.value != 0x7F && scalar != "\\"
    }
    guard isPlain, !name.isEmpty, !name.hasPrefix("/"), !parts.contains(".."),
      !(parts.first?.dropFirst().first == ":")
    else {
      throw InputError(
        "the name \(name.debugDescription) is an absolute or climbing path, or holds characters "
          + "that no tensor name needs",
        remedy: "rename it to plain letters and digits")
    }
  }
}

/// Where the central directory lies and how many members it lists.
private struct ZipDirectory {
  var count: Int
  var range: Range<Int>

  init(_ data: Data) throws {
    guard let end = Self.endRecord(of: data) else {
      throw InputError(
        "the archive has no directory at its end: it is cut short, or something follows it",
        remedy: "write or copy the archive again")
    }
    var disks = [data.field16(end + 4), data.field16(end + 6)]
    var countHere = data.field16(end + 8)
    var count = data.field16(end + 10)
    var size = data.field32(end + 12)
    var start = data.field32(end + 16)
    var limit = end
    // The zip64 locator, where there is one, stands just before.
    if data.littleEndian(UInt32.self, at: end - 20) == 0x0706_4B50 {
      let record = try data.field64(end - 12)
      guard data.littleEndian(UInt32.self, at: record) == 0x0606_4B50 else {
        throw zipDamage("its zip64 locator points nowhere")
      }
      disks = [data.field32(record + 16), data.field32(record + 20)]
      countHere = try data.field64(record + 24)
      count = try data.field64(record + 32)
      size = try data.field64(record + 40)
      start = try data.field64(record + 48)
      limit = record
    }
    guard disks == [0, 0], countHere == count else {
      throw InputError(
        "an archive split over several disks, expected one file",
        remedy: "write the archive again as one file")
    }
    guard let upper = start.adding(size), upper <= limit else {
      throw zipDamage("its directory lies outside the file")
    }
    guard count <= size / ZipEntry.fixedSize else {
      throw zipDamage("\(count) members do not fit in a directory of \(size) bytes")
    }
    self.count = count
    range = start..<upper
  }

  /// The offset of the end record: the last one whose comment reaches the end of the file exactly.
  private static func endRecord(of data: Data) -> Int? {
    var offset = data.count - 22
    let lowest = max(0, offset - Int(UInt16.max))
    while offset >= lowest {
      if data.littleEndian(UInt32.self, at: offset) == 0x0605_4B50,
        data.field16(offset + 20) == data.count - offset - 22
      {
        return offset
      }
      offset -= 1
    }
    return nil
  }
}

/// One record of the central directory.
private struct ZipEntry {
  static let fixedSize = 46
  var name: String
  var nameBytes: Data
  var flags: UInt16
  var method: UInt16
  var checksum: UInt32
  var packedSize: Int
  var size: Int
  var headerOffset: Int
  /// Where the next record begins.
  var end: Int

  init(_ data: Data, at offset: Int, before limit: Int) throws {
    guard offset <= limit - Self.fixedSize,
      data.littleEndian(UInt32.self, at: offset) == 0x0201_4B50
    else { throw zipDamage("its directory is broken at byte \(offset)") }
    flags = UInt16(truncatingIfNeeded: data.field16(offset + 8))
    method = UInt16(truncatingIfNeeded: data.field16(offset + 10))
    checksum = UInt32(truncatingIfNeeded: data.field32(offset + 16))
    packedSize = data.field32(offset + 20)
    size = data.field32(offset + 24)
    headerOffset = data.field32(offset + 42)
    let nameStart = offset + Self.fixedSize
    let nameLength = data.field16(offset + 28)
    let extraLength = data.field16(offset + 30)
    end = nameStart + nameLength + extraLength + data.field16(offset + 32)
    guard end <= limit, let bytes = data.slice(at: nameStart, count: nameLength),
      let extra = data.slice(at: nameStart + nameLength, count: extraLength)
    else { throw zipDamage("its directory is broken at byte \(offset)") }
    guard let text = String(bytes: bytes, encoding: .utf8) else {
      throw InputError(
        "a member of the archive has a name that is not UTF-8",
        remedy: "rename it with plain letters")
    }
    nameBytes = bytes
    name = text
    try takeZip64(from: extra)
    if data.field16(offset + 34) != 0 && data.field16(offset + 34) != 0xFFFF {
      throw zipDamage("'\(name)' lies on another disk")
    }
  }

  /// Sizes and offset that do not fit in 32 bits stand in the extra field 1, in this order.
  private mutating func takeZip64(from extra: Data) throws {
    let saturated = Int(UInt32.max)
    guard size == saturated || packedSize == saturated || headerOffset == saturated else { return }
    var offset = 0
    while offset <= extra.count - 4 {
      let length = extra.field16(offset + 2)
      let start = offset + 4
      offset = start + length
      guard extra.field16(start - 4) == 1 else { continue }
      guard var rest = extra.slice(at: start, count: length) else { break }
      func next(_ value: inout Int) throws {
        guard value == saturated else { return }
        value = try rest.field64(0)
        rest = rest.dropFirst(8)
      }
      try next(&size)
      try next(&packedSize)
      try next(&headerOffset)
      return
    }
  }

  func checkFlags() throws {
    // Bit 0: encrypted; 6: strong encryption; 13: masked headers.
    guard flags & 0x2041 == 0 else {
      throw InputError(
        "the member '\(name)' is encrypted", remedy: "write the archive without a password")
    }
    guard method == 0 || method == 8 else {
      let known: [UInt16: String] = [9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard"]
      throw InputError(
        "the member '\(name)' is compressed by \(known[method] ?? "method \(method)"), expected "
          + "stored or deflated",
        remedy: "write the archive with numpy.savez or numpy.savez_compressed")
    }
  }

  func checkSizes() throws {
    let most = method == 0 ? packedSize : packedSize.multiplied(by: Deflate.greatestExpansion)
    guard let most, size <= most, method == 8 || size == packedSize else {
      throw InputError(
        "the member '\(name)' announces \(size) bytes, more than its \(packedSize) stored bytes "
          + "can hold",
        remedy: "write or copy the archive again")
    }
  }

  /// Where the compressed bytes lie: after the local header, which must agree with this record.
  func locate(in data: Data, before limit: Int) throws -> Range<Int> {
    guard let fixedEnd = headerOffset.adding(30), fixedEnd <= limit,
      data.littleEndian(UInt32.self, at: headerOffset) == 0x0403_4B50
    else { throw zipDamage("the header of '\(name)' is not where the directory says") }
    let nameLength = data.field16(headerOffset + 26)
    let start = fixedEnd + nameLength + data.field16(headerOffset + 28)
    guard data.slice(at: fixedEnd, count: nameLength) == nameBytes,
      data.field16(headerOffset + 8) == Int(method)
    else { throw zipDamage("the header of '\(name)' contradicts the directory") }
    guard let end = start.adding(packedSize), end <= limit else {
      throw zipDamage("the member '\(name)' is cut short")
    }
    return start..<end
  }
}

private func zipDamage(_ what: String) -> InputError {
  InputError("damaged archive: \(what)", remedy: "write or copy the archive again")
}

extension Data {
  // Fields of records whose presence has been checked; 0 beyond the end.
  fileprivate func field16(_ offset: Int) -> Int {
    Int(littleEndian(UInt16.self, at: offset) ?? 0)
  }

  fileprivate func field32(_ offset: Int) -> Int {
    Int(littleEndian(UInt32.self, at: offset) ?? 0)
  }

  fileprivate func field64(_ offset: Int) throws -> Int {
    guard let value = littleEndian(UInt64.self, at: offset), let number = Int(exactly: value) else {
      throw zipDamage("a zip64 field is missing or out of range")
    }
    return number
  }
}
