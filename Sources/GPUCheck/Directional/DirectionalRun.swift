import Foundation
import Kernels

/// A check along directions: every tensor is measured along some, each is judged by itself, and what
/// fails is halved until the wrong places are named.
struct DirectionalRun {
  let problem: Problem
  let options: CheckOptions
  let directions: Int
  let baseline: Baseline
  let scales: ErrorScales
  let precision: Precision
  let epsilon: Double
  let progress: StageProgress
  var crew: DeviceCrew
  /// What the pools had to say, and what each device did.
  private(set) var poolNotes: [String] = []
  private(set) var shares: [CheckReport.DeviceShare] = []
  /// How many directions were drawn.
  private var drawn: UInt64 = 0

  init(
    _ problem: Problem, _ options: CheckOptions, directions: Int, _ baseline: Baseline,
    _ precision: Precision, _ crew: DeviceCrew, _ progress: StageProgress
  ) {
    self.problem = problem
    self.options = options
    self.directions = directions
    self.baseline = baseline
    self.precision = precision
    self.crew = crew
    self.progress = progress
    scales = ErrorScales(baseline, at: nil, of: problem.gradient.elementType)
    epsilon = options.epsilon ?? Self.step
  }

  /// Small, so that few of a large network's activations cross their kinks; exact differences lose
  /// nothing by it. The textbook looks at a larger one, where truncation is seen.
  static let step = 3e-8

  /// How many directions tell of truncation where not all do.
  private static let halved = 8

  /// What lies further outside its bars, in bars, is wrong at the first look.
  private static let clear = 100.0

  /// Lanes of so many bytes for each element are what a launch on a CPU takes at least: directions of
  /// several tensors fill it.
  private static let launchBytes = 128

  /// Directions along which a tensor is measured at least where kinks leave it undecided.
  private static let deciding = 4

  /// Tensors that fail are halved up to so many, the worst first.
  static let mostSearched = 8

  private var layout: ParameterLayout { problem.graph.layout }
  private var gradientRoundoff: Double { problem.gradient.elementType.unitRoundoff }
  private var tieRoundoff: Double { max(gradientRoundoff, Precision.f64.unitRoundoff) }

  // MARK: Stages

  /// Measures all tensors. Components of the gradient that are not finite make their tensor fail.
  mutating func judgeAll() throws -> [[JudgedRay]] {
    var judged = [[JudgedRay]](repeating: [], count: layout.segments.count)
    let apart = RayGraph.apart(baseline)
    let together = order().filter { !apart.contains($0) }
    let size = max(1, Self.launchBytes / precision.bytes / (2 * directions))
    let groups = stride(from: 0, to: together.count, by: size).map {
      Array(together[$0..<min($0 + size, together.count)])
    }
    for groups in [groups] + apart.sorted().map({ [[$0]] }) where !groups.isEmpty {
      let drawn = Dictionary(
        uniqueKeysWithValues: groups.flatMap(\.self).map { ($0, drawWhole($0)) })
      for ray in try judge(groups, drawn, precision, stage: "directions") {
        judged[ray.ray.segment].append(ray)
      }
    }
    // What fails by little is looked at again: in f64, with the truncation of every direction.
    for (segment, rays) in judged.enumerated() {
      let excess = Self.excess(rays)
      guard excess > 1, excess < Self.clear else { continue }
      judged[segment] = try judge(
        [[segment]], [segment: rays.map(\.ray.direction)], .f64, halved: .max,
        stage: "looking again")
    }
    // One direction on a kink tells nothing where it lies outside; several do.
    for (segment, rays) in judged.enumerated() where Standing(rays) == .undecided {
      let more = max(0, Self.deciding - rays.count)
      let whole = TensorBox(whole: layout.segments[segment].shape)
      guard more > 0 else { continue }
      judged[segment] += try judge(
        [[segment]], [segment: (0..<more).map { _ in drawDirection(whole, segment) }], .f64,
        halved: .max, stage: "deciding")
    }
    return judged
  }

  /// How far the worst ray of a tensor lies outside its bar; NaN where a slope is not a number.
  static func excess(_ rays: [JudgedRay]) -> Double {
    rays.map { $0.bar > 0 || $0.isWithinBar ? $0.deviation.magnitude / $0.bar : .infinity }
      .max() ?? 0
  }

  /// The wrong places of a tensor that fails.
  mutating func search(_ segment: Int, _ rays: [JudgedRay]) throws -> [WrongPlace] {
    let part = layout.segments[segment]
    let all = TensorBox(whole: part.shape)
    if let ratio = DirectionalSearch.ratio(rays) {
      return [WrongPlace(part: .tensor, rows: all.rows, columns: all.columns, ratio: ratio)]
    }
    return try withoutActuallyEscaping({ (boxes: [TensorBox]) throws -> [JudgedRay] in
      let drawn = boxes.map { drawDirection($0, segment) }
      return try judge(
        [[segment]], [segment: drawn], .f64, halved: .max, stage: "halving \(part.name)")
    }) { look in
      try DirectionalSearch(shape: part.shape, look: look).places()
    }
  }

  /// Tensors with elements, in the order in which the graph meets them: lanes of neighbours have
  /// nearly the same way.
  private func order() -> [Int] {
    var first: [Int: Int] = [:]
    let nodes = problem.graph.nodes
    for (id, node) in nodes.enumerated() {
      guard case .apply(_, let inputs) = node.definition else { continue }
      for input in inputs {
        if case .parameter(let segment) = nodes[input].definition, first[segment] == nil {
          first[segment] = id
        }
      }
    }
    return layout.segments.indices.filter { layout.segments[$0].count > 0 }
      .sorted { (first[$0] ?? .max, $0) < (first[$1] ?? .max, $1) }
  }

  /// Directions in all of a tensor.
  private mutating func drawWhole(_ segment: Int) -> [GaussianDirection] {
    let whole = TensorBox(whole: layout.segments[segment].shape)
    return (0..<directions).map { _ in drawDirection(whole, segment) }
  }

  private mutating func drawDirection(_ box: TensorBox, _ segment: Int) -> GaussianDirection {
    drawn += 1
    return GaussianDirection(
      box, of: layout.segments[segment].shape, seed: options.seed, draw: drawn)
  }

  // MARK: Rays

  /// Measures directions of some tensors and judges them.
  private mutating func judge(
    _ groups: [[Int]], _ directions: [Int: [GaussianDirection]], _ precision: Precision,
    halved: Int = Self.halved, stage: String
  ) throws -> [JudgedRay] {
    let bundle = try bundle(groups, directions, precision)
    let measured = try bundle.measure(
      epsilon: epsilon, halved: halved, seed: options.seed &+ drawn, progress, stage: stage)
    note(bundle.perturbation.pool)
    return zip(bundle.rays, measured).map {
      JudgedRay($0, $1, gradientRoundoff: gradientRoundoff)
    }
  }

  private mutating func bundle(
    _ groups: [[Int]], _ directions: [Int: [GaussianDirection]], _ precision: Precision
  ) throws -> RayBundle {
    progress.clock?.enter("rays")
    let (layout, problem, scales) = (layout, problem, scales)
    var rays: [Int: [Ray]] = [:]
    for (segment, list) in directions {
      rays[segment] = list.map { Ray(segment: segment, direction: $0) }
    }
    var waiting = Set(directions.keys)
    /// Makes the directions of a tensor, and takes its sums as they come by.
    func values(_ segment: Int) -> [[Double]] {
      let part = layout.segments[segment]
      waiting.remove(segment)
      return (rays[segment] ?? []).indices.map { number in
        let v = rays[segment]?[number].direction.values(count: part.count) ?? []
        rays[segment]?[number].project(
          v, gradient: problem.gradient[segment: segment], scales: scales, offset: part.offset)
        return v
      }
    }
    let rayBaseline = try RayGraph(
      baseline, groups: groups, counts: layout.segments.indices.map { directions[$0]?.count ?? 0 },
      directions: values
    ).baseline
    // Tensors that nothing of J depends on.
    for segment in waiting.sorted() { _ = values(segment) }
    let ordered = groups.flatMap { $0.flatMap { rays[$0] ?? [] } }
    return RayBundle(rays: ordered, perturbation: try perturbation(rayBaseline, ordered, precision))
  }

  private mutating func perturbation(
    _ rayBaseline: Baseline, _ rays: [Ray], _ precision: Precision
  ) throws -> Perturbation {
    let (roundoff, seed, cost) = (tieRoundoff, options.seed, baseline.cost)
    let costDeviation = baseline.costVariance.squareRoot()
    let prepare = { @Sendable (backend: any Backend) in
      try backend.prepare(
        rayBaseline, mode: .difference, precision: precision, tieRoundoff: roundoff)
    }
    let costly = try Self.costly(rayBaseline.graph)
    let pool =
      precision == .f64 && !crew.backends.allSatisfy(\.supportsDouble)
      ? LanePool(try prepare(CPUBackend()), name: CPUBackend().name)
      : try crew.pool(.difference, precision, journal: nil, prepare: prepare) { twin in
        LaneAudit(
          twin: twin, layout: rayBaseline.graph.layout,
          scales: ComponentValues(rays.map(\.laneScale)), cost: cost, costDeviation: costDeviation,
          seed: seed, costly: costly)
      }
    return Perturbation(
      pool: pool, layout: rayBaseline.graph.layout, theta: rayBaseline.parameters.values,
      cost: cost, oneSided: false)
  }

  /// The segments of t of whose lanes the CPU takes seconds each. A device that computes wrongly cannot
  /// make a wrong tensor pass, since its slopes would have to be those of the gradient by chance; what
  /// fails is halved by launches of their own, and the textbook is asked about some rays in any case.
  private static func costly(_ graph: Graph) throws -> Set<Int> {
    try Set(
      graph.layout.segments.indices.filter { segment in
        let plan = try LanePlan(graph: graph, segment: segment, mode: .difference)
        return plan.steps.reduce(0) { $0 + $1.work } > Self.auditedWork
      })
  }

  /// Multiply-adds of a lane.
  private static let auditedWork = 1e8

  /// Keeps what a pool has to tell; the pool itself holds the memory of its devices.
  private mutating func note(_ pool: LanePool) {
    for note in pool.notes where !poolNotes.contains(note) { poolNotes.append(note) }
    for part in pool.shares {
      if let known = shares.firstIndex(where: { $0.name == part.name }) {
        shares[known].lanes += part.lanes
        shares[known].seconds += part.seconds
      } else {
        shares.append(.init(name: part.name, lanes: part.lanes, seconds: part.seconds))
      }
    }
  }

  // MARK: The textbook

  /// Has the textbook evaluate J(θ ± t·v) of the network along the worst rays and some others: at
  /// least two, and more while they take less than a tenth of the evaluation's time.
  mutating func askTextbook(_ judged: [[JudgedRay]]) throws -> CheckReport.TextbookAgreement {
    let evaluation = progress.seconds
    var random = SplitMix64(seed: options.seed ^ 0x7465_7874_626f_6f6b)
    let all = judged.flatMap(\.self).filter { $0.deviation.isFinite }
    let worst = all.max { $0.deviation.magnitude * $1.bar < $1.deviation.magnitude * $0.bar }
    let chosen =
      [worst].compactMap(\.self)
      + draw(15, of: all.indices, using: &random).map { all[$0] }.shuffled(using: &random)
    var stage = progress.stage("textbook", total: chosen.count)
    var (given, asked): ([Double], [Double]) = ([], [])
    var agrees = true
    let start = ContinuousClock.now
    for judged in chosen {
      if given.count >= 2, (ContinuousClock.now - start).seconds > evaluation / 10 { break }
      let (own, book, bar) = try textbookSlopes(judged.ray)
      given.append(own)
      asked.append(book)
      if !((own - book).magnitude <= bar) { agrees = false }
      try stage.advance(1)
    }
    return CheckReport.TextbookAgreement(
      components: given.count, relativeDifference: relativeDifference(given, asked),
      passed: agrees)
  }

  /// The central difference along a ray by lanes and by the textbook, with the same step, and how far
  /// the two may lie apart.
  private mutating func textbookSlopes(_ ray: Ray) throws -> (Double, Double, bar: Double) {
    let step = StepSize.automatic(.textbook, .central, .f64)
    var again = ray
    let part = layout.segments[ray.segment]
    let v = ray.direction.values(count: part.count)
    again.project(
      v, gradient: problem.gradient[segment: ray.segment], scales: scales, offset: part.offset)
    let rayBaseline = try RayGraph(
      baseline, groups: [[ray.segment]], counts: layout.segments.map { _ in 1 }
    ) { _ in [v] }.baseline
    let lanes = try perturbation(rayBaseline, [again], precision)
    let own = Scheme.central.slope(try lanes.changes(of: [0], .same([step, -step]))[0])
    note(lanes.pool)
    let (graph, theta) = (problem.graph, problem.parameters.values)
    let costs = costs(of: LaneBatch(segment: 0, components: [0, 0], moves: [step, -step])) { lane in
      var moved = theta
      for (at, v) in v.enumerated() { moved[part.offset + at] += (lane == 0 ? step : -step) * v }
      return Textbook.cost(graph, moved)
    }.values
    let deviation = Precision.f64.unitRoundoff * baseline.costVariance.squareRoot()
    let bar =
      CheckRun.gradientWidth
      * (precision.unitRoundoff * again.laneScale + 2.0.squareRoot() * deviation / (2 * step))
    return (own, (costs[0] - costs[1]) / (2 * step), bar)
  }
}
