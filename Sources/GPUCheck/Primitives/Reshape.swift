import Kernels

/// The same elements in another shape. Lanes do not notice: their layouts count elements
/// row-major, so a plan gives the output its input's lanes (LanePlan).
package struct Reshape: Primitive {
  package let shape: [Int]

  package var name: String { "reshape" }

  package func outputShape(_ inputs: [[Int]]) throws -> [Int] {
    guard inputs.count == 1, shape.allSatisfy({ $0 >= 0 }),
      inputs[0].reduce(1, *) == shape.reduce(1, *)
    else { throw InputError("reshape: found \(inputs), expected as many elements as \(shape)") }
    return shape
  }

  package func forward(_ inputs: [[Double]], shapes: [[Int]]) -> [Double] { inputs[0] }

  package func coefficients(_ values: NodeValues, mode: LaneMode, ties: TieTolerances)
    -> [LaneTable]
  { [] }

  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) -> LaneLayout?
  {
    inputs[0]
  }

  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { [] }

  package func launches(_ call: KernelCall) -> [Launch] { [] }

  package func forwardVariance(_ values: NodeValues, inputs: [[Double]?]) -> [Double] {
    inputs[0] ?? [Double](repeating: 0, count: values.output.count)
  }

  package func backward(_ values: NodeValues, _ output: Adjoint, _ source: ErrorSource)
    -> [Adjoint?]
  {
    [output]
  }
}
