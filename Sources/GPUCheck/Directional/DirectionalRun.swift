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
  /// Pools that were used, for what they have to say.
  private(set) var pools: [LanePool] = []
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
    scales = ErrorScales(baseline, of: problem.gradient.elementType)
    epsilon = options.epsilon ?? Self.step
  }

  /// Small, so that few of a large network's activations cross their kinks; exact differences lose
  /// nothing by it. The textbook looks at a larger one, where truncation is seen.
  static let step = 0x1p-25

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
    let all = layout.segments.indices.filter { layout.segments[$0].count > 0 }
    let groups = [all.filter { !apart.contains($0) }] + apart.sorted().map { [$0] }
    for group in groups where !group.isEmpty {
      let boxes = Dictionary(
        uniqueKeysWithValues: group.map {
          (
            $0,
            [TensorBox](repeating: TensorBox(whole: layout.segments[$0].shape), count: directions)
          )
        })
      for ray in try judge(boxes, precision, stage: "directions") {
        judged[ray.ray.segment].append(ray)
      }
    }
    // What fails in f32 is called wrong only where it fails in f64 too.
    guard precision == .f32 else { return judged }
    for (segment, rays) in judged.enumerated() where rays.contains(where: { !$0.isWithinBar }) {
      judged[segment] = try judge(
        [segment: rays.map(\.ray.direction.box)], .f64, stage: "looking again")
    }
    return judged
  }

  /// The wrong places of a tensor that fails.
  mutating func search(_ segment: Int, _ rays: [JudgedRay]) throws -> [WrongPlace] {
    let part = layout.segments[segment]
    let all = TensorBox(whole: part.shape)
    if let ratio = DirectionalSearch.ratio(rays) {
      return [WrongPlace(part: .tensor, rows: all.rows, columns: all.columns, ratio: ratio)]
    }
    return try withoutActuallyEscaping({ (boxes: [TensorBox]) throws -> [JudgedRay] in
      try judge([segment: boxes], .f64, stage: "halving \(part.name)")
    }) { look in
      try DirectionalSearch(shape: part.shape, look: look).places()
    }
  }

  // MARK: Rays

  /// Draws directions in the boxes of some tensors, measures and judges them.
  private mutating func judge(
    _ boxes: [Int: [TensorBox]], _ precision: Precision, stage: String
  ) throws -> [JudgedRay] {
    let bundle = try bundle(boxes, precision)
    let measured = try bundle.measure(epsilon: epsilon, progress, stage: stage)
    return zip(bundle.rays, measured).map {
      JudgedRay($0, $1, gradientRoundoff: gradientRoundoff)
    }
  }

  private mutating func bundle(_ boxes: [Int: [TensorBox]], _ precision: Precision) throws
    -> RayBundle
  {
    let (layout, problem, scales) = (layout, problem, scales)
    var rays: [Int: [Ray]] = [:]
    for (segment, list) in boxes.sorted(by: { $0.key < $1.key }) {
      rays[segment] = list.map { box in
        drawn += 1
        return Ray(
          segment: segment,
          direction: GaussianDirection(
            box, of: layout.segments[segment].shape, seed: options.seed, draw: drawn))
      }
    }
    var waiting = Set(boxes.keys)
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
      baseline, counts: layout.segments.indices.map { boxes[$0]?.count ?? 0 }, directions: values
    ).baseline
    // Tensors that nothing of J depends on.
    for segment in waiting.sorted() { _ = values(segment) }
    let ordered = rays.sorted { $0.key < $1.key }.flatMap(\.value)
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
    let pool =
      precision == .f64 && !crew.backends.allSatisfy(\.supportsDouble)
      ? LanePool(try prepare(CPUBackend()), name: CPUBackend().name)
      : try crew.pool(.difference, precision, journal: nil, prepare: prepare) { twin in
        LaneAudit(
          twin: twin, layout: rayBaseline.graph.layout, scales: rays.map(\.laneScale),
          cost: cost, costDeviation: costDeviation, seed: seed)
      }
    pools.append(pool)
    return Perturbation(
      pool: pool, layout: rayBaseline.graph.layout, theta: rayBaseline.parameters.values,
      cost: cost, oneSided: false)
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
      baseline, counts: layout.segments.indices.map { $0 == ray.segment ? 1 : 0 }
    ) { _ in [v] }.baseline
    let lanes = try perturbation(rayBaseline, [again], precision)
    let own = Scheme.central.slope(try lanes.changes(of: [0], steps: [step, -step])[0])
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
