/// The verdict on a gradient.
public enum Verdict: String, Sendable, CaseIterable {
  /// Distance ≤ 1e-7.
  case right
  /// ≤ 1e-5: look at the components.
  case acceptable
  /// ≤ 1e-3: worry.
  case suspicious
  /// Above, or a component lies outside its bar.
  case wrong
  /// The noise floor is too high to tell.
  case undecidable

  /// The band of a distance alone.
  public init(distance: Double) {
    switch distance {
    case ...1e-7: self = .right
    case ...1e-5: self = .acceptable
    case ...1e-3: self = .suspicious
    default: self = .wrong
    }
  }

  /// The verdict of a check. A component outside its bar is wrong, however small the distance; a
  /// distance that the errors within the bars explain is acceptable at worst.
  init(distance: Double, noiseFloor: Double, allWithinBars: Bool, decidable: Bool) {
    let band = Verdict(distance: distance)
    if !allWithinBars {
      self = .wrong
    } else if !decidable {
      self = .undecidable
    } else if distance <= noiseFloor, band != .right {
      self = .acceptable
    } else {
      self = band
    }
  }
}
