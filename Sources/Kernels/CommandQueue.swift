import COpenCL

/// An in-order queue: commands run one after the other, as if each waited for the last.
///
/// `@unchecked Sendable`: immutable, and OpenCL's calls on queues are thread-safe (OpenCL 1.2,
/// appendix A.2); workers that share one interleave their commands, so give each its own.
package final class CommandQueue: @unchecked Sendable {
  /// The context whose device runs the commands.
  package let context: Context
  let handle: OpaquePointer

  var cl: OpenCL { context.cl }

  /// A queue on the context's device, or on one of its cores, whatever the number; `profiling` makes its
  /// events tell how long they took.
  package init(_ context: Context, core: Int? = nil, profiling: Bool = false) throws {
    let properties = cl_command_queue_properties(profiling ? CL_QUEUE_PROFILING_ENABLE : 0)
    var status: Int32 = 0
    let made = context.cl.createCommandQueue(
      context.handle, core.map(context.core) ?? context.device.handle, properties, &status)
    handle = try created(made, status, "clCreateCommandQueue")
    self.context = context
  }

  deinit { _ = cl.releaseCommandQueue(handle) }

  /// Starts a kernel over `global` work-items in groups of `local` (the driver's choice if nil;
  /// in OpenCL 1.2 it must divide `global`). A launch of no work-items does nothing.
  package func enqueue(_ kernel: Kernel, global: [Int], local: [Int]? = nil) throws {
    if global.contains(0) { return }
    try launch(kernel, global, local, nil)
  }

  /// As `enqueue`, with an event to wait for and, on a profiling queue, to time the kernel by; nil
  /// for a launch of no work-items.
  package func enqueueWithEvent(
    _ kernel: Kernel, global: [Int], local: [Int]? = nil
  ) throws -> Event? {
    if global.contains(0) { return nil }
    var event: OpaquePointer?
    try launch(kernel, global, local, &event)
    return event.map { Event(cl: cl, handle: $0) }
  }

  private func launch(
    _ kernel: Kernel, _ global: [Int], _ local: [Int]?, _ event: UnsafeMutablePointer<cl_event?>?
  ) throws {
    var detail: String { "\(kernel.name), global \(global), local \(local?.description ?? "free")" }
    guard (1...3).contains(global.count), global.allSatisfy({ $0 > 0 }),
      local.map({ $0.count == global.count && $0.allSatisfy { $0 > 0 } }) ?? true
    else {
      throw OpenCLError(
        call: "clEnqueueNDRangeKernel", status: CL_INVALID_WORK_DIMENSION, detail: detail)
    }
    let status = cl.enqueueNDRangeKernel(
      handle, kernel.handle, UInt32(global.count), nil, global, local, 0, nil, event)
    try check(status, "clEnqueueNDRangeKernel", detail: detail)
  }

  /// Copies bytes into a buffer from `offset` on, and waits until they are there.
  package func write(
    _ buffer: Buffer, _ bytes: UnsafeRawBufferPointer, offset: Int = 0
  ) throws {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    try buffer.checkRange(offset, bytes.count, "clEnqueueWriteBuffer")
    let status = cl.enqueueWriteBuffer(
      handle, buffer.handle, cl_bool(CL_TRUE), offset, bytes.count, base, 0, nil, nil)
    try check(status, "clEnqueueWriteBuffer")
  }

  /// Copies bytes out of a buffer from `offset` on. Unless `blocking`, the memory must stay valid,
  /// and holds nothing of use, until the queue has finished the command.
  package func read(
    _ buffer: Buffer, into bytes: UnsafeMutableRawBufferPointer, offset: Int = 0,
    blocking: Bool = true
  ) throws {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    try buffer.checkRange(offset, bytes.count, "clEnqueueReadBuffer")
    let status = cl.enqueueReadBuffer(
      handle, buffer.handle, cl_bool(blocking ? CL_TRUE : CL_FALSE), offset, bytes.count, base,
      0, nil, nil)
    try check(status, "clEnqueueReadBuffer")
  }

  /// Copies `byteCount` bytes from one buffer to another on the device.
  package func copy(
    _ source: Buffer, to destination: Buffer, byteCount: Int, sourceOffset: Int = 0,
    destinationOffset: Int = 0
  ) throws {
    if byteCount == 0 { return }
    try source.checkRange(sourceOffset, byteCount, "clEnqueueCopyBuffer")
    try destination.checkRange(destinationOffset, byteCount, "clEnqueueCopyBuffer")
    let status = cl.enqueueCopyBuffer(
      handle, source.handle, destination.handle, sourceOffset, destinationOffset, byteCount,
      0, nil, nil)
    try check(status, "clEnqueueCopyBuffer")
  }

  /// Hands what is queued to the device without waiting for it.
  package func flush() throws { try check(cl.flush(handle), "clFlush") }

  /// Waits until everything queued has been done. Errors of commands can first show here.
  package func finish() throws { try check(cl.finish(handle), "clFinish") }
}
