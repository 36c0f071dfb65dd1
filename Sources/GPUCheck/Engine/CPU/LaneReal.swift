import CLanes
import Kernels
import RealModule

/// The numbers that CPU lanes are computed in.
package protocol LaneReal: Real, BinaryFloatingPoint, SIMDScalar, Codable, Sendable {
  static var precision: Precision { get }
  /// Up to here series serve in the place of a library's call: SMALL of kernels/small.cl.
  static var smallStep: Self { get }

  /// `lane_products` of CLanes.h.
  static func products(
    _ set: Int32, _ shape: LaneProducts, _ weights: UnsafePointer<Self>,
    _ rows: UnsafePointer<Self>, _ outputs: UnsafeMutablePointer<Self>)

  /// `lane_series` of CLanes.h.
  static func series(
    _ set: Int32, elements: Int, _ terms: UnsafePointer<Self>, stride: Int,
    _ d: UnsafeMutablePointer<Self>
  ) -> Int
}

extension Double: LaneReal {
  package static var precision: Precision { .f64 }
  package static var smallStep: Double { 0x1p-12 }

  package static func products(
    _ set: Int32, _ shape: LaneProducts, _ weights: UnsafePointer<Double>,
    _ rows: UnsafePointer<Double>, _ outputs: UnsafeMutablePointer<Double>
  ) {
    withUnsafePointer(to: shape) { lane_products_f64(set, $0, weights, rows, outputs) }
  }

  package static func series(
    _ set: Int32, elements: Int, _ terms: UnsafePointer<Double>, stride: Int,
    _ d: UnsafeMutablePointer<Double>
  ) -> Int {
    lane_series_f64(set, elements, smallStep, terms, stride, d)
  }
}

extension Float: LaneReal {
  package static var precision: Precision { .f32 }
  package static var smallStep: Float { 0x1p-6 }

  package static func products(
    _ set: Int32, _ shape: LaneProducts, _ weights: UnsafePointer<Float>,
    _ rows: UnsafePointer<Float>, _ outputs: UnsafeMutablePointer<Float>
  ) {
    withUnsafePointer(to: shape) { lane_products_f32(set, $0, weights, rows, outputs) }
  }

  package static func series(
    _ set: Int32, elements: Int, _ terms: UnsafePointer<Float>, stride: Int,
    _ d: UnsafeMutablePointer<Float>
  ) -> Int {
    lane_series_f32(set, elements, smallStep, terms, stride, d)
  }
}

/// The loops for the best vectors of the machine (CLanes.h).
let laneInstructionSet = lane_instruction_sets() - 1
