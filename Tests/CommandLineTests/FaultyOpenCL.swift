import Foundation

/// The OpenCL library that fails on demand (Tests/FaultyOpenCL), in processes of the program.
enum FaultyOpenCL {
  static func path() throws -> String { try Program.built("libFaultyOpenCL.so").path }

  /// The environment of a run with a fault, such as `abort clBuildProgram 1`.
  static func environment(_ fault: String = "") throws -> [String: String] {
    ["GPUCHECK_OPENCL_LIBRARY": try path(), "FAULTY_OPENCL": fault]
  }
}

/// The arguments of a check of examples/digits.
func digits(_ gradient: String, _ options: [String] = []) -> [String] {
  let folder = "examples/digits"
  return [
    "check", "\(folder)/model.json", "--batch", "\(folder)/batch.npz",
    "--parameters", "\(folder)/parameters.npz", "--gradient", "\(folder)/\(gradient)",
  ] + options
}
