/// Which kernels lanes take on an OpenCL device, where not those that suit it: for measuring, and for tests
/// of kernels that a device would not run. The differences are the same but for rounding, and nearly all bits.
public struct KernelChoice: Sendable, Equatable {
  /// Whether lanes take the one kernel of a chain of dense layers.
  public var takesChains: Bool?
  /// Whether lanes take a chain's moments; nil for as it is with chains.
  public var takesMoments: Bool?
  /// Whether steps that go element by element are fused.
  public var fusesSteps: Bool?
  /// Whether large products go in tiles; only where a work-item takes one lane.
  public var usesTiles: Bool?
  /// Lanes of one work-item: 1, 2, 4, 8 or 16.
  public var vectorWidth: Int?

  /// What suits the device.
  public init() {}

  /// From words such as `chains`, `-fused`, `tiles`, `width=1`, with commas between them. Throws an
  /// `InputError` for any other.
  public init(_ words: String) throws {
    for word in words.split(separator: ",") {
      let isWanted = !word.hasPrefix("-")
      switch isWanted ? word : word.dropFirst() {
      case "chains": takesChains = isWanted
      case "moments": takesMoments = isWanted
      case "fused": fusesSteps = isWanted
      case "tiles": usesTiles = isWanted
      default:
        let width = word.hasPrefix("width=") ? Int(word.dropFirst("width=".count)) : nil
        guard let width, [1, 2, 4, 8, 16].contains(width) else {
          throw InputError(
            "found \"\(word)\" among the kernels to take",
            remedy:
              "use chains, moments, fused, tiles, each with a - before it for none, and width=1 to 16"
          )
        }
        vectorWidth = width
      }
    }
  }
}
