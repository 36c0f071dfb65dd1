import Foundation

/// The programs built so far for one context, each built once.
///
/// `@unchecked Sendable`: the table is touched under the lock only, which is held through a build
/// so that no two workers build the same program.
package final class ProgramCache: @unchecked Sendable {
  /// The context programs are built in.
  package let context: Context
  /// Where the kernel files come from.
  package let text: KernelText
  private let lock = NSLock()
  private var programs: [String: Program] = [:]
  /// The same by what was asked for: to put a source together takes a small check longer than to run it.
  private var asked: [Request: Program] = [:]

  private struct Request: Hashable {
    var units: [KernelUnit]
    var precision: Precision
    var vectorWidth: Int
    var defines: [KernelUnit.Define]

    init(_ units: [KernelUnit], _ specialisation: Specialisation) {
      self.units = units
      (precision, vectorWidth) = (specialisation.precision, specialisation.vectorWidth)
      defines = specialisation.defines.map { KernelUnit.Define(name: $0, value: $1) }
    }
  }

  /// An empty cache.
  package init(_ context: Context, text: KernelText = KernelText()) {
    self.context = context
    self.text = text
  }

  /// The program of parts of kernels/ (common.cl before them) for a specialisation, built if it was not
  /// yet. Throws `KernelTextError`, or `OpenCLError` with the build log.
  package func program(_ units: [KernelUnit], _ specialisation: Specialisation) throws -> Program {
    lock.lock()
    defer { lock.unlock() }
    let request = Request(units, specialisation)
    if let program = asked[request] { return program }
    let source = try text.source(units)
    let key = specialisation.cacheKey(for: context.device.description, source: source)
    let program = try programs[key] ?? Program(context, source: source, specialisation)
    programs[key] = program
    asked[request] = program
    return program
  }

  /// How many programs there are.
  package var count: Int {
    lock.lock()
    defer { lock.unlock() }
    return programs.count
  }
}
