import Kernels

extension MatrixProduct {
  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { Self.units }

  static let units = RowBlocks.units + [KernelUnit(file: "product.cl")] + Tile.units("product_tile")

  package func launches(_ call: KernelCall) -> [Launch] {
    let size = laneExtents(call.step.inputShapes)
    guard let motions = motions(call.step.inputs.map { $0?.layout }, size) else { return [] }
    switch motions {
    case (.full, .still): return [table(call, aMoves: true, isFree: false, size)]
    case (.free, .still): return [table(call, aMoves: true, isFree: true, size)]
    case (.still, .full): return [table(call, aMoves: false, isFree: false, size)]
    case (.still, .free): return [table(call, aMoves: false, isFree: true, size)]
    case (.full, .full):
      let both = Launch(
        arguments: ProductLanesArguments(call: call, size: size),
        global: ProductLanesArguments.global(call, size))
      return call.mode == .difference
        ? [table(call, aMoves: true, isFree: false, size), both] : [both]
    case (.single, .still): return [single(call, aMoves: true, size)]
    case (.still, .single): return [single(call, aMoves: false, size)]
    case (.depth(_, let width), .still): return [depth(call, aMoves: true, width: width, size)]
    case (.still, .depth(_, let width)): return [depth(call, aMoves: false, width: width, size)]
    case (.full, .single):
      return [
        table(call, aMoves: true, isFree: false, size), addSingle(call, aMoves: false, size),
      ]
    case (.single, .full):
      return [
        table(call, aMoves: false, isFree: false, size), addSingle(call, aMoves: true, size),
      ]
    default: return []
    }
  }

  private func table(_ call: KernelCall, aMoves: Bool, isFree: Bool, _ size: Extents) -> Launch {
    sides(aMoves: aMoves, isFree: isFree, size).launch(
      call, table: call.coefficient(aMoves ? 1 : 0), input: call.input(aMoves ? 0 : 1),
      bias: .none)
  }

  private func single(_ call: KernelCall, aMoves: Bool, _ size: Extents) -> Launch {
    let single = single(aMoves: aMoves, size)
    return Launch(
      arguments: ProductSingleArguments(
        call: call, single: single, depth: size.depth, aMoves: aMoves),
      global: call.global(over: single.batches * single.samples))
  }

  private func depth(_ call: KernelCall, aMoves: Bool, width: Int, _ size: Extents) -> Launch {
    let sides = depthSides(aMoves: aMoves, width: width, size)
    let rowsFirst = call.takesRowsFirst(tableElements: sides.outs * size.depth)
    return Launch(
      arguments: ProductDepthArguments(
        call: call, sides: sides, width: width, aMoves: aMoves, rowsFirst: rowsFirst),
      global: sides.blocks(
        call.laneVectors, vectorWidth: call.vectorWidth, rowsFirst: rowsFirst))
  }

  private func addSingle(_ call: KernelCall, aMoves: Bool, _ size: Extents) -> Launch {
    let single = single(aMoves: aMoves, size)
    return Launch(
      arguments: ProductAddSingleArguments(call: call, single: single, aMoves: aMoves),
      global: call.global(over: single.batches * single.samples))
  }
}

extension MatrixProduct.Sides {
  /// The launch that forms the sums of a table and what moves, and adds a bias of every output where
  /// there is one.
  func launch(
    _ call: KernelCall, table: KernelArgument, input: KernelArgument, bias: KernelArgument
  ) -> Launch {
    launch(
      call.usesTiles ? Tile(outs: outs, call.precision) : nil, call.precision,
      laneVectors: call.laneVectors, vectorWidth: call.vectorWidth,
      rowsFirst: call.takesRowsFirst(tableElements: outs * depth), table: table, input: input,
      bias: bias, output: call.output)
  }

  /// The same by one kernel or another, which give the same bits: in tiles, or without.
  func launch(
    _ tile: Tile?, _ precision: Precision, laneVectors: Int, vectorWidth: Int = 1,
    rowsFirst: Bool = false,
    table: KernelArgument, input: KernelArgument, bias: KernelArgument, output: Buffer
  ) -> Launch {
    let arguments = ProductTableArguments(
      kernel: tile?.kernel("product_tile") ?? "product_table", laneVectors: laneVectors,
      rowsFirst: rowsFirst, sides: self, table: table, input: input, bias: bias, output: output)
    return tile?.launch(
      arguments, columns: samples * laneVectors, batches: batches, outs: outs, precision)
      ?? Launch(
        arguments: arguments,
        global: blocks(laneVectors, vectorWidth: vectorWidth, rowsFirst: rowsFirst))
  }

  fileprivate func blocks(_ laneVectors: Int, vectorWidth: Int, rowsFirst: Bool) -> [Int] {
    KernelCall.global(
      laneVectors, parts: batches * RowBlocks.parts(of: samples, vectorWidth: vectorWidth),
      blocks: RowBlocks.count(of: outs), rowsFirst: rowsFirst)
  }
}

// The arguments of the kernels of kernels/product.cl, each struct in its kernel's order.

private struct ProductTableArguments: KernelArguments {
  let kernel: String
  let laneVectors: Int
  let rowsFirst: Bool
  let sides: MatrixProduct.Sides
  let table: KernelArgument
  let input: KernelArgument
  let bias: KernelArgument
  let output: Buffer

  var arguments: [KernelArgument] {
    [
      .int(laneVectors), .int(rowsFirst ? 1 : 0), .int(sides.outs), .int(sides.samples),
      .int(sides.depth), .int(sides.table.batch), .int(sides.table.out),
      .int(sides.table.depth), .int(sides.moving.batch), .int(sides.moving.sample),
      .int(sides.moving.depth), .int(sides.result.batch), .int(sides.result.out),
      .int(sides.result.sample), table, input,
      bias, .buffer(output),
    ]
  }
}

private struct ProductLanesArguments: KernelArguments {
  /// BLOCK_ROWS and BLOCK_COLUMNS of product.cl where work-items run side by side.
  private static let (rows, columns) = (2, 4)
  /// PANEL_ELEMENTS and PANEL_DEPTH, where they run one after the other.
  private static let panel = (elements: 1024, depth: 64)

  static func global(_ call: KernelCall, _ size: MatrixProduct.Extents) -> [Int] {
    if call.vectorWidth == 1 {
      let blocks =
        ((size.rows + rows - 1) / rows) * ((size.columns + columns - 1) / columns)
      return [call.laneVectors, size.batches, blocks]
    }
    let most = panel.elements / max(1, min(size.depth, panel.depth))
    return [(size.columns + most - 1) / most, size.batches, call.laneVectors / 2]
  }

  let call: KernelCall
  let size: MatrixProduct.Extents

  let kernel = "product_lanes"

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(size.rows), .int(size.depth), .int(size.columns),
      .int(size.aStride), .int(size.a.row), .int(size.a.column),
      .int(size.bStride), .int(size.b.row), .int(size.b.column),
      .int(call.mode == .difference ? 1 : 0), call.coefficient(0), call.input(0), call.input(1),
      .buffer(call.output),
    ]
  }
}

private struct ProductSingleArguments: KernelArguments {
  let call: KernelCall
  let single: MatrixProduct.Single
  let depth: Int
  let aMoves: Bool

  var kernel: String { "product_single_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(single.batches), .int(single.samples), .int(depth),
      .int(single.table.batch), .int(single.table.sample), .int(single.table.depth),
      .int(single.own.free), .int(single.own.depth), call.index(0), call.index(1),
      call.input(aMoves ? 0 : 1), call.coefficient(aMoves ? 1 : 0),
      call.coefficient(aMoves ? 0 : 1), .buffer(call.output),
    ]
  }
}

private struct ProductDepthArguments: KernelArguments {
  let call: KernelCall
  let sides: MatrixProduct.Sides
  let width: Int
  let aMoves: Bool
  let rowsFirst: Bool

  let kernel = "product_depth_difference"

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(rowsFirst ? 1 : 0), .int(sides.outs), .int(sides.samples),
      .int(width), .int(sides.table.batch), .int(sides.table.out), .int(sides.table.depth),
      .int(sides.moving.batch), .int(sides.moving.sample), .int(sides.moving.depth),
      .int(sides.result.batch), .int(sides.result.out), .int(sides.result.sample), call.index(0),
      call.coefficient(aMoves ? 1 : 0), call.input(aMoves ? 0 : 1), .buffer(call.output),
    ]
  }
}

private struct ProductAddSingleArguments: KernelArguments {
  let call: KernelCall
  let single: MatrixProduct.Single
  let aMoves: Bool

  let kernel = "product_add_single"

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(single.batches), .int(single.samples),
      .int(call.mode == .value ? 1 : 0), .int(single.table.batch), .int(single.table.sample),
      .int(single.table.depth), .int(single.fullBatch), .int(single.own.free),
      .int(single.own.depth), .int(single.result.batch), .int(single.result.sample),
      .int(single.result.free), call.index(0), call.index(1), call.input(aMoves ? 0 : 1),
      call.coefficient(aMoves ? 1 : 0), call.coefficient(aMoves ? 0 : 1),
      call.input(aMoves ? 1 : 0), .buffer(call.output),
    ]
  }
}
