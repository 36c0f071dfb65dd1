import Kernels

extension Primitive {
  package func coefficients(_ values: NodeValues, tieTolerance: [Double]) -> [[Double]] { [] }
  package func outputLayout(_ inputs: [LaneLayout?], shapes: [[Int]], mode: LaneMode) throws
    -> LaneLayout?
  { inputs.allSatisfy { $0 == nil || $0 == .full } ? .full : nil }
  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { [] }
  package func launches(_ call: KernelCall) -> [Launch] { fatalError("work in progress") }
  func lanes<T: LaneReal>(_ call: LaneCall<T>) { fatalError("work in progress") }
  static func lanes<T: LaneReal>(_ call: LaneCall<T>) { fatalError("work in progress") }
}
