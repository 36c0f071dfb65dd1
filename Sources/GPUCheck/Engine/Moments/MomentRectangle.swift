/// The units and inputs that a run of lanes lies in: all of both, or some of them.
struct MomentRectangle {
  let units: Range<Int>
  let inputs: Range<Int>
  /// How many lanes lie from one unit to the next, and from one input to the next.
  private let unitStride: Int
  private let inputStride: Int
  private let firstLane: Int

  /// Nil where the components are not laid out as a matrix's rows or columns.
  init?(_ run: ComponentRun, _ entry: MomentLayout.Entry) {
    guard let last = run.range.last else { return nil }
    let steps = run.moves.count
    let components = run.range.lowerBound / steps...last / steps
    let (units, inputs): (Range<Int>, Range<Int>)
    if entry.isBias {
      (units, inputs) = (Range(components), 0..<1)
    } else if entry.unitStride == entry.ins, entry.inputStride == 1 {
      (units, inputs) = Self.rows(components, entry.ins)
    } else if entry.inputStride == entry.outs, entry.unitStride == 1 {
      (inputs, units) = Self.rows(components, entry.outs)
    } else {
      return nil
    }
    (self.units, self.inputs) = (units, inputs)
    unitStride = steps * entry.unitStride
    inputStride = entry.isBias ? 0 : steps * entry.inputStride
    firstLane = run.range.lowerBound
  }

  /// The rows of so many that components lie in, and which places of a row.
  private static func rows(_ components: ClosedRange<Int>, _ length: Int) -> (
    Range<Int>, Range<Int>
  ) {
    let (first, last) = (components.lowerBound / length, components.upperBound / length)
    guard first == last else { return (first..<last + 1, 0..<length) }
    return (first..<first + 1, components.lowerBound % length..<components.upperBound % length + 1)
  }

  /// Which of the run's lanes is the first one of a unit and input; it may lie outside of the run.
  func lane(unit: Int, input: Int) -> Int { unit * unitStride + input * inputStride - firstLane }
}
