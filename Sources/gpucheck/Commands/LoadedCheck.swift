import ArgumentParser
import Foundation
import GPUCheck
import Kernels

/// A check whose files are read. What it runs on is opened next.
struct LoadedCheck {
  /// How θ is laid out.
  var layout: ParameterLayout
  /// Opens what the check runs on.
  var open: () throws -> Opened

  /// A check that is ready to go.
  struct Opened {
    /// What there is to say of how the devices were chosen.
    var notes: [String] = []
    /// Whether a device did not come back from a call.
    var hasHungDevice: () -> Bool = { false }
    /// What it is about to do, where that is known.
    var plan: () -> CheckPlan? = { nil }
    var run: (@escaping @Sendable (CheckProgress) -> Void) throws -> CheckReport
  }
}

extension CheckCommand {
  /// A network and its batch.
  func network(_ path: String) throws -> LoadedCheck {
    try requireOneAverage()
    try onnx.requireNone()
    return graph(
      try ProblemFiles.load(
        model: path, batch: try files.networkBatch(), parameters: try files.requiredParameters(),
        gradient: gradient, names: try files.names()))
  }

  /// An ONNX model and the inputs it has besides θ.
  func model(_ path: String) throws -> LoadedCheck {
    try requireOneAverage()
    return graph(
      try ONNXProblemFiles.load(
        model: path, batch: files.batch, parameters: files.parameters, gradient: gradient,
        cost: try onnx.choice(), names: try files.names()))
  }

  private func graph(_ problem: Problem) -> LoadedCheck {
    LoadedCheck(layout: problem.parameters.layout) {
      let checker = try devices.open(precision, profiles: profile) { try Checker($0) }
      return LoadedCheck.Opened(
        notes: checker.notes, hasHungDevice: { checker.hasHungDevice },
        plan: { checker.plan(problem, options) },
        run: { try checker.check(problem, options, progress: $0) })
    }
  }

  /// A cost in OpenCL C.
  func source(_ path: String) throws -> LoadedCheck {
    try requireTextbook()
    let (theta, dTheta) = try UserCostFiles.load(
      parameters: try files.requiredParameters(), gradient: gradient)
    let source = try CostSource(
      file: path, batch: try files.batch.map { try UserCostFiles.batch($0) })
    let inputs = [path] + (files.batch.map { [$0] } ?? [])
    return LoadedCheck(layout: theta.layout) {
      let began = ContinuousClock.now
      let checker = try devices.open(precision) { try Checker($0) }
      let cost = try checker.cost(source, at: theta, precision: precision, files: inputs)
      let setUp = began.duration(to: .now)
      return LoadedCheck.Opened(notes: checker.notes, hasHungDevice: { checker.hasHungDevice }) {
        var report = try Checker.check(
          cost, parameters: theta, gradient: dTheta, options: options, progress: $0)
        report.seconds.setup = setUp.seconds
        return report
      }
    }
  }

  /// A cost in a shared library.
  func library(_ path: String) throws -> LoadedCheck {
    try requireTextbook()
    guard devices.device.isEmpty, devices.kernels == nil, precision != .f32 else {
      throw InputError(
        "a library runs on the CPU's cores, in double", file: path,
        remedy: "leave --device, --kernels and --precision")
    }
    guard let program = SelfTestCommand.program else {
      throw InputError("gpucheck cannot find itself to run the library", remedy: "mount /proc")
    }
    let (theta, dTheta) = try UserCostFiles.load(
      parameters: try files.requiredParameters(), gradient: gradient)
    let library = try LibraryCost(
      program: program, path: path, batch: files.batch, seconds: userCost.costTimeout)
    return LoadedCheck(layout: theta.layout) {
      let cost = try library.cost(at: theta, memoryLimit: devices.memory)
      return LoadedCheck.Opened {
        try Checker.check(
          cost, parameters: theta, gradient: dTheta, options: options, progress: $0)
      }
    }
  }

  private func requireOneAverage() throws {
    guard userCost.average == 1 else {
      throw InputError(
        "--average is for a cost of your own; a network gives the same cost every time",
        remedy: "leave it out")
    }
  }

  /// A cost of the user's own is evaluated as it stands: there are no rules for its differences.
  private func requireTextbook() throws {
    try files.requireNoMapping()
    try onnx.requireNone()
    guard !perUnit else {
      throw InputError(
        "--per-unit is for dense networks, not for a cost of your own", remedy: "leave it out")
    }
    guard directional == nil else {
      throw InputError(
        "--directional needs the rules of a network's operators, and a cost of your own has none",
        remedy: "check some components with --sample")
    }
    guard evaluator == nil || evaluator == .textbook else {
      throw InputError(
        "a cost of your own is evaluated as the textbook does it", remedy: "leave --evaluator")
    }
  }
}
