/// A device's self-test, run once per device, driver and version.
extension SelfTest {
  /// The results of a device in its precisions, or some of them: those of an earlier run where the cache
  /// has them, else those of a run, in a process of its own where this program has one for it
  /// (`DriverProbe`). Never throws: what fails is a failure of the device, in one line.
  ///
  /// Failures are not kept, and end what was kept: whoever mends a machine is not asked to empty a
  /// folder.
  ///
  /// - Parameters:
  ///   - precisions: Which of its precisions; nil for all.
  ///   - again: Whether to run it whatever the cache has.
  package static func results(
    _ device: Device, text: KernelText = KernelText(), cache: DiskCache? = .standard,
    precisions: [Precision]? = nil, again: Bool = false
  ) -> [SelfTestResult] {
    let description = device.description
    if let refusal = Quirks.refusal(of: description) {
      return [SelfTestResult(description, refusal: refusal)]
    }
    let precisions = precisions ?? description.precisions
    // Without the text there is no key, and the run will say what is missing.
    let keys = Dictionary(
      uniqueKeysWithValues: precisions.compactMap { precision in
        (try? key(precision, description, text)).map { (precision, $0) }
      })
    let known = precisions.compactMap { precision -> SelfTestResult? in
      guard let cache, !again, let key = keys[precision] else { return nil }
      return cached(precision, key: key, in: cache)
    }
    let missing = precisions.filter { precision in
      !known.contains { $0.precision == precision }
    }
    if missing.isEmpty { return known }
    let results =
      DriverProbe.selfTest(device, text, missing) ?? run(device, text, precisions: missing)
    for precision in missing {
      guard let key = keys[precision] else { continue }
      if let sound = results.first(where: { $0.isSound(precision) }) {
        cache?.keep(sound, of: kind, key: key)
      } else {
        cache?.forget(kind, key: key)
      }
    }
    return (known + results).sorted { $0.precision.bytes < $1.precision.bytes }
  }

  private static func cached(
    _ precision: Precision, key: String, in cache: DiskCache
  ) -> SelfTestResult? {
    guard var result = cache.value(SelfTestResult.self, of: kind, key: key),
      result.isSound(precision)
    else { return nil }
    result.isCached = true
    return result
  }

  /// Runs the test in this process.
  static func run(
    _ device: Device, _ text: KernelText, precisions: [Precision]? = nil
  ) -> [SelfTestResult] {
    do {
      return run(ProgramCache(try Context(device), text: text), precisions: precisions)
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
    let source = try text.source(MomentKernels.units)
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
