// swift-tools-version: 6.0
import PackageDescription

let numerics: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "gpucheck",
  products: [
    .library(name: "GPUCheck", targets: ["GPUCheck"]),
    .executable(name: "gpucheck", targets: ["GPUCheckCLI"]),
    .library(name: "FaultyOpenCL", type: .dynamic, targets: ["FaultyOpenCL"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    // Headers only: libOpenCL is opened at run time, nothing is linked.
    .systemLibrary(
      name: "COpenCL",
      providers: [.apt(["ocl-icd-opencl-dev", "opencl-headers"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "Kernels",
      dependencies: ["COpenCL"],
      // A link to kernels/: the text is embedded in the binary.
      resources: [.embedInCode("Text")]),
    // The host's innermost loops, with the vectors that the machine has.
    .target(name: "CLanes"),
    // How the program keeps its memory.
    .target(name: "CMemory"),
    // onnx.proto and the code that scripts/generate-onnx made of it.
    .target(name: "ONNXFormat", dependencies: [protobuf], exclude: ["onnx.proto"]),
    .target(
      name: "GPUCheck",
      dependencies: ["Kernels", "CLanes", "CZlib", "ONNXFormat", numerics, protobuf],
      sources: [
        "Model", "Formats", "ONNX", "Primitives", "Engine", "UserCost", "Check", "PerUnit",
        "Directional", "Compare", "Inspect", "Diagnosis", "Report",
      ]),
    // The folders GPUCheck and gpucheck differ in case only, so the target has a name of its own.
    .executableTarget(
      name: "GPUCheckCLI",
      dependencies: ["GPUCheck", "Kernels", "CMemory", argumentParser],
      path: "Sources/gpucheck",
      sources: ["Commands"]),
    .testTarget(
      name: "GPUCheckTests",
      dependencies: ["GPUCheck", "Kernels", "CLanes", "ONNXFormat", numerics, protobuf],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "CommandLineTests", dependencies: ["GPUCheck", "Kernels"]),
    // For the tests: an OpenCL library that fails on demand. They open it by its file, since a
    // library that is linked would take the place of the real one everywhere.
    .target(name: "FaultyOpenCL", path: "Tests/FaultyOpenCL"),
  ],
  swiftLanguageModes: [.v6]
)

// The fuzz targets: only libFuzzer can run them, and no one else needs them built (scripts/fuzz).
if Context.environment["GPUCHECK_FUZZ"] != nil {
  package.products.append(.executable(name: "gpucheck-fuzz", targets: ["Fuzz"]))
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["GPUCheck", "CZlib"], path: "fuzz",
      exclude: ["corpus", "dictionaries"]))
}

// Counts the node tests of ONNX that pass (scripts/onnx-conformance).
if Context.environment["GPUCHECK_CONFORMANCE"] != nil {
  package.targets.append(
    .executableTarget(
      name: "ONNXConformance", dependencies: ["GPUCheck", "Kernels"], path: "Tests/ONNXConformance",
      exclude: ["write_node_tests.py"]))
}
