import Foundation

/// What a sample of a tensor's components would have caught: drawn without putting back, it holds
/// none of `wrong` components of `count` with probability C(count − wrong, n) / C(count, n), the
/// hypergeometric distribution's.
public enum SampleConfidence {
  /// How sure one is to be.
  public static let probability = 0.99

  /// The least share of wrong components of which a sample would have held one with this
  /// probability; nil where nothing was checked or the tensor is empty.
  public static func detectableShare(checked: Int, of count: Int) -> Double? {
    guard checked > 0, checked <= count else { return nil }
    // More wrong components are never harder to meet.
    var (low, high) = (1, count - checked + 1)
    while low < high {
      let middle = (low + high) / 2
      if missed(wrong: middle, checked: checked, of: count) <= 1 - probability {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return Double(low) / Double(count)
  }

  /// The probability that a sample holds none of the wrong components.
  package static func missed(wrong: Int, checked: Int, of count: Int) -> Double {
    guard wrong + checked <= count else { return 0 }
    // Symmetric in the two; a product of as many factors as the smaller has.
    let (few, many) = (min(wrong, checked), max(wrong, checked))
    var logarithm = 0.0
    for i in 0..<few {
      logarithm += log1p(-Double(many) / Double(count - i))
      if logarithm < -40 { return 0 }
    }
    return exp(logarithm)
  }

  /// What the sample of a report says, in one sentence without its full stop.
  static func sentence(_ tensors: [TensorReport]) -> String? {
    let shares = tensors.compactMap { tensor in
      tensor.detectableShare.map { (name: tensor.name, share: $0) }
    }
    guard let least = shares.min(by: { $0.share < $1.share }),
      let most = shares.max(by: { $0.share < $1.share })
    else { return nil }
    func percent(_ share: Double) -> String { TextFormat.short(100 * share) + " %" }
    let bound =
      least.share == most.share
      ? percent(least.share)
      : "\(percent(least.share)) (\(least.name)) to \(percent(most.share)) (\(most.name))"
    return "a tensor with more than \(bound) wrong components would have been caught with "
      + "probability \(probability)"
  }
}
