import Kernels

/// A kernel of kernels/tile.cl: how large the tiles are that a work-group makes of a product.
struct Tile {
  /// TILE_ACROSS and TILE_DOWN: the work-items of a group.
  let (across, down): (Int, Int)

  /// Low to tall.
  private static let all = [
    Tile(across: 64, down: 2), Tile(across: 16, down: 8), Tile(across: 16, down: 16),
  ]
  /// OWN_OUTS: outputs of a work-item.
  private static let ownOuts = 8
  /// TILE_DEPTH: terms in local memory at a time, of which there are two sets.
  private static let depth = 8
  /// Outputs from which on a tile is full enough to be worth it.
  private static let leastOuts = 5

  /// Outputs of a tile.
  var outs: Int { down * Self.ownOuts }

  /// TILE_LANES: columns of a tile.
  func columns(_ precision: Precision) -> Int {
    across * (down == 2 ? 2 : precision == .f64 ? 4 : 8)
  }

  /// Work-items of a group, and bytes that they hold in local memory.
  static func needs(_ precision: Precision) -> (items: Int, bytes: Int) {
    let tiles = all.filter { $0.serves(precision) }
    return (
      tiles.map { $0.across * $0.down }.max() ?? 0,
      tiles.map { 2 * depth * (($0.columns(precision) + $0.outs) * precision.bytes + 16) }.max()
        ?? 0
    )
  }

  /// The tallest leaves too few registers where reals take two.
  private func serves(_ precision: Precision) -> Bool { precision == .f32 || down < 16 }

  /// The tallest tiles that so many outputs fill by more than half, or the lowest; nil where outputs are
  /// too few for any.
  init?(outs: Int, _ precision: Precision) {
    guard outs >= Self.leastOuts else { return nil }
    self = Self.all.last { $0.serves(precision) && 2 * outs > $0.outs } ?? Self.all[0]
  }

  private init(across: Int, down: Int) { (self.across, self.down) = (across, down) }

  /// The template's units for the kernels `NAME_2`, `NAME_8` and `NAME_16`.
  static func units(_ name: String, defines: [(name: String, value: String)] = []) -> [KernelUnit] {
    all.map { tile in
      KernelUnit(
        file: "tile.cl",
        defines: [
          ("TILE_NAME", tile.kernel(name)), ("TILE_ACROSS", "\(tile.across)"),
          ("TILE_DOWN", "\(tile.down)"),
        ] + defines)
    }
  }

  func kernel(_ name: String) -> String { "\(name)_\(down)" }

  /// A launch for so many columns and outputs of each batch.
  func launch(
    _ arguments: any KernelArguments, columns: Int, batches: Int, outs: Int, _ precision: Precision
  ) -> Launch {
    let width = self.columns(precision)
    return Launch(
      arguments: arguments,
      global: [
        (columns + width - 1) / width * batches * across, (outs + self.outs - 1) / self.outs * down,
      ], local: [across, down])
  }
}
