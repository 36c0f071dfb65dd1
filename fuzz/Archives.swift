import CZlib
import Foundation

/// The bytes of an archive, its deflated members as what they really expand to. Written apart from
/// the reader: it looks for local headers anywhere, whatever the directory says.
func sizeExpanded(_ archive: Data) -> Int {
  let bytes = [UInt8](archive)
  var size = bytes.count
  for start in bytes.indices where bytes[start...].starts(with: [0x50, 0x4B, 3, 4]) {
    guard start + 30 <= bytes.count else { break }
    let lengths = [26, 28].map { Int(bytes[start + $0]) + Int(bytes[start + $0 + 1]) << 8 }
    size += sizeInflated(bytes.dropFirst(start + 30 + lengths[0] + lengths[1]))
  }
  return size
}

/// How many bytes come out of raw deflate data before it ends or is found to be damaged.
private func sizeInflated(_ data: ArraySlice<UInt8>) -> Int {
  var input = Array(data)
  var output = [UInt8](repeating: 0, count: 1 << 16)
  var stream = z_stream()
  return input.withUnsafeMutableBufferPointer { input in
    output.withUnsafeMutableBufferPointer { output in
      withUnsafeMutablePointer(to: &stream) { stream in
        guard
          inflateInit2_(stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            == Z_OK
        else { return 0 }
        defer { inflateEnd(stream) }
        stream.pointee.next_in = input.baseAddress
        stream.pointee.avail_in = UInt32(input.count)
        var size = 0
        var status = Z_OK
        while status == Z_OK {
          stream.pointee.next_out = output.baseAddress
          stream.pointee.avail_out = UInt32(output.count)
          status = inflate(stream, Z_NO_FLUSH)
          size += output.count - Int(stream.pointee.avail_out)
        }
        return size
      }
    }
  }
}
