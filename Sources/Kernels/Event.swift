import COpenCL

/// One command of a queue, to wait for or to time.
///
/// `@unchecked Sendable`: immutable, and OpenCL's calls on events are thread-safe (OpenCL 1.2,
/// appendix A.2).
package final class Event: @unchecked Sendable {
  let cl: OpenCL
  let handle: OpaquePointer

  init(cl: OpenCL, handle: OpaquePointer) {
    self.cl = cl
    self.handle = handle
  }

  deinit { _ = cl.releaseEvent(handle) }

  /// Waits until the command is done; throws what it failed with.
  package func wait() throws {
    var event: OpaquePointer? = handle
    try check(cl.waitForEvents(1, &event), "clWaitForEvents")
  }

  /// How long the command ran on the device, in seconds; waits for its end. Throws on a queue
  /// without profiling.
  package func seconds() throws -> Double {
    try wait()
    let info = InfoQuery("clGetEventProfilingInfo") { [cl, handle] in
      cl.getEventProfilingInfo(handle, $0, $1, $2, $3)
    }
    let start = try info.number(CL_PROFILING_COMMAND_START, as: UInt64.self)
    let end = try info.number(CL_PROFILING_COMMAND_END, as: UInt64.self)
    return end > start ? Double(end - start) * 1e-9 : 0
  }
}
