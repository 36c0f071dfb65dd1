import COpenCL

/// A program built for a context's device.
///
/// `@unchecked Sendable`: immutable once built, and OpenCL's calls on programs are thread-safe
/// (OpenCL 1.2, appendix A.2).
package final class Program: @unchecked Sendable {
  /// The context the program was built in.
  package let context: Context
  /// The precision of the program's `real`, by which `KernelArgument.real` is passed.
  package let precision: Precision
  let handle: OpaquePointer

  var cl: OpenCL { context.cl }

  /// Builds source text, given as one string or several that follow each other. Where the build
  /// fails, the error's detail is the build log.
  package init(
    _ context: Context, source: [String], options: String, precision: Precision
  ) throws {
    let cl = context.cl
    let text = source.joined(separator: "\n")
    var status: Int32 = 0
    let made = text.withCString { start in
      var start: UnsafePointer<CChar>? = start
      return cl.createProgramWithSource(context.handle, 1, &start, nil, &status)
    }
    handle = try created(made, status, "clCreateProgramWithSource")
    self.context = context
    self.precision = precision
    let ids: [OpaquePointer?] = context.devices
    let built = cl.buildProgram(handle, UInt32(ids.count), ids, options, nil, nil)
    try check(built, "clBuildProgram", detail: log(options: options))
  }

  /// Builds source text with the options of a specialisation.
  package convenience init(
    _ context: Context, source: [String], _ specialisation: Specialisation
  ) throws {
    try self.init(
      context, source: source, options: specialisation.options(for: context.device.description),
      precision: specialisation.precision)
  }

  deinit { _ = cl.releaseProgram(handle) }

  /// What the compiler said, and with which options.
  private func log(options: String) -> String {
    let info = InfoQuery("clGetProgramBuildInfo") { [cl, handle, context] in
      cl.getProgramBuildInfo(handle, context.device.handle, $0, $1, $2, $3)
    }
    let log = (try? info.string(CL_PROGRAM_BUILD_LOG)) ?? ""
    return "options: \(options)\n" + (log.isEmpty ? "(the driver gives no build log)" : log)
  }
}
