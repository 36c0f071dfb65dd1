/// What a device says about its arithmetic in one precision: the bits of `cl_device_fp_config`
/// (OpenCL 1.2, table 4.3, CL_DEVICE_SINGLE_FP_CONFIG and CL_DEVICE_DOUBLE_FP_CONFIG).
package struct Arithmetic: OptionSet, Sendable, Equatable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Numbers below the smallest normal one are kept.
  package static let denormals = Arithmetic(rawValue: 1 << 0)
  package static let infinityAndNaN = Arithmetic(rawValue: 1 << 1)
  package static let roundsToNearest = Arithmetic(rawValue: 1 << 2)
  package static let roundsToZero = Arithmetic(rawValue: 1 << 3)
  package static let roundsToInfinity = Arithmetic(rawValue: 1 << 4)
  /// IEEE 754-2008 fused multiply-add.
  package static let fma = Arithmetic(rawValue: 1 << 5)
  /// The basic operations are software.
  package static let isSoftware = Arithmetic(rawValue: 1 << 6)
  /// Division and square root can be correctly rounded. Devices say so of f32 only; in f64 the
  /// specification asks it of all (section 7.4).
  package static let dividesCorrectly = Arithmetic(rawValue: 1 << 7)

  /// What IEEE 754 hardware does.
  package static let ieee: Arithmetic = [
    .denormals, .infinityAndNaN, .roundsToNearest, .roundsToZero, .roundsToInfinity, .fma,
    .dividesCorrectly,
  ]
}
