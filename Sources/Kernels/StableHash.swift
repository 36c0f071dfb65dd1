/// The 64-bit FNV-1a hash of some bytes (Fowler, Noll, Vo; RFC 9923): the same on every machine and
/// in every run. It tells files apart; it keeps no secrets.
package struct StableHash: Sendable {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  /// Takes one byte in.
  @inline(__always)
  package mutating func add(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }

  /// Takes bytes in.
  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { add(byte) }
  }

  /// Takes numbers in, as they lie in memory.
  package mutating func add(_ numbers: [some BitwiseCopyable]) {
    numbers.withUnsafeBytes { add($0) }
  }

  /// Takes a number in.
  package mutating func add(_ number: Int) {
    withUnsafeBytes(of: number.littleEndian) { add($0) }
  }

  /// Takes text in, told apart from what follows.
  package mutating func add(_ text: String) {
    for byte in text.utf8 { add(byte) }
    add(0xFF)
  }
}
