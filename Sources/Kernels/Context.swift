import COpenCL

/// A context of one device, and of its cores where it is divided into them: what buffers and programs
/// belong to.
///
/// `@unchecked Sendable`: immutable, and OpenCL's calls on contexts are thread-safe (OpenCL 1.2,
/// appendix A.2).
package final class Context: @unchecked Sendable {
  /// The one device.
  package let device: Device
  let handle: OpaquePointer
  /// Devices of one compute unit each.
  private let cores: [OpaquePointer]

  var cl: OpenCL { device.cl }

  /// Throws `OpenCLError` where the driver refuses.
  ///
  /// - Parameter divided: whether queues may run on single cores, on devices that are better used so.
  package init(_ device: Device, divided: Bool = false) throws {
    let cores = divided ? device.divide() : []
    let properties = [
      cl_context_properties(CL_CONTEXT_PLATFORM), Int(bitPattern: device.platform), 0,
    ]
    let ids: [OpaquePointer?] = [device.handle] + cores
    var status: Int32 = 0
    let made = device.cl.createContext(properties, UInt32(ids.count), ids, nil, nil, &status)
    do {
      handle = try created(made, status, "clCreateContext", detail: device.description.summary)
    } catch {
      device.release(cores: cores)
      throw error
    }
    self.device = device
    self.cores = cores
  }

  deinit {
    _ = cl.releaseContext(handle)
    device.release(cores: cores)
  }

  /// The device and its cores: what programs are built for.
  var devices: [OpaquePointer] { [device.handle] + cores }

  /// One of the cores, whatever the number; the device itself where it is not divided.
  func core(_ number: Int) -> OpaquePointer {
    cores.isEmpty ? device.handle : cores[number % cores.count]
  }
}
