/// A device's self-test, run once per device, driver and version.
extension SelfTest {
  /// The results of a device in all its precisions: those of an earlier run where the cache has
  /// them, else those of a run, in a process of its own where this program has one for it
  /// (`DriverProbe`). Never throws: what fails is a failure of the device, in one line.
  ///
  /// Failures are not cached: whoever mends a machine is not asked to empty a folder.
  ///
  /// - Parameters:
  ///   - again: Whether to run it whatever the cache has.
  package static func results(
    _ device: Device, text: KernelText = KernelText(), cache: DiskCache? = .standard,
    again: Bool = false
  ) -> [SelfTestResult] {
    let description = device.description
    if let refusal = Quirks.refusal(of: description) {
      return [SelfTestResult(description, refusal: refusal)]
    }
    // Without the text there is no key, and the run will say what is missing.
    let keys = description.precisions.map { try? key($0, description, text) }
    if let cache, !again {
      let known = zip(description.precisions, keys).compactMap { precision, key in
        key.flatMap { cache.value(SelfTestResult.self, of: kind, key: $0) }
          .flatMap { $0.isSound(precision) ? $0 : nil }
      }
      if known.count == keys.count {
        return known.map { result in
          var result = result
          result.isCached = true
          return result
        }
      }
    }
    let results = DriverProbe.selfTest(device, text) ?? run(device, text)
    for (result, precision) in zip(results, description.precisions) where result.isSound(precision)
    {
      guard let key = try? key(precision, description, text) else { continue }
      cache?.keep(result, of: kind, key: key)
    }
    return results
  }

  /// Runs the test in this process.
  static func run(_ device: Device, _ text: KernelText) -> [SelfTestResult] {
    do {
      return run(ProgramCache(try Context(device), text: text))
    } catch {
      let line = "\(device.description.name) fails before its self-test: \(error)"
      return [SelfTestResult(device.description, refusal: line)]
    }
  }

  private static let kind = "selftest"

  /// What a result depends on: the build, and what the device is held to.
  private static func key(
    _ precision: Precision, _ device: DeviceDescription, _ text: KernelText
  ) throws(KernelTextError) -> String {
    let source = try text.source([KernelUnit(file: "selftest.cl")])
    return Specialisation(precision: precision, for: device).cacheKey(for: device, source: source)
      + "|" + SelfTestTable.fingerprint(precision)
  }
}

extension SelfTestResult {
  /// A device refused before any function ran.
  init(_ device: DeviceDescription, refusal: String) {
    let precision = device.precisions[0]
    self.init(
      precision: precision, vectorWidth: Quirks.vectorWidth(of: device, precision: precision),
      functions: [], failure: refusal)
  }

  /// Whether the result is a pass by today's table, whatever wrote it down.
  func isSound(_ precision: Precision) -> Bool {
    passed && self.precision == precision
      && functions.map(\.name) == SelfTestTable.functions.map(\.name)
      && zip(functions, SelfTestTable.functions).allSatisfy { function, row in
        function.maxULP >= 0 && function.limit == row.limit(precision) && function.isWithinLimit
      }
  }
}

extension [SelfTestResult] {
  /// The first thing that speaks against the device, in one line; nil where it passed.
  package var firstFailure: String? { lazy.compactMap(\.failure).first }
}
