import Foundation

/// The other side of `CostProcess`: a process that opens the user's library and answers for it.
package enum CostLibrary {
  private typealias Cost =
    @convention(c) (
      UnsafePointer<Double>?, Int, UnsafeMutableRawPointer?
    ) -> Double
  private typealias SetUp = @convention(c) (Int, UnsafePointer<CChar>?) -> UnsafeMutableRawPointer?
  private typealias TearDown = @convention(c) (UnsafeMutableRawPointer?) -> Void

  /// Answers until there is nothing more to read; the library may end the process at any time.
  ///
  /// - Parameters:
  ///   - batch: handed to the library as it is.
  ///   - input, output: the pipes. stdin and stdout are the library's own.
  package static func serve(_ path: String, batch: String?, input: Int32, output: Int32) {
    leaveWithParent()
    var noCore = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(4), &noCore)
    signal(SIGPIPE, SIG_DFL)
    // Ctrl-C is for gpucheck to answer.
    signal(SIGINT, SIG_IGN)
    guard var theta = theta(from: input) else { return }
    func refuse(_ reason: String) {
      let text = Array(reason.utf8)
      guard CostWire.write(CostWire.Answer.refused.rawValue, UInt64(text.count), to: output) else {
        return
      }
      _ = text.withUnsafeBytes { CostWire.write($0, to: output) }
    }
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      return refuse(dlerror().map { String(cString: $0) } ?? "the system does not say why")
    }
    guard let symbol = dlsym(library, "gpucheck_cost") else {
      return refuse(
        "it has no function gpucheck_cost (in C++ declare it extern \"C\", as gpucheck.h does)")
    }
    let cost = unsafeBitCast(symbol, to: Cost.self)
    guard CostWire.write(CostWire.Answer.loaded.rawValue, 0, to: output) else { return }
    let context = dlsym(library, "gpucheck_setup").map { symbol in
      let setUp = unsafeBitCast(symbol, to: SetUp.self)
      return batch.map { $0.withCString { setUp(theta.count, $0) } } ?? setUp(theta.count, nil)
    }
    guard CostWire.write(CostWire.Answer.ready.rawValue, 0, to: output) else { return }
    answer(&theta, input: input, output: output) { cost($0, $1, context ?? nil) }
    if let symbol = dlsym(library, "gpucheck_teardown") {
      unsafeBitCast(symbol, to: TearDown.self)(context ?? nil)
    }
  }

  /// Evaluates one request after the other. The library gets a copy of θ, which is held to another
  /// after every call.
  private static func answer(
    _ theta: inout [Double], input: Int32, output: Int32,
    _ cost: (UnsafePointer<Double>?, Int) -> Double
  ) {
    var own = theta
    while let (index, move) = CostWire.record(from: input) {
      guard let index = Int(exactly: index), own.indices.contains(index) else { return }
      let still = own[index]
      own[index] = Double(bitPattern: move)
      theta[index] = own[index]
      let value = theta.withUnsafeBufferPointer { cost($0.baseAddress, $0.count) }
      var answer = (CostWire.Answer.cost, value.bitPattern)
      if !haveSameBytes(theta, own) {
        let place = own.indices.first { own[$0].bitPattern != theta[$0].bitPattern } ?? 0
        answer = (.wroteTheta, UInt64(place))
        theta = own
      }
      own[index] = still
      theta[index] = still
      guard CostWire.write(answer.0.rawValue, answer.1, to: output) else { return }
    }
  }

  private static func haveSameBytes(_ one: [Double], _ other: [Double]) -> Bool {
    one.withUnsafeBytes { one in
      other.withUnsafeBytes { other in
        guard let first = one.baseAddress, let second = other.baseAddress else { return true }
        return one.count == other.count && memcmp(first, second, one.count) == 0
      }
    }
  }

  private static func theta(from input: Int32) -> [Double]? {
    guard let (count, _) = CostWire.record(from: input), let count = Int(exactly: count),
      count <= Int32.max
    else { return nil }
    var theta = [Double](repeating: 0, count: count)
    return theta.withUnsafeMutableBytes { CostWire.read(into: $0, from: input) } ? theta : nil
  }

  /// A library that hangs does not read: the process ends itself once gpucheck is gone.
  private static func leaveWithParent() {
    let parent = getppid()
    Thread.detachNewThread {
      while getppid() == parent { sleep(1) }
      _exit(0)
    }
  }
}
