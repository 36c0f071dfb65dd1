import COpenCL
import Foundation

/// One of the `clGet…Info` functions with its object bound, read as a string, a number or a list.
struct InfoQuery {
  typealias Read = (UInt32, Int, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?) -> Int32

  /// The function's name, for errors.
  let call: String
  let read: Read

  init(_ call: String, _ read: @escaping Read) {
    self.call = call
    self.read = read
  }

  /// A text parameter, up to its first NUL, without surrounding white space.
  func string(_ parameter: Int32) throws(OpenCLError) -> String {
    let key = UInt32(bitPattern: parameter)
    var size = 0
    try check(read(key, 0, nil, &size), call, detail: Self.name(key))
    guard size > 0 else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    let status = bytes.withUnsafeMutableBytes { read(key, size, $0.baseAddress, nil) }
    try check(status, call, detail: Self.name(key))
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// A number as wide as `Number`.
  func number<Number: FixedWidthInteger>(
    _ parameter: Int32, as type: Number.Type
  ) throws(OpenCLError) -> Number {
    let key = UInt32(bitPattern: parameter)
    var value: Number = 0
    try check(read(key, MemoryLayout<Number>.size, &value, nil), call, detail: Self.name(key))
    return value
  }

  private static func name(_ key: UInt32) -> String { "parameter 0x" + String(key, radix: 16) }
}
