import COpenCL

/// One kernel of a program with its current arguments. Not Sendable, since setting arguments is
/// not thread-safe (OpenCL 1.2, section 5.7.2): make one a worker.
package final class Kernel {
  /// The program the kernel is of.
  package let program: Program
  /// The kernel's name in OpenCL C.
  package let name: String
  /// How many arguments the kernel takes.
  package let argumentCount: Int
  let handle: OpaquePointer
  /// The buffers now set, kept alive: OpenCL does not retain arguments until a launch.
  private var heldBuffers: [Buffer] = []

  private var cl: OpenCL { program.cl }

  /// Throws where the program has no such kernel.
  package init(_ program: Program, _ name: String) throws {
    let cl = program.cl
    var status: Int32 = 0
    let made = cl.createKernel(program.handle, name, &status)
    let handle = try created(made, status, "clCreateKernel", detail: name)
    let info = InfoQuery("clGetKernelInfo") { cl.getKernelInfo(handle, $0, $1, $2, $3) }
    do throws(OpenCLError) {
      argumentCount = Int(clamping: try info.number(CL_KERNEL_NUM_ARGS, as: UInt32.self))
    } catch {
      _ = cl.releaseKernel(handle)
      throw error
    }
    self.handle = handle
    self.program = program
    self.name = name
  }

  deinit { _ = cl.releaseKernel(handle) }

  /// Sets all arguments. Throws where they belong to another kernel or their number is wrong.
  package func set(_ arguments: some KernelArguments) throws {
    let owner = arguments.kernel
    let list = arguments.arguments
    guard owner == name, list.count == argumentCount else {
      throw OpenCLError(
        call: "clSetKernelArg", status: CL_INVALID_KERNEL_ARGS,
        detail: "\(name) takes \(argumentCount) arguments; given \(list.count) of \(owner)")
    }
    var buffers: [Buffer] = []
    for (index, argument) in list.enumerated() {
      try set(argument, at: UInt32(index))
      if case .buffer(let buffer) = argument { buffers.append(buffer) }
    }
    heldBuffers = buffers
  }

  private func set(_ argument: KernelArgument, at index: UInt32) throws(OpenCLError) {
    func set(_ size: Int, _ value: UnsafeRawPointer?) -> Int32 {
      cl.setKernelArg(handle, index, size, value)
    }
    let status: Int32
    switch argument {
    case .buffer(let buffer):
      var memory: OpaquePointer? = buffer.handle
      status = set(MemoryLayout<OpaquePointer?>.size, &memory)
    case .none:
      var memory: OpaquePointer?
      status = set(MemoryLayout<OpaquePointer?>.size, &memory)
    case .int(let value):
      if var narrow = Int32(exactly: value) {
        status = set(MemoryLayout<Int32>.size, &narrow)
      } else {
        status = CL_INVALID_ARG_VALUE
      }
    case .real(var value):
      switch program.precision {
      case .f64: status = set(MemoryLayout<Double>.size, &value)
      case .f32:
        var single = Float(value)
        status = set(MemoryLayout<Float>.size, &single)
      }
    case .local(let bytes):
      status = set(max(bytes, 4), nil)
    }
    try check(status, "clSetKernelArg", detail: "\(name), argument \(index): \(argument)")
  }

  /// The largest work-group the kernel can run in on its device.
  package func maxWorkGroupSize() throws -> Int {
    try workGroupInfo(CL_KERNEL_WORK_GROUP_SIZE)
  }

  /// The number of which a work-group's size should be a multiple (a warp or wavefront on GPUs).
  package func preferredWorkGroupMultiple() throws -> Int {
    try workGroupInfo(CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE)
  }

  /// The work-group that the kernel's text asks for (`reqd_work_group_size`), along its first axis;
  /// nil where it asks for none.
  package func requiredWorkGroupSize() throws -> Int? {
    var sizes = (0, 0, 0)
    let status = cl.getKernelWorkGroupInfo(
      handle, program.context.device.handle, UInt32(CL_KERNEL_COMPILE_WORK_GROUP_SIZE),
      MemoryLayout.size(ofValue: sizes), &sizes, nil)
    try check(status, "clGetKernelWorkGroupInfo", detail: name)
    return sizes.0 > 0 ? sizes.0 : nil
  }

  private func workGroupInfo(_ parameter: Int32) throws -> Int {
    let device = program.context.device.handle
    let info = InfoQuery("clGetKernelWorkGroupInfo") { [cl, handle] in
      cl.getKernelWorkGroupInfo(handle, device, $0, $1, $2, $3)
    }
    return try info.number(parameter, as: Int.self)
  }
}
