/// In which of its inputs an operator is linear, the others held still.
///
/// It is linear in any one factor, and in all addends together; an addend adds to what the factors
/// make. In what is neither it is not linear.
struct LinearInputs {
  private var factors: [Int] = []
  private var addends: [Int] = []

  /// - Parameter inputs: how many the operator has.
  init(_ operation: Operator, inputs: Int) {
    switch operation {
    case .dense: (factors, addends) = ([0, 1], [2])
    case .matrixProduct, .convolution, .combine(.multiply): factors = [0, 1]
    case .combine(.divide), .element(.multiply): factors = [0]
    case .combine(.add), .combine(.subtract): addends = [0, 1]
    case .select: addends = [1, 2]
    case .reshape, .gather(_, .sum), .concatenate: addends = Array(0..<inputs)
    default: break
    }
  }

  /// Whether the operator is linear in all of these inputs together.
  func contain(_ inputs: Set<Int>) -> Bool {
    inputs.filter(factors.contains).count <= 1
      && inputs.allSatisfy { factors.contains($0) || addends.contains($0) }
  }

  /// The exact change of the output where some inputs move by so much.
  ///
  /// - Parameters:
  ///   - values: of all inputs at the baseline.
  ///   - moves: of the inputs that move; `contain` holds for them.
  func change(
    _ operation: Operator, _ values: [[Double]], _ shapes: [[Int]], moves: [Int: [Double]]
  ) -> [Double] {
    let factorMoves = factors.contains { moves[$0] != nil }
    let parts = values.indices.map { input -> [Double] in
      if let move = moves[input] { return move }
      // Without its product, and without what it adds that stands still.
      let isStill = addends.contains(input) || (factors.contains(input) && !factorMoves)
      return isStill ? [Double](repeating: 0, count: values[input].count) : values[input]
    }
    return operation.withoutConstant.primitive.forward(parts, shapes: shapes)
  }
}

extension Operator {
  /// The same without the number that it writes where it has no input.
  fileprivate var withoutConstant: Operator {
    guard case .gather(var map, .sum) = self else { return self }
    map.fill = 0
    return .gather(map, .sum)
  }
}
