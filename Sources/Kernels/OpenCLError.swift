import COpenCL

/// An OpenCL call that failed: which, with what status, and what the driver said about it.
package struct OpenCLError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The function, such as `clBuildProgram`.
  package let call: String
  /// The status code it returned; open-ended, since vendors add their own.
  package let status: Int32
  /// More, where there is more: a build log, or which kernel or argument.
  package let detail: String?

  /// An error of a call, with the status it returned.
  package init(call: String, status: Int32, detail: String? = nil) {
    self.call = call
    self.status = status
    self.detail = detail
  }

  /// The code's name in the OpenCL headers; the number itself where it is not known.
  package var name: String { Self.names[status] ?? "status \(status)" }

  /// Whether memory ran out: the caller can go on with a smaller batch.
  package var isOutOfMemory: Bool {
    [CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY]
      .contains(status) || status == CL_INVALID_BUFFER_SIZE
  }

  /// Whether a program did not compile; the detail is then the build log.
  package var isBuildFailure: Bool { status == CL_BUILD_PROGRAM_FAILURE }

  /// The call and the status, always one line.
  package var summary: String {
    Self.names[status] == nil ? "\(call): \(name)" : "\(call): \(name) (\(status))"
  }

  /// The summary and the detail in one line; of a build log the first complaint.
  package var line: String {
    guard let detail, detail.contains("\n") else { return description }
    let complaint = detail.split(separator: "\n").first { $0.contains("error") }
    return summary + (complaint.map { ": \($0)" } ?? "")
  }

  /// The summary and the detail; a detail of several lines starts on a line of its own.
  package var description: String {
    guard let detail, !detail.isEmpty else { return summary }
    return summary + (detail.contains("\n") ? ":\n" : ": ") + detail
  }

  private static let names: [Int32: String] = [
    0: "CL_SUCCESS",
    -1: "CL_DEVICE_NOT_FOUND",
    -2: "CL_DEVICE_NOT_AVAILABLE",
    -3: "CL_COMPILER_NOT_AVAILABLE",
    -4: "CL_MEM_OBJECT_ALLOCATION_FAILURE",
    -5: "CL_OUT_OF_RESOURCES",
    -6: "CL_OUT_OF_HOST_MEMORY",
    -7: "CL_PROFILING_INFO_NOT_AVAILABLE",
    -8: "CL_MEM_COPY_OVERLAP",
    -9: "CL_IMAGE_FORMAT_MISMATCH",
    -10: "CL_IMAGE_FORMAT_NOT_SUPPORTED",
    -11: "CL_BUILD_PROGRAM_FAILURE",
    -12: "CL_MAP_FAILURE",
    -13: "CL_MISALIGNED_SUB_BUFFER_OFFSET",
    -14: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
    -15: "CL_COMPILE_PROGRAM_FAILURE",
    -16: "CL_LINKER_NOT_AVAILABLE",
    -17: "CL_LINK_PROGRAM_FAILURE",
    -18: "CL_DEVICE_PARTITION_FAILED",
    -19: "CL_KERNEL_ARG_INFO_NOT_AVAILABLE",
    -30: "CL_INVALID_VALUE",
    -31: "CL_INVALID_DEVICE_TYPE",
    -32: "CL_INVALID_PLATFORM",
    -33: "CL_INVALID_DEVICE",
    -34: "CL_INVALID_CONTEXT",
    -35: "CL_INVALID_QUEUE_PROPERTIES",
    -36: "CL_INVALID_COMMAND_QUEUE",
    -37: "CL_INVALID_HOST_PTR",
    -38: "CL_INVALID_MEM_OBJECT",
    -39: "CL_INVALID_IMAGE_FORMAT_DESCRIPTOR",
    -40: "CL_INVALID_IMAGE_SIZE",
    -41: "CL_INVALID_SAMPLER",
    -42: "CL_INVALID_BINARY",
    -43: "CL_INVALID_BUILD_OPTIONS",
    -44: "CL_INVALID_PROGRAM",
    -45: "CL_INVALID_PROGRAM_EXECUTABLE",
    -46: "CL_INVALID_KERNEL_NAME",
    -47: "CL_INVALID_KERNEL_DEFINITION",
    -48: "CL_INVALID_KERNEL",
    -49: "CL_INVALID_ARG_INDEX",
    -50: "CL_INVALID_ARG_VALUE",
    -51: "CL_INVALID_ARG_SIZE",
    -52: "CL_INVALID_KERNEL_ARGS",
    -53: "CL_INVALID_WORK_DIMENSION",
    -54: "CL_INVALID_WORK_GROUP_SIZE",
    -55: "CL_INVALID_WORK_ITEM_SIZE",
    -56: "CL_INVALID_GLOBAL_OFFSET",
    -57: "CL_INVALID_EVENT_WAIT_LIST",
    -58: "CL_INVALID_EVENT",
    -59: "CL_INVALID_OPERATION",
    -60: "CL_INVALID_GL_OBJECT",
    -61: "CL_INVALID_BUFFER_SIZE",
    -62: "CL_INVALID_MIP_LEVEL",
    -63: "CL_INVALID_GLOBAL_WORK_SIZE",
    -64: "CL_INVALID_PROPERTY",
    -65: "CL_INVALID_IMAGE_DESCRIPTOR",
    -66: "CL_INVALID_COMPILER_OPTIONS",
    -67: "CL_INVALID_LINKER_OPTIONS",
    -68: "CL_INVALID_DEVICE_PARTITION_COUNT",
    -1001: "CL_PLATFORM_NOT_FOUND_KHR",
  ]
}

/// Throws unless the status is `CL_SUCCESS`; the detail is worked out only then.
func check(
  _ status: Int32, _ call: String, detail: @autoclosure () -> String? = nil
) throws(OpenCLError) {
  guard status == CL_SUCCESS else {
    throw OpenCLError(call: call, status: status, detail: detail())
  }
}

/// The handle a `clCreate…` call returned, or its status as an error.
func created(
  _ handle: OpaquePointer?, _ status: Int32, _ call: String,
  detail: @autoclosure () -> String? = nil
) throws(OpenCLError) -> OpaquePointer {
  try check(status, call, detail: detail())
  guard let handle else {
    throw OpenCLError(call: call, status: status, detail: "it returned no handle")
  }
  return handle
}
