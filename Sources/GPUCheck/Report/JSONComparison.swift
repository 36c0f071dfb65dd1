import Kernels

/// A comparison for programs: one JSON object of the schema `gpucheck.compare/1`
/// (docs/comparison.md).
public enum JSONComparison {
  /// What the key `schema` says.
  public static let schema = "gpucheck.compare/1"

  /// The object, with a line break at the end. Numbers read back as the same doubles; those that are
  /// not finite are null.
  public static func write(_ comparison: Comparison) throws -> String {
    let asked = comparison.textbook.first?.compared ?? 0
    let object: JSONValue = [
      "schema": .string(schema),
      "outcome": .string(comparison.outcome.rawValue),
      "outside": .count(comparison.outside),
      "verdictsDiffer": .bool(comparison.verdictsDiffer),
      "hasGradient": .bool(comparison.hasGradient),
      "cost": .number(comparison.cost),
      "parameters": .count(comparison.layout.count),
      "compared": .count(comparison.components.count),
      "scheme": .string(comparison.scheme.rawValue),
      "epsilon": .number(comparison.epsilon),
      "reference": .count(comparison.reference),
      "devices": .array(comparison.devices.map(device)),
      "runs": .array(comparison.runs.map { run($0, cost: comparison.cost) }),
      "pairs": .array(comparison.pairs.map(pair)),
      "textbook": [
        "components": .count(asked), "pairs": .array(comparison.textbook.map(pair)),
      ],
      "components": .array(
        comparison.worst.map { worst in
          .object(
            members(worst.component).merging(
              ["runs": runs(worst.pair)], uniquingKeysWith: { first, _ in first }))
        }),
      "uncommonKinks": .array(
        comparison.uncommonKinks.prefix(comparison.top).map { position in
          let (segment, index) = comparison.layout.locate(position)
          let part = comparison.layout.segments[segment]
          return [
            "tensor": .string(part.name),
            "index": .array(unravel(index, shape: part.shape).map(JSONValue.count)),
          ]
        }),
      "kinksDiffer": .count(comparison.uncommonKinks.count),
      "warnings": .array(comparison.warnings.map(JSONValue.string)),
      "seconds": .number(comparison.seconds),
    ]
    return try object.encoded() + "\n"
  }

  // MARK: Devices

  private static func device(_ device: ComparedDevice) -> JSONValue {
    let description = device.tested?.description
    return [
      "name": .string(device.name),
      "index": .string(description?.selector ?? "cpu"),
      "platform": .text(description?.platformName),
      "driver": .text(description?.driverVersion),
      "simulator": .bool(description?.isSimulator ?? false),
      "arithmetic": .array(
        (description?.precisions ?? []).map { precision in
          arithmetic(precision, description?.arithmetic(precision) ?? [])
        }),
      "selfTest": .array(
        (device.tested?.selfTests ?? []).flatMap { test in
          test.functions.map { function in
            [
              "precision": .string(test.precision.rawValue), "name": .string(function.name),
              "maxULP": .number(function.maxULP), "limit": .number(function.limit),
            ]
          }
        }),
    ]
  }

  private static func arithmetic(_ precision: Precision, _ facts: Arithmetic) -> JSONValue {
    [
      "precision": .string(precision.rawValue),
      "denormals": .bool(facts.contains(.denormals)),
      "infinityAndNaN": .bool(facts.contains(.infinityAndNaN)),
      "roundsToNearest": .bool(facts.contains(.roundsToNearest)),
      "roundsToZero": .bool(facts.contains(.roundsToZero)),
      "roundsToInfinity": .bool(facts.contains(.roundsToInfinity)),
      "fma": .bool(facts.contains(.fma)),
      "correctlyRoundedDivideSqrt": .bool(facts.contains(.dividesCorrectly)),
      "software": .bool(facts.contains(.isSoftware)),
    ]
  }

  // MARK: Runs

  private static func run(_ run: ComparisonRun, cost: Double) -> JSONValue {
    return [
      "device": .count(run.device),
      "precision": .string(run.precision.rawValue),
      "evaluator": .string(run.evaluator.rawValue),
      "cost": .number(run.cost),
      "costDifference": .number(run.cost - cost),
      "costULP": .number(ulps(run.cost, from: cost, run.precision)),
      "noiseFloor": .number(run.noiseFloor),
      "decidable": .bool(run.isDecidable),
      "verdict": .string(run.verdict.rawValue),
      "passed": .bool(run.passed),
      "distanceToGradient": run.distanceToGradient.map(JSONValue.number) ?? .null,
      "kinks": run.seesKinks ? ["crossed": .count(run.crossed), "tied": .count(run.tied)] : .null,
      "seconds": .number(run.seconds),
    ]
  }

  // MARK: Pairs

  private static func pair(_ pair: PairDifference) -> JSONValue {
    [
      "runs": runs(pair),
      "compared": .count(pair.compared),
      "relativeDifference": .number(pair.relativeDifference),
      "outside": .count(pair.outside),
      "ulpPrecision": .string(pair.precision.rawValue),
      "largest": [
        "absolute": component(pair.largestAbsolute), "relative": component(pair.largestRelative),
        "ulp": component(pair.largestULP),
      ],
      "histogram": .array(
        pair.histogram.counts.enumerated().map { bucket, count in
          let range = ULPHistogram.range(ofBucket: bucket)
          return [
            "from": .number(Double(range.lowerBound)), "to": .number(Double(range.upperBound)),
            "count": .count(count),
          ]
        }),
      "notNumbers": .count(pair.histogram.notNumbers),
      "tensors": .array(
        pair.tensors.map { tensor in
          [
            "name": .string(tensor.name), "compared": .count(tensor.compared),
            "outside": .count(tensor.outside),
            "relativeDifference": .number(tensor.relativeDifference),
          ]
        }),
    ]
  }

  /// The places of a pair's runs; null for the textbook.
  private static func runs(_ pair: PairDifference) -> JSONValue {
    .array([.count(pair.first), pair.second.map(JSONValue.count) ?? .null])
  }

  private static func component(_ component: ComponentDifference?) -> JSONValue {
    component.map { .object(members($0)) } ?? .null
  }

  private static func members(_ component: ComponentDifference) -> [String: JSONValue] {
    [
      "tensor": .string(component.tensor),
      "index": .array(component.index.map(JSONValue.count)),
      "values": .array([.number(component.first), .number(component.second)]),
      "bars": .array([.number(component.firstBar), .number(component.secondBar)]),
      "absolute": .number(component.absolute),
      "relative": .number(component.relative),
      "ulp": component.ulp.map { .number(Double($0)) } ?? .null,
    ]
  }
}
