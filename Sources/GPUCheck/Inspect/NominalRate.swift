import Foundation
import Kernels

/// How fast a device is, by what it says of itself: compute units times clock times what one of them
/// does in a cycle, and half of that, since nothing runs at its peak.
///
/// The numbers were set once, on CPUs with PoCL and without OpenCL (BENCHMARKS.md), to which they
/// agree within about three times. A GPU does not say how many multiply-adds a unit does in a cycle.
struct NominalRate {
  /// Compute units times clock, in cycles a second.
  private let cycles: Double
  /// Multiply-adds of a unit in a cycle.
  private let width: Double
  /// Cycles that a unit takes for an element of a step, however little is done to it: it is loaded,
  /// stored, and a function of it computed.
  private let cyclesPerElement: Double

  private static let efficiency = 0.5

  /// A device's, in a precision.
  init(_ device: DeviceDescription, _ precision: Precision) {
    cycles = Double(max(1, device.computeUnits)) * Self.hertz(device.clockMegahertz)
    if device.kind == .cpu || device.isSimulator {
      width = Double(
        max(1, precision == .f32 ? device.nativeVectorWidthFloat : device.nativeVectorWidthDouble))
      cyclesPerElement = 6
    } else {
      width = precision == .f32 ? 64 : 16
      cyclesPerElement = 0.25
    }
  }

  /// The host's without OpenCL: the compiler's vectors are those that every such CPU has.
  init(host precision: Precision) {
    cycles =
      Double(HostCores.count) * Self.hertz(HostClock.megahertz)
    width = precision == .f32 ? 4 : 2
    cyclesPerElement = 6
  }

  /// Multiply-adds a second.
  var multiplyAdds: Double { Self.efficiency * cycles * width }

  /// The time of one lane's steps.
  func seconds(_ steps: [StepWork]) -> Double {
    steps.reduce(0) { $0 + max($1.work / width, $1.elements * cyclesPerElement) }
      / (Self.efficiency * cycles)
  }

  /// The time of so many multiply-adds.
  func seconds(work: Double) -> Double { work / multiplyAdds }

  /// The time of one lane of a segment of which moments are formed; nil for others.
  func seconds(_ moments: MomentPlan, segment: Int) -> Double? {
    moments.laneWork(segment).map {
      seconds([StepWork(work: $0, elements: Double(moments.chain.samples))])
    }
  }

  /// The host's own passes over a graph: on one core.
  static func hostSeconds(passes: Double, forwardWork: Double) -> Double {
    passes * forwardWork / (hertz(HostClock.megahertz) * efficiency)
  }

  private static func hertz(_ megahertz: Int) -> Double {
    1e6 * Double(megahertz > 0 ? megahertz : 2500)
  }
}

/// What a step of a lane takes.
struct StepWork {
  /// Multiply-adds.
  var work: Double
  /// Elements that are stored.
  var elements: Double

}

extension StepWork {
  init(_ step: LaneStep) {
    self.init(work: step.work, elements: Double(step.outputElements))
  }
}

/// The clock of the CPU that this runs on.
enum HostClock {
  /// As /proc/cpuinfo tells it; 0 where it does not.
  static let megahertz: Int = {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("cpu MHz") }
    let number = line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
    return number.flatMap(Double.init).map { Int($0) } ?? 0
  }()
}
