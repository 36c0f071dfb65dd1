/// The two precisions a kernel is built for.
package enum Precision: String, Sendable, CaseIterable, Codable {
  /// IEEE binary32, OpenCL's `float`.
  case f32
  /// IEEE binary64, OpenCL's `double`, behind cl_khr_fp64.
  case f64

  /// The size of one real, in bytes.
  package var bytes: Int {
    switch self {
    case .f32: 4
    case .f64: 8
    }
  }

  /// The name of the type in OpenCL C.
  package var typeName: String {
    switch self {
    case .f32: "float"
    case .f64: "double"
    }
  }

  /// Half the spacing of the numbers at 1: 2⁻²⁴ or 2⁻⁵³.
  package var unitRoundoff: Double {
    switch self {
    case .f32: 0x1p-24
    case .f64: 0x1p-53
    }
  }
}
