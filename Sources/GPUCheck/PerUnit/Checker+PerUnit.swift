import Kernels

extension Checker {
  /// The graph of a problem's units. Throws an `InputError` where it has none, or where options ask for
  /// what the differences of units cannot give.
  func unitGraph(of problem: Problem, _ options: CheckOptions) throws -> UnitGraph {
    let other =
      options.evaluator != .difference
      ? "--evaluator \(options.evaluator.rawValue)"
      : options.scheme != .central
        ? "--scheme \(options.scheme.rawValue)"
        : options.sample != nil ? "--sample" : options.journal != nil ? "--journal" : nil
    if let other {
      throw InputError(
        "--per-unit takes central differences of all parameters at once, and \(other) asks for "
          + "something else", remedy: "leave one of the two out")
    }
    return try UnitGraph(problem.graph, problem.parameters)
  }

  /// The differences of units on the devices of a check, ready to be evaluated.
  func unitSource(
    _ units: UnitGraph, of problem: Problem, _ precision: Precision, _ crew: inout DeviceCrew
  ) throws -> UnitSource {
    let tieRoundoff = problem.tieRoundoff
    let baseline = Baseline(graph: units.graph, parameters: units.shifts)
    let place = { (backend: any Backend) in
      UnitLanes.Place(
        name: backend.name,
        evaluator: try backend.prepare(
          baseline, mode: .difference, precision: precision, tieRoundoff: tieRoundoff))
    }
    let ready = try crew.keep(place)
    return UnitSource(
      units: units, values: baseline.values,
      lanes: UnitLanes(
        ready.map(\.result), precision: precision,
        spare: crew.mayFallBack ? { try place(CPUBackend()) } : nil),
      penalties: try units.penalties.map {
        try UnitPenalties($0, problem.parameters, tieRoundoff: tieRoundoff)
      })
  }
}

extension CheckReport {
  /// Adds what devices did of the units' lanes.
  mutating func add(_ units: UnitSource?) {
    for share in units?.lanes.shares ?? [] {
      if let at = devices.firstIndex(where: { $0.name == share.name }) {
        devices[at].lanes += share.lanes
        devices[at].seconds += share.seconds
      } else {
        devices.append(share)
      }
    }
  }
}
