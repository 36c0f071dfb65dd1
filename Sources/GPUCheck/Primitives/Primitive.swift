import Kernels

/// Everything the engine needs to know of an operator besides its lanes on the CPU: shape, baseline,
/// layouts, kernels, and how rounding errors pass through it.
///
/// The CPU's arithmetic of lanes stands in the same file as a static generic function, which
/// Registry.swift calls by a switch, so that the compiler specialises it for each precision.
package protocol Primitive: Sendable {
  /// The name of the operator's row in the test tables.
  var name: String { get }

  /// The output's shape; throws an `InputError` that says what was expected.
  func outputShape(_ inputs: [[Int]]) throws -> [Int]

  /// y = f(x) in double: the baseline.
  func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double]

  /// The constants that the lanes' rules need, from the baseline in double; a backend rounds them
  /// once.
  func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances) -> [LaneTable]

  /// Tables of integers that the lanes need besides.
  func integerTables(shapes: [[Int]]) -> [[Int32]]

  /// How the output's lanes are laid out, given each input's (nil: it does not move); nil where
  /// slices are not taken and the inputs must be expanded first.
  func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws -> LaneLayout?

  /// The positions along axes that the lanes of a step need, in the order its kernels take them.
  func laneIndices(_ step: LaneStep) -> [LaneIndex]

  /// Multiply-adds of one lane's difference in a step; of a step without products the elements that it
  /// goes over.
  func work(_ step: LaneStep) -> Double

  /// What the tables of `coefficients` hold in `difference`, told by shapes alone.
  func tableSizes(shapes: [[Int]]) -> TableSizes

  /// The parts of kernels/ that serve it in a mode, in the order they are compiled.
  func kernelUnits(_ mode: LaneMode) -> [KernelUnit]

  /// The launches that take a batch of lanes through the operator, one after the other.
  func launches(_ call: KernelCall) -> [Launch]

  /// The variance of the output's rounding error in units of u², given the inputs' (nil: exact).
  func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double]

  /// Takes an adjoint from the output to the inputs (nil for those that are not wanted).
  func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource) -> [Adjoint?]
}

extension Primitive {
  /// Where a slice of the output stands.
  package func laneIndices(_ step: LaneStep) -> [LaneIndex] {
    if let slice = step.output.slice { [slice.index] } else { [] }
  }

  package func integerTables(shapes: [[Int]]) -> [[Int32]] { [] }

  package func work(_ step: LaneStep) -> Double { Double(step.outputElements) }

  package func tableSizes(shapes: [[Int]]) -> TableSizes { TableSizes() }
}

/// What a node's tables hold, before there are values.
package struct TableSizes: Sendable, Equatable {
  /// The inputs whose value is a table.
  package var inputs: [Int] = []
  /// Whether the node's own value is one.
  package var hasOutput = false
  /// Elements of the tables that are the node's alone.
  package var elements = 0
}

/// A table that lanes read of the baseline.
package enum LaneTable: Sendable {
  /// The value of an input, or of the node itself; a backend holds each node's once.
  case input(Int)
  case output
  case values([Double])
  /// A place that stays empty.
  case none
}

/// How close to a kink an element of an input counts as tied: six standard rounding errors of its
/// own value, at the unit roundoff of whoever computed it.
package struct TieTolerances: Sendable {
  private let factor: Double
  private let variances: [[Double]?]

  /// - Parameter variances: of each input, in units of u²; nil for exact ones.
  package init(roundoff: Double, variances: [[Double]?]) {
    factor = 6 * roundoff
    self.variances = variances
  }

  package subscript(input: Int, element: Int) -> Double {
    factor * (variances[input]?[element] ?? 0).squareRoot()
  }
}

/// A node's inputs and output at the baseline, in double.
package struct NodeValues: Sendable {
  package var inputs: [[Double]]
  package var shapes: [[Int]]
  package var output: [Double]
  /// Which inputs depend on θ.
  package var moving: [Bool]
}
