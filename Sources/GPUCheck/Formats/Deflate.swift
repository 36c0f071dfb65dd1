import CZlib
import Foundation

/// Raw deflate streams (RFC 1951) and the CRC-32 of archives, through zlib.
enum Deflate {
  /// Deflate expands at most this much: 258 bytes from two bits.
  static let greatestExpansion = 1032
  private static let chunk = 1 << 18

  /// What a stream expands to; throws unless that is `size` bytes, from the whole of `data`.
  static func inflate(_ data: Data, size: Int) throws -> Data {
    var output = Data(capacity: size)
    let ended = try inflate(data) { bytes in
      guard bytes.count <= size - output.count else {
        throw damaged("it expands to more than the \(size) bytes announced")
      }
      output.append(contentsOf: bytes)
      return true
    }
    guard ended else { throw damaged("the compressed data does not end") }
    guard output.count == size else {
      throw damaged("it expands to \(output.count) bytes where \(size) are announced")
    }
    return output
  }

  /// The first bytes of what a stream expands to, `count` where there are so many.
  static func prefix(_ data: Data, count: Int) throws -> Data {
    var output = Data()
    let ended = try inflate(data) { bytes in
      output.append(contentsOf: bytes.prefix(count - output.count))
      return output.count < count
    }
    guard ended || output.count == count else { throw damaged("the compressed data does not end") }
    return output
  }

  /// Hands on what a stream expands to, piece by piece, until that is refused; tells whether the
  /// stream ended.
  private static func inflate(
    _ data: Data, emit: (UnsafeBufferPointer<UInt8>) throws -> Bool
  ) throws -> Bool {
    try withStream { stream in
      let status = inflateInit2_(
        stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
      guard status == Z_OK else { throw outOfMemory }
      defer { inflateEnd(stream) }
      return try run(stream, input: data, last: Z_NO_FLUSH, step: CZlib.inflate, emit: emit)
    }
  }

  /// The stream that expands to `data`.
  static func deflate(_ data: Data) throws -> Data {
    try withStream { stream in
      let status = deflateInit2_(
        stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
      guard status == Z_OK else { throw outOfMemory }
      defer { deflateEnd(stream) }

      var output = Data()
      _ = try run(stream, input: data, last: Z_FINISH, step: CZlib.deflate) {
        output.append(contentsOf: $0)
        return true
      }
      return output
    }
  }

  /// The CRC-32 of the bytes, as archives record it.
  static func checksum(_ data: Data) -> UInt32 {
    data.withUnsafeBytes { raw in
      let bytes = raw.bindMemory(to: UInt8.self)
      return UInt32(truncatingIfNeeded: crc32_z(0, bytes.baseAddress, bytes.count))
    }
  }

  /// zlib keeps the address of its stream: it must not move.
  private static func withStream<Result>(
    _ body: (UnsafeMutablePointer<z_stream>) throws -> Result
  ) rethrows -> Result {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    return try body(stream)
  }

  /// Feeds all of `input` through `step` in pieces, `last` being the flush mode of the last piece,
  /// and hands each piece of output on until that is refused. Tells whether the stream ended; it
  /// must not end early.
  private static func run(
    _ stream: UnsafeMutablePointer<z_stream>, input: Data, last: Int32,
    step: (UnsafeMutablePointer<z_stream>, Int32) -> Int32,
    emit: (UnsafeBufferPointer<UInt8>) throws -> Bool
  ) throws -> Bool {
    try input.withUnsafeBytes { raw in
      let input = raw.bindMemory(to: UInt8.self)
      return try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: chunk) { output in
        var used = 0
        while true {
          let piece = min(chunk, input.count - used)
          // zlib only reads it, whatever its type says.
          stream.pointee.next_in = input.baseAddress.map {
            UnsafeMutablePointer(mutating: $0 + used)
          }
          stream.pointee.avail_in = UInt32(piece)
          stream.pointee.next_out = output.baseAddress
          stream.pointee.avail_out = UInt32(chunk)
          let isLast = used + piece == input.count
          let status = step(stream, isLast ? last : Z_NO_FLUSH)
          let taken = piece - Int(stream.pointee.avail_in)
          let made = chunk - Int(stream.pointee.avail_out)
          used += taken
          guard try emit(UnsafeBufferPointer(rebasing: output[..<made])) else { return false }
          switch status {
          case Z_STREAM_END:
            guard used == input.count else {
              throw damaged("\(input.count - used) bytes follow the compressed data")
            }
            return true
          case Z_OK where taken > 0 || made > 0: continue
          case Z_OK, Z_BUF_ERROR: return false
          case Z_MEM_ERROR: throw outOfMemory
          default: throw damaged("the compressed data is not valid")
          }
        }
      }
    }
  }

  private static func damaged(_ what: String) -> InputError {
    InputError("damaged member: \(what)", remedy: "write the archive again")
  }

  private static var outOfMemory: InputError {
    InputError("not enough memory for zlib", remedy: "free some memory and try again")
  }
}
