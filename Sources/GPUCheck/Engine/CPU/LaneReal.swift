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

  /// `lane_moments` of CLanes.h.
  static func moments(
    _ set: Int32, samples: Int, _ x: UnsafePointer<Self>, stride: Int,
    _ moments: UnsafePointer<Self>, units: Range<Int>, step: Self,
    _ out: UnsafeMutablePointer<Self>)
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

  package static func moments(
    _ set: Int32, samples: Int, _ x: UnsafePointer<Double>, stride: Int,
    _ moments: UnsafePointer<Double>, units: Range<Int>, step: Double,
    _ out: UnsafeMutablePointer<Double>
  ) {
    lane_moments_f64(
      set, samples, x, stride, moments, units.lowerBound, units.upperBound, step, out)
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

  package static func moments(
    _ set: Int32, samples: Int, _ x: UnsafePointer<Float>, stride: Int,
    _ moments: UnsafePointer<Float>, units: Range<Int>, step: Float,
    _ out: UnsafeMutablePointer<Float>
  ) {
    lane_moments_f32(
      set, samples, x, stride, moments, units.lowerBound, units.upperBound, step, out)
  }
}

/// The loops for the best vectors of the machine (CLanes.h).
let laneInstructionSet = lane_instruction_sets() - 1
