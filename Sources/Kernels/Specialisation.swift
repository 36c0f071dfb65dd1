/// What one build of a kernel file is made for: macros, which are build options, which are the
/// cache key.
package struct Specialisation: Sendable {
  /// The precision of `real`.
  package var precision: Precision
  /// How many reals a `realv` has: 1, 2, 4, 8 or 16.
  package var vectorWidth: Int
  /// Further macros. Names and values hold no white space.
  package var defines: [(String, String)]

  /// A specialisation of a given vector width.
  package init(
    precision: Precision, vectorWidth: Int = 1, defines: [(String, String)] = []
  ) {
    self.precision = precision
    self.vectorWidth = vectorWidth
    self.defines = defines
  }

  /// The specialisation with the vector width that suits a device.
  package init(
    precision: Precision, for device: DeviceDescription, defines: [(String, String)] = []
  ) {
    self.init(
      precision: precision,
      vectorWidth: Quirks.vectorWidth(of: device, precision: precision), defines: defines)
  }

  /// The build options on a device, the macros in alphabetical order. Nothing that loosens
  /// arithmetic is ever among them; division and square root in f32 are asked to round correctly
  /// where the device can.
  package func options(for device: DeviceDescription) -> String {
    var options = ["-cl-std=CL1.2"]
    if precision == .f32 && device.roundsSingleDivisionCorrectly {
      options.append("-cl-fp32-correctly-rounded-divide-sqrt")
    }
    if precision == .f64 { options.append("-DREAL_IS_DOUBLE=1") }
    options.append("-DVECTOR_WIDTH=\(vectorWidth)")
    for (name, value) in defines.sorted(by: { $0.0 < $1.0 }) {
      options.append("-D\(name)=\(value)")
    }
    return options.joined(separator: " ")
  }

  /// A key that is the same exactly for the same build: platform, device, versions, options and a
  /// hash of the source. Stable from one run to the next.
  package func cacheKey(for device: DeviceDescription, source: [String]) -> String {
    var hash = StableHash()
    hash.add(Array(source.joined(separator: "\n").utf8))
    return [
      device.platformName, device.platformVersion, device.name, device.version,
      device.driverVersion, options(for: device),
      String(hash.value, radix: 16),
    ].joined(separator: "|")
  }
}
