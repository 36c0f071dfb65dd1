import Kernels

/// The blocks in which the kernels of products take rows (kernels/rows.cl).
enum RowBlocks {
  static let units = [KernelUnit(file: "rows.cl")]

  /// ROWS_MOST and ROWS_LEAST.
  private static let (most, least) = (6, 4)

  /// ROW_SAMPLES: how many samples, or positions, a work-item takes.
  private static func samples(_ vectorWidth: Int) -> Int { vectorWidth == 1 ? 16 : 64 }

  /// Among how many work-items so many samples or positions are shared.
  static func parts(of samples: Int, vectorWidth: Int) -> Int {
    let each = Self.samples(vectorWidth)
    return (samples + each - 1) / each
  }

  /// How many blocks so many rows are: `row_blocks`.
  static func count(of rows: Int) -> Int {
    let over = rows % most
    let large = max(0, (rows + 1) / most - (over == 1 || over == 2 ? 1 : 0))
    return large + max(0, (rows - large * most + least - 1) / least)
  }
}
