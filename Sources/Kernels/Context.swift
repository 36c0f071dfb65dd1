import COpenCL

/// A context of one device: what buffers and programs belong to.
///
/// `@unchecked Sendable`: immutable, and OpenCL's calls on contexts are thread-safe (OpenCL 1.2,
/// appendix A.2).
package final class Context: @unchecked Sendable {
  /// The one device.
  package let device: Device
  let handle: OpaquePointer

  var cl: OpenCL { device.cl }

  /// Throws `OpenCLError` where the driver refuses.
  package init(_ device: Device) throws {
    let properties = [
      cl_context_properties(CL_CONTEXT_PLATFORM), Int(bitPattern: device.platform), 0,
    ]
    var id: OpaquePointer? = device.handle
    var status: Int32 = 0
    let made = device.cl.createContext(properties, 1, &id, nil, nil, &status)
    handle = try created(made, status, "clCreateContext", detail: device.description.summary)
    self.device = device
  }

  deinit { _ = cl.releaseContext(handle) }
}
