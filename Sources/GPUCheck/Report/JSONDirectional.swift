/// The key `directional` of `gpucheck.report/1` (docs/report.md).
enum JSONDirectional {
  static func value(_ report: DirectionalReport) -> JSONValue {
    [
      "directions": .count(report.directions),
      "probability": .number(DirectionalReport.probability),
      "tensors": .array(report.tensors.map(tensor)),
    ]
  }

  private static func tensor(_ tensor: DirectionalReport.Tensor) -> JSONValue {
    [
      "name": .string(tensor.name), "shape": .array(tensor.shape.map(JSONValue.count)),
      "passed": .bool(tensor.passed), "undecided": .bool(tensor.isUndecided),
      "detectable": .number(tensor.detectable), "typical": .number(tensor.typical),
      "slopes": .array(tensor.slopes.map(slope)), "places": .array(tensor.places.map(place)),
    ]
  }

  private static func slope(_ slope: DirectionalReport.Slope) -> JSONValue {
    [
      "analytic": .number(slope.analytic), "numeric": .number(slope.numeric),
      "uncertainty": .number(slope.uncertainty), "passed": .bool(slope.passed),
    ]
  }

  private static func place(_ place: WrongPlace) -> JSONValue {
    [
      "part": .string(place.part.rawValue), "rows": range(place.rows),
      "columns": range(place.columns), "ratio": place.ratio.map(JSONValue.number) ?? .null,
      "analytic": place.analytic.map(JSONValue.number) ?? .null,
      "numeric": place.numeric.map(JSONValue.number) ?? .null,
    ]
  }

  /// The first position and the last.
  private static func range(_ range: Range<Int>) -> JSONValue {
    .array([range.lowerBound, range.upperBound - 1].map(JSONValue.count))
  }
}
