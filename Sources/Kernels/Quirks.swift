import Foundation

/// One thing that must be known of some devices and cannot be asked of them.
package struct Quirk: Sendable {
  /// What the quirk changes.
  package enum Effect: Sendable, Equatable {
    /// A simulator: taken only when asked for by name or index.
    case simulator
    /// Kernels use explicit vectors of so many bytes rather than one real a work-item.
    case vectorBytes(Int)
    /// The same, of the width that the device calls its own.
    case nativeVectors
    /// Calls from two threads at once break it, against the specification.
    case oneThread
    /// Kernels on single cores, side by side, are faster than on all cores one after the other.
    case cores
    /// The driver runs a command, and ends the whole process where `PATH` has none of that name.
    case needsCommand(String, remedy: String)
  }

  /// Which devices, in words.
  package let devices: String
  package let effect: Effect
  /// Where this is known from.
  package let source: String
  /// Whether a device is one of them.
  package let applies: @Sendable (DeviceDescription) -> Bool
}

/// The one table of what devices do not tell; nothing vendor-specific stands anywhere else.
package enum Quirks {
  /// The first row that applies to a device decides, for each kind of effect.
  package static let table: [Quirk] = [
    Quirk(
      devices: "Oclgrind", effect: .simulator,
      source: "CL_DEVICE_TYPE of Oclgrind 21.10 is CPU, GPU and accelerator at once",
      applies: { $0.platformName.contains("Oclgrind") }),
    Quirk(
      devices: "Oclgrind", effect: .vectorBytes(64),
      source: "it interprets: one instruction costs the same for 1 real and for 16",
      applies: { $0.platformName.contains("Oclgrind") }),
    Quirk(
      devices: "Oclgrind", effect: .oneThread,
      source: "Oclgrind 21.10 under two threads: crashes, and builds that fail at random",
      applies: { $0.platformName.contains("Oclgrind") }),
    Quirk(
      devices: "PoCL's CPUs", effect: .needsCommand("ld", remedy: "install binutils"),
      source: """
        PoCL's lib/CL/devices/common.c links every kernel through clang's driver, which runs ld; \
        without it PoCL 3.1 aborts the process in clEnqueueNDRangeKernel
        """,
      applies: { $0.platformName == "Portable Computing Language" && $0.kind == .cpu }),
    Quirk(
      devices: "PoCL's CPUs", effect: .cores,
      source: """
        PoCL wakes its threads for each launch, and the last to finish begins the next: measured on PoCL 3.1 \
        and two cores, a ResNet-20, a GPT and a LeNet by two processes on a core each take a fifth to a \
        quarter less than by one on both
        """,
      applies: { $0.platformName == "Portable Computing Language" && $0.kind == .cpu }),
    Quirk(
      devices: "every CPU", effect: .nativeVectors,
      source: """
        measured on PoCL 3.1: a matrix product of scalars in local tiles 8 GFLOP/s, of native vectors \
        near the BLAS of the machine; vectors of twice the native width a third of that, since its \
        registers do not hold them
        """,
      applies: { $0.kind == .cpu }),
  ]

  /// Whether the device is a simulator.
  package static func isSimulator(_ device: DeviceDescription) -> Bool {
    table.contains { $0.effect == .simulator && $0.applies(device) }
  }

  /// Whether several threads may use the device at once, each with its own queue and kernels.
  package static func allowsThreads(_ device: DeviceDescription) -> Bool {
    !table.contains { $0.effect == .oneThread && $0.applies(device) }
  }

  /// Whether batches go side by side on the device, each on a core of its own.
  package static func isBestByCores(_ device: DeviceDescription) -> Bool {
    table.contains { $0.effect == .cores && $0.applies(device) }
  }

  /// Why the device must not be used as things stand, with what to do about it; nil where it may.
  package static func refusal(
    of device: DeviceDescription, path: String? = ProcessInfo.processInfo.environment["PATH"]
  ) -> String? {
    for quirk in table where quirk.applies(device) {
      if case .needsCommand(let command, let remedy) = quirk.effect, !isOnPath(command, path) {
        return """
          the driver of \(device.name) needs the command \(command), which is not on the PATH \
          (\(remedy), or add its folder to PATH)
          """
      }
    }
    return nil
  }

  private static func isOnPath(_ command: String, _ path: String?) -> Bool {
    (path ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(command)")
    }
  }

  /// The device's own vector width, as OpenCL C has vectors: 2, 4, 8 or 16 reals.
  private static func nativeWidth(of device: DeviceDescription, _ precision: Precision) -> Int {
    let native =
      precision == .f32 ? device.nativeVectorWidthFloat : device.nativeVectorWidthDouble
    return [16, 8, 4].first { $0 <= native } ?? 2
  }

  /// How many reals a work-item treats at once: 1, or what fills the device's explicit vectors.
  package static func vectorWidth(of device: DeviceDescription, precision: Precision) -> Int {
    for quirk in table where quirk.applies(device) {
      switch quirk.effect {
      case .vectorBytes(let bytes): return bytes / precision.bytes
      case .nativeVectors: return nativeWidth(of: device, precision)
      default: continue
      }
    }
    return 1
  }
}
