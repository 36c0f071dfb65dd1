import Foundation

/// Builds a zip archive of deflated members in memory. The same members give the same bytes.
struct ZipWriter {
  /// Sizes and offsets above this are written in zip64 fields.
  private let zip64Above: Int
  private var data = Data()
  private var directory = Data()
  private var count = 0

  /// An empty archive. The limit is a parameter so that tests reach zip64 with small files.
  init(zip64Above: Int = Int(UInt32.max) - 1) {
    self.zip64Above = zip64Above
  }

  /// Appends a member, deflated.
  mutating func add(name: String, contents: Data) throws {
    let nameBytes = Data(name.utf8)
    guard let nameLength = UInt16(exactly: nameBytes.count) else {
      throw InputError(
        "a name of \(nameBytes.count) bytes, expected at most \(UInt16.max)",
        remedy: "give the tensor a shorter name")
    }
    let packed = try Deflate.deflate(contents)
    let checksum = Deflate.checksum(contents)
    let offset = data.count

    // A header holds both sizes in zip64 or neither; the offset stands in the directory only.
    let isLarge = max(contents.count, packed.count) > zip64Above
    let isFar = offset > zip64Above
    let sizes = isLarge ? [contents.count, packed.count] : []
    let sizesAndOffset = sizes + (isFar ? [offset] : [])
    let version: UInt16 = sizesAndOffset.isEmpty ? 20 : 45

    /// The fields that the local header and the directory have in common.
    func common(extra: Data) -> Data {
      var fields = Data()
      fields.appendLittleEndian(version)
      fields.appendLittleEndian(UInt16(0x0800))  // the name is UTF-8
      fields.appendLittleEndian(UInt16(8))  // deflated
      fields.appendLittleEndian(UInt16(0))  // 00:00
      fields.appendLittleEndian(UInt16(0x21))  // 1 January 1980
      fields.appendLittleEndian(checksum)
      fields.appendLittleEndian(narrow(packed.count, isLarge))
      fields.appendLittleEndian(narrow(contents.count, isLarge))
      fields.appendLittleEndian(nameLength)
      fields.appendLittleEndian(UInt16(truncatingIfNeeded: extra.count))
      return fields
    }

    let localExtra = zip64Field(sizes)
    data.appendLittleEndian(UInt32(0x0403_4B50))
    data.append(common(extra: localExtra))
    data.append(nameBytes)
    data.append(localExtra)
    data.append(packed)

    let extra = zip64Field(sizesAndOffset)
    directory.appendLittleEndian(UInt32(0x0201_4B50))
    directory.appendLittleEndian(version)
    directory.append(common(extra: extra))
    // No comment, first disk, no attributes.
    directory.append(contentsOf: [UInt8](repeating: 0, count: 10))
    directory.appendLittleEndian(narrow(offset, isFar))
    directory.append(nameBytes)
    directory.append(extra)
    count += 1
  }

  /// The extra field 1, of sizes and offsets in 64 bits; empty where there are none.
  private func zip64Field(_ values: [Int]) -> Data {
    var field = Data()
    guard !values.isEmpty else { return field }
    field.appendLittleEndian(UInt16(1))
    field.appendLittleEndian(UInt16(8 * values.count))
    for value in values { field.appendLittleEndian(UInt64(value)) }
    return field
  }

  /// The whole archive.
  func finish() -> Data {
    var archive = data
    archive.append(directory)
    let end = archive.count
    let isLarge = max(end, count) > zip64Above || count >= Int(UInt16.max)
    if isLarge {
      archive.appendLittleEndian(UInt32(0x0606_4B50))
      archive.appendLittleEndian(UInt64(44))  // bytes that follow in this record
      archive.appendLittleEndian(UInt16(45))
      archive.appendLittleEndian(UInt16(45))
      archive.appendLittleEndian(UInt64(0))  // disks
      for field in [count, count, directory.count, data.count] {
        archive.appendLittleEndian(UInt64(field))
      }
      archive.appendLittleEndian(UInt32(0x0706_4B50))
      archive.appendLittleEndian(UInt32(0))
      archive.appendLittleEndian(UInt64(end))
      archive.appendLittleEndian(UInt32(1))
    }
    archive.appendLittleEndian(UInt32(0x0605_4B50))
    archive.appendLittleEndian(UInt32(0))  // disks
    let shortCount = isLarge ? UInt16.max : UInt16(truncatingIfNeeded: count)
    archive.appendLittleEndian(shortCount)
    archive.appendLittleEndian(shortCount)
    archive.appendLittleEndian(narrow(directory.count, isLarge))
    archive.appendLittleEndian(narrow(data.count, isLarge))
    archive.appendLittleEndian(UInt16(0))  // no comment
    return archive
  }

  private func narrow(_ value: Int, _ isWide: Bool) -> UInt32 {
    isWide ? UInt32.max : UInt32(truncatingIfNeeded: value)
  }
}
