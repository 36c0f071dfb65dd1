/// One argument of a kernel.
package enum KernelArgument: Sendable {
  case buffer(Buffer)
  /// An `int`; more than 32 bits are refused when the argument is set.
  case int(Int)
  /// A `real`: float or double by the program's precision.
  case real(Double)
  /// Local memory of so many bytes for each work-group.
  case local(bytes: Int)
  /// A null buffer, where a kernel takes an optional one.
  case none
}

extension KernelArgument: CustomStringConvertible {
  package var description: String {
    switch self {
    case .buffer(let buffer): "a buffer of \(buffer.byteCount) bytes"
    case .int(let value): "the int \(value)"
    case .real(let value): "the real \(value)"
    case .local(let bytes): "\(bytes) bytes of local memory"
    case .none: "a null buffer"
    }
  }
}

/// The arguments of one kernel, by name: one struct a kernel, which alone knows their order.
package protocol KernelArguments {
  /// The kernel's name in OpenCL C.
  var kernel: String { get }
  /// The arguments in the order in which the kernel declares them.
  var arguments: [KernelArgument] { get }
}
