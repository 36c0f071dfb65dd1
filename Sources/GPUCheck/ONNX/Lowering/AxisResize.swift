/// How an axis is resized: where each element of the output lies in the input, and the weights of
/// its neighbours there (https://onnx.ai/onnx/operators/onnx__Resize.html).
struct AxisResize {
  var input = 1
  var output = 1
  var scale = 1.0
  /// The part of the input that is taken, for `tf_crop_and_resize`.
  var region: (start: Double, end: Double) = (0, 1)

  private let mode: String
  private let coordinates: String
  private let rounding: String
  private let cubic: Double
  private let excludesOutside: Bool
  private let isAntialiased: Bool
  private let fill: Double

  init(_ call: OperatorCall) throws {
    mode = try call.string("mode", "nearest")
    coordinates = try call.string("coordinate_transformation_mode", "half_pixel")
    rounding = try call.string("nearest_mode", "round_prefer_floor")
    cubic = try call.float("cubic_coeff_a", -0.75)
    excludesOutside = try call.flag("exclude_outside")
    isAntialiased = try call.flag("antialias")
    fill = try call.float("extrapolation_value", 0)
    guard ["nearest", "linear", "cubic"].contains(mode) else {
      throw call.error("found mode '\(mode)', expected nearest, linear or cubic")
    }
    guard Self.transformations.contains(coordinates) else {
      throw call.error("found coordinate_transformation_mode '\(coordinates)'")
    }
  }

  private static let transformations: Set = [
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_crop_and_resize",
  ]

  var isIdentity: Bool { output == input && scale == 1 && region == (0, 1) }

  /// Where an element of the output lies in the input; nil outside of what is extrapolated from.
  private func place(_ position: Int) -> Double? {
    let (x, length) = (Double(position), Double(input))
    let width = scale * length
    switch coordinates {
    case "align_corners": return width == 1 ? 0 : x * (length - 1) / (width - 1)
    case "asymmetric": return x / scale
    case "pytorch_half_pixel": return width == 1 ? -0.5 : (x + 0.5) / scale - 0.5
    case "half_pixel_symmetric":
      return length / 2 * (1 - Double(output) / width) + (x + 0.5) / scale - 0.5
    case "tf_crop_and_resize":
      let part = (region.end - region.start) * (length - 1)
      let at =
        region.start * (length - 1) + (width == 1 ? part / 2 : x * part / (width - 1))
      return at < 0 || at > length - 1 ? nil : at
    default: return (x + 0.5) / scale - 0.5
    }
  }

  /// The elements around a place, perhaps beyond the input, and their weights.
  private func neighbours(_ x: Double) -> [(at: Int, weight: Double)] {
    if mode == "nearest" {
      let nearest =
        switch rounding {
        case "floor": x.rounded(.down)
        case "ceil": x.rounded(.up)
        case "round_prefer_ceil": (x + 0.5).rounded(.down)
        default: (x - 0.5).rounded(.up)
        }
      return [(Int(clamping: nearest), 1)]
    }
    // When shrinking without aliasing the kernel grows with the step.
    let squeeze = isAntialiased ? min(scale, 1) : 1
    let reach = (mode == "linear" ? 1.0 : 2) / squeeze
    let first = Int(clamping: (x - reach).rounded(.down))
    let last = Int(clamping: (x + reach).rounded(.up))
    var near: [(at: Int, weight: Double)] = []
    for at in first...last {
      let weight = kernel(abs(Double(at) - x) * squeeze)
      if weight != 0 { near.append((at, weight)) }
    }
    let total = near.reduce(0) { $0 + $1.weight }
    return isAntialiased ? near.map { ($0.at, $0.weight / total) } : near
  }

  /// The weight of a neighbour at a distance.
  private func kernel(_ d: Double) -> Double {
    if mode == "linear" { return max(0, 1 - d) }
    let a = cubic
    if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
  }

  /// The map of a value of some shape along an axis of it.
  func map(_ shape: [Int], axis: Int) -> GatherMap {
    var starts: [Int32] = [0]
    var sources: [Int32] = []
    var weights: [Double] = []
    for position in 0..<output {
      var near = place(position).map(neighbours) ?? []
      if excludesOutside {
        near = near.filter { (0..<input).contains($0.at) }
        let total = near.reduce(0) { $0 + $1.weight }
        near = near.map { ($0.at, $0.weight / total) }
      }
      // What lies beyond the edge is the edge.
      var byColumn: [Int: Double] = [:]
      for (at, weight) in near { byColumn[min(max(at, 0), input - 1), default: 0] += weight }
      for (column, weight) in byColumn.sorted(by: { $0.key < $1.key }) {
        sources.append(Int32(column))
        weights.append(weight)
      }
      starts.append(Int32(sources.count))
    }
    var outputShape = shape
    outputShape[axis] = output
    return GatherMap(
      outputShape: outputShape, columns: input, inner: shape[(axis + 1)...].reduce(1, *),
      starts: starts, sources: sources,
      weights: weights.allSatisfy { $0 == 1 } ? nil : weights, fill: fill)
  }
}
