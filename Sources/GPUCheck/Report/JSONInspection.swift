/// An inspection for programs: one JSON object of the schema `gpucheck.inspect/1` (docs/inspect.md).
public enum JSONInspection {
  /// What the key `schema` says.
  public static let schema = "gpucheck.inspect/1"

  /// The object, with a line break at the end.
  public static func write(_ inspection: Inspection) throws -> String {
    let object: JSONValue = [
      "schema": .string(schema),
      "model": .string(inspection.model),
      "kind": .string(inspection.kind.rawValue),
      "facts": .array(inspection.facts.map(JSONValue.string)),
      "inputs": .array(inspection.inputs.map(value)),
      "outputs": .array(inspection.outputs.map(value)),
      "parameters": .array(inspection.parameters.map(parameter)),
      "operators": .array(inspection.operators.map(operatorUse)),
      "nodes": .array(inspection.nodes.map(node)),
      "estimate": inspection.estimate.map(estimate) ?? .null,
      "refusals": .array(inspection.refusals.map(JSONValue.string)),
      "warnings": .array(inspection.warnings.map(JSONValue.string)),
    ]
    return try object.encoded() + "\n"
  }

  private static func shape(_ shape: [Int]?) -> JSONValue {
    shape.map { .array($0.map(JSONValue.count)) } ?? .null
  }

  private static func value(_ value: Inspection.Value) -> JSONValue {
    [
      "name": .string(value.name), "type": .text(value.type?.rawValue),
      "shape": value.shape.map { .array($0.map(JSONValue.string)) } ?? .null,
    ]
  }

  private static func parameter(_ parameter: Inspection.Parameter) -> JSONValue {
    [
      "name": .string(parameter.name), "shape": shape(parameter.shape),
      "count": .count(parameter.count), "type": .string(parameter.type.rawValue),
    ]
  }

  private static func operatorUse(_ use: Inspection.OperatorUse) -> JSONValue {
    [
      "name": .string(use.name), "count": .count(use.count), "supported": .bool(use.isSupported),
      "needed": .bool(use.isNeeded), "note": .string(use.note),
    ]
  }

  private static func node(_ node: Inspection.Node) -> JSONValue {
    [
      "name": .string(node.name), "kind": .string(node.kind.rawValue),
      "operator": node.operation.isEmpty ? .null : .string(node.operation),
      "shape": shape(node.shape), "inputs": .array(node.inputs.map(JSONValue.count)),
      "moves": .bool(node.moves), "costFactor": node.costFactor.map(JSONValue.number) ?? .null,
    ]
  }

  // MARK: Estimates

  private static func estimate(_ estimate: CheckEstimate) -> JSONValue {
    [
      "segments": .array(estimate.segments.map(segment)),
      "forwardWork": .number(estimate.forwardWork),
      "full": effort(estimate.full),
      "sample": estimate.sample.map(effort) ?? .null,
      "devices": .array(estimate.devices.map(device)),
    ]
  }

  private static func segment(_ segment: CheckEstimate.Segment) -> JSONValue {
    [
      "name": .string(segment.name), "shape": shape(segment.shape),
      "count": .count(segment.count), "steps": .count(segment.steps),
      "elementsPerLane": .count(segment.elementsPerLane),
      "workPerLane": .number(segment.workPerLane), "refusal": .text(segment.refusal),
    ]
  }

  private static func effort(_ effort: CheckEstimate.Effort) -> JSONValue {
    [
      "components": .count(effort.components), "lanes": .count(effort.lanes),
      "work": .number(effort.work), "hostBytes": .count(effort.hostBytes),
      "hostSeconds": .number(effort.hostSeconds),
    ]
  }

  private static func device(_ device: DeviceEstimate) -> JSONValue {
    [
      "selector": .string(device.selector), "name": .string(device.name),
      "precision": .string(device.precision), "tableBytes": .count(device.tableBytes),
      "leastBytes": .count(device.leastBytes), "usualBytes": .count(device.usualBytes),
      "availableBytes": .count(device.availableBytes), "leastLanes": .count(device.leastLanes),
      "usualLanes": .count(device.usualLanes), "rate": .number(device.rate),
      "fullSeconds": .number(device.fullSeconds),
      "sampleSeconds": device.sampleSeconds.map(JSONValue.number) ?? .null,
      "refusal": .text(device.refusal),
    ]
  }
}
