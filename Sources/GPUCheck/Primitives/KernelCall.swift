import Kernels

/// What an operator needs to know to launch its kernel on a batch of lanes.
package struct KernelCall {
  package var mode: LaneMode
  package var step: LaneStep
  package var tiePolicy: TiePolicy
  /// Lanes over the width of the device's vectors; even.
  package var laneVectors: Int
  /// Lanes of a vector.
  package var vectorWidth: Int
  /// How many work-items the device wants in a launch.
  package var wantedWorkItems: Int
  package var precision: Precision
  /// Whether products go in tiles (`Tile`) where they fill them.
  package var usesTiles: Bool
  /// The positions of `Primitive.laneIndices`, `[lanes]` each.
  package var indices: [Buffer]
  package var inputs: [Buffer?]
  /// The tables of `Primitive.coefficients`, in the lanes' precision.
  package var coefficients: [Buffer?]
  /// The tables of `Primitive.integerTables`.
  package var integers: [Buffer]
  package var output: Buffer
  package var flags: Buffer

  /// The launch shape [lane workers, workers] for a loop over lane vectors and so many elements (FOR_LANES and
  /// FOR_SHARE of lanes.cl). Where work-items run one after the other each takes few elements, whose lanes
  /// it reads as streams side by side, and enough of both to be worth the start.
  package func global(over elements: Int) -> [Int] {
    guard vectorWidth > 1 else {
      return [laneVectors, max(1, min(elements, wantedWorkItems / max(laneVectors, 1)))]
    }
    let each = max(Self.streams, Self.worthAStart / max(laneVectors, 1))
    let workers = max(1, (elements + each - 1) / each)
    let most = max(1, laneVectors * min(each, elements) / Self.worthAStart)
    return [max(1, min(wantedWorkItems / workers, most)), workers]
  }

  /// Elements whose lanes are read side by side, and lane vectors of elements that a work-item takes at least.
  private static let (streams, worthAStart) = (8, 256)

  /// Among how many work-items so many blocks of a product's rows are shared, where there are so many
  /// work-items for each: one each where work-items run side by side, and few where they run one after the
  /// other and are enough for all cores.
  package func shares(of blocks: Int, beside others: Int) -> Int {
    guard vectorWidth > 1 else { return blocks }
    return max(1, min(blocks, wantedWorkItems / (16 * max(others, 1))))
  }

  /// Whether work-items of a product's launch go through the rows of a table first (LANE_ID of lanes.cl):
  /// where they run one after the other, and a cache holds the table beside what moves.
  package func takesRowsFirst(tableElements: Int) -> Bool {
    vectorWidth > 1 && tableElements <= 1 << 16
  }

  /// A launch of [lane vectors / 2, parts, row blocks], or the other way round.
  static func global(_ laneVectors: Int, parts: Int, blocks: Int, rowsFirst: Bool) -> [Int] {
    rowsFirst ? [blocks, parts, laneVectors / 2] : [laneVectors / 2, parts, blocks]
  }

  /// The lanes of an input that moves.
  package func input(_ index: Int) -> KernelArgument {
    inputs[index].map { .buffer($0) } ?? .none
  }

  /// The positions of the lanes along an axis; the null buffer where the step has none.
  package func index(_ number: Int) -> KernelArgument {
    number < indices.count ? .buffer(indices[number]) : .none
  }

  /// A table of integers; the null buffer where the operator has fewer.
  package func integers(_ index: Int) -> KernelArgument {
    index < integers.count ? .buffer(integers[index]) : .none
  }

  /// A coefficient table; the null buffer where the operator has fewer.
  package func coefficient(_ index: Int) -> KernelArgument {
    index < coefficients.count ? coefficients[index].map { .buffer($0) } ?? .none : .none
  }
}

/// One kernel launch: the kernel with its arguments, and the global size.
package struct Launch {
  package var arguments: any KernelArguments
  package var global: [Int]
  /// The size of a work-group where the kernel needs one; nil for what suits the device.
  package var local: [Int]?
}
