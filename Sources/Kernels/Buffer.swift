import COpenCL

/// A range of a device's memory. Requests of fewer than 4 bytes get 4, since OpenCL has no empty
/// buffers.
///
/// `@unchecked Sendable`: immutable apart from its contents on the device, which queues order, and
/// OpenCL's calls on buffers are thread-safe (OpenCL 1.2, appendix A.2).
package final class Buffer: @unchecked Sendable {
  /// The context the memory belongs to.
  package let context: Context
  /// The size, at least 4.
  package let byteCount: Int
  let handle: OpaquePointer

  var cl: OpenCL { context.cl }

  /// Memory of unspecified content. Throws where there is not enough (`isOutOfMemory`), which on
  /// some devices shows only at the first command that uses it.
  package init(_ context: Context, byteCount: Int) throws {
    let size = max(byteCount, 4)
    handle = try Self.allocate(context, size, CL_MEM_READ_WRITE, nil)
    self.context = context
    self.byteCount = size
  }

  /// A copy of the given bytes.
  package init(_ context: Context, bytes: UnsafeRawBufferPointer) throws {
    (handle, byteCount) = try Self.copy(bytes, context)
    self.context = context
  }

  /// A copy of the given elements' bytes.
  package init(_ context: Context, elements: [some BitwiseCopyable]) throws {
    (handle, byteCount) = try elements.withUnsafeBytes { try Self.copy($0, context) }
    self.context = context
  }

  deinit { _ = cl.releaseMemObject(handle) }

  private static func copy(
    _ bytes: UnsafeRawBufferPointer, _ context: Context
  ) throws -> (OpaquePointer, Int) {
    let flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR
    guard bytes.count < 4 else {
      let source = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
      return (try allocate(context, bytes.count, flags, source), bytes.count)
    }
    var padded = Array(bytes) + [UInt8](repeating: 0, count: 4 - bytes.count)
    return (try allocate(context, 4, flags, &padded), 4)
  }

  private static func allocate(
    _ context: Context, _ size: Int, _ flags: Int32, _ source: UnsafeMutableRawPointer?
  ) throws -> OpaquePointer {
    let largest = context.device.description.maxAllocation
    guard size <= largest else {
      throw OpenCLError(
        call: "clCreateBuffer", status: CL_INVALID_BUFFER_SIZE,
        detail: "\(size) bytes; the device's largest buffer is \(largest)")
    }
    var status: Int32 = 0
    let made = context.cl.createBuffer(
      context.handle, cl_mem_flags(flags), size, source, &status)
    return try created(made, status, "clCreateBuffer", detail: "\(size) bytes")
  }

  /// Throws unless `count` bytes from `offset` on lie in the buffer.
  func checkRange(_ offset: Int, _ count: Int, _ call: String) throws(OpenCLError) {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw OpenCLError(
        call: call, status: CL_INVALID_VALUE,
        detail: "\(count) bytes at \(offset) of a buffer of \(byteCount)")
    }
  }
}
