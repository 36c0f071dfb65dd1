/// The parts of a report that say where the time went.
enum ProfileReport {
  /// Two tables: kernels by the time their events tell, and phases of the host.
  static func text(_ profile: CheckReport.Profile) -> [String] {
    var lines = [
      column("kernel", 36, isText: true) + column("launches", 9) + column("seconds", 10)
        + column("GFLOP/s", 9) + column("GB/s", 8)
    ]
    for kernel in profile.kernels {
      lines.append(
        column(kernel.name, 36, isText: true) + column("\(kernel.launches)", 9)
          + column(TextFormat.seconds(kernel.seconds), 10)
          + column(rate(2 * kernel.multiplyAdds, kernel), 9) + column(rate(kernel.bytes, kernel), 8)
      )
    }
    lines += ["", column("phase", 36, isText: true) + column("seconds", 19)]
    for phase in profile.phases {
      lines.append(
        column(phase.name, 36, isText: true) + column(TextFormat.seconds(phase.seconds), 19))
    }
    return lines
  }

  static func json(_ profile: CheckReport.Profile) -> JSONValue {
    [
      "kernels": .array(
        profile.kernels.map {
          [
            "name": .string($0.name), "launches": .count($0.launches),
            "seconds": .number($0.seconds), "multiplyAdds": .number($0.multiplyAdds),
            "bytes": .number($0.bytes),
          ]
        }),
      "phases": .array(
        profile.phases.map { ["name": .string($0.name), "seconds": .number($0.seconds)] }),
    ]
  }

  private static func rate(_ amount: Double, _ kernel: CheckReport.Profile.Kernel) -> String {
    kernel.seconds > 0 ? TextFormat.rough(amount / kernel.seconds / 1e9) : "-"
  }

  private static func column(_ text: String, _ width: Int, isText: Bool = false) -> String {
    let padding = String(repeating: " ", count: max(1, width - text.count))
    return isText ? text + padding : padding + text
  }
}
