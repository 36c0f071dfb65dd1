/// The report for programs: one JSON object of the schema `gpucheck.report/1` (docs/report.md).
public enum JSONReport {
  /// What the key `schema` says.
  public static let schema = "gpucheck.report/1"

  /// The object, with a line break at the end. Numbers read back as the same doubles; those that are
  /// not finite are null.
  public static func write(_ report: CheckReport) throws -> String {
    let seconds = report.seconds
    let object: JSONValue = [
      "schema": .string(schema),
      "passed": .bool(report.passed),
      "verdict": .string(report.verdict.rawValue),
      "relativeDifference": .number(report.relativeDifference),
      "noiseFloor": .number(report.noiseFloor),
      "wrong": .count(report.wrong),
      "cost": .number(report.cost),
      "parameters": .count(report.parameters),
      "checked": .count(report.checked),
      "evaluator": .string(report.evaluator.rawValue),
      "precision": .string(report.precision),
      "scheme": .string(report.scheme.rawValue),
      "epsilon": .number(report.epsilon),
      "device": .string(report.device),
      "devices": .array(report.devices.map(share)),
      "recalled": .count(report.recalled),
      "profile": report.profile.map(ProfileReport.json) ?? .null,
      "costNoise": report.costNoise.map(JSONValue.number) ?? .null,
      "lost": .array(report.lost.map(lost)),
      "seconds": [
        "load": .number(seconds.load), "setup": .number(seconds.setup),
        "evaluation": .number(seconds.evaluation), "total": .number(seconds.total),
      ],
      "tensors": .array(report.tensors.map(tensor)),
      "components": .array(report.worst.map { component($0, ofAllTensors: true) }),
      "kinks": ["crossed": .count(report.kinks.crossed), "tied": .count(report.kinks.tied)],
      "textbookAgreement": [
        "components": .count(report.textbookAgreement.components),
        "relativeDifference": .number(report.textbookAgreement.relativeDifference),
        "passed": .bool(report.textbookAgreement.passed),
      ],
      "directional": report.directional.map(JSONDirectional.value) ?? .null,
      "findings": .array(report.findings.map(finding)),
      "warnings": .array(report.warnings.map(JSONValue.string)),
    ]
    return try object.encoded() + "\n"
  }

  private static func share(_ share: CheckReport.DeviceShare) -> JSONValue {
    [
      "name": .string(share.name), "lanes": .count(share.lanes), "seconds": .number(share.seconds),
    ]
  }

  private static func lost(_ lost: CheckReport.Lost) -> JSONValue {
    [
      "tensor": .string(lost.tensor), "index": .array(lost.index.map(JSONValue.count)),
      "reason": .string(lost.reason),
    ]
  }

  private static func tensor(_ tensor: TensorReport) -> JSONValue {
    [
      "name": .string(tensor.name),
      "shape": .array(tensor.shape.map(JSONValue.count)),
      "checked": .count(tensor.checked),
      "wrong": .count(tensor.wrong),
      "relativeDifference": .number(tensor.relativeDifference),
      "passed": .bool(tensor.passed),
      "kinks": .count(tensor.kinks),
      "worst": tensor.worst.map { component($0, ofAllTensors: false) } ?? .null,
    ]
  }

  /// A component; those of a list over all tensors name theirs.
  private static func component(
    _ component: ComponentReport, ofAllTensors: Bool
  ) -> JSONValue {
    var members: [String: JSONValue] = [
      "index": .array(component.index.map(JSONValue.count)),
      "analytic": .number(component.analytic), "numeric": .number(component.numeric),
      "difference": .number(component.difference),
      "uncertainty": .number(component.uncertainty), "passed": .bool(component.passed),
    ]
    if ofAllTensors { members["tensor"] = .string(component.tensor) }
    return .object(members)
  }

  private static func finding(_ finding: Finding) -> JSONValue {
    [
      "kind": .string(finding.kind), "text": .string(finding.text),
      "tensors": .array(finding.tensors.map(JSONValue.string)),
    ]
  }
}
