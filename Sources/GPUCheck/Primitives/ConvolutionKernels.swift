import Kernels

extension Convolution {
  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] {
    RowBlocks.units + [KernelUnit(file: "convolution.cl")]
      + Tile.units("convolution_tile", defines: [("TILE_OF_CONVOLUTION", "1")])
  }

  package func launches(_ call: KernelCall) -> [Launch] {
    let size = extents(call.step.inputShapes)
    let lanes = ConvolutionLaunch(call: call, size: size)
    switch motion(call.step.inputs.map { $0?.layout }, size, call.mode) {
    case nil: return []
    case .input: return [lanes.input]
    case .weights: return [lanes.weights(adds: false)]
    case .both:
      return call.mode == .difference
        ? [lanes.input, lanes.weights(adds: true)] : [lanes.weights(adds: false)]
    case .weight: return [lanes.weight]
    case .inputAndWeight: return [lanes.input, lanes.addWeight]
    case .channel: return [lanes.channel]
    case .depthwise: return [lanes.depthwise]
    }
  }
}

/// The launches of the kernels of kernels/convolution.cl.
private struct ConvolutionLaunch {
  let call: KernelCall
  let size: Convolution.Extents

  private func launch(_ kernel: String, _ others: [KernelArgument], _ global: [Int]) -> Launch {
    Launch(arguments: arguments(kernel, others), global: global)
  }

  private func arguments(_ kernel: String, _ others: [KernelArgument]) -> ConvolutionArguments {
    ConvolutionArguments(kernel: kernel, call: call, size: size, others: others)
  }

  private var elements: Int { size.samples * size.filters * size.positions }
  private var slice: Int { size.samples * size.positions }

  var input: Launch {
    let rowsFirst = rowsFirst
    let others: [KernelArgument] = [
      .int(rowsFirst ? 1 : 0), call.integers(0), call.coefficient(1), call.input(0),
      .buffer(call.output),
    ]
    if call.usesTiles, let tile = Tile(outs: size.perGroup, call.precision) {
      return tile.launch(
        arguments(tile.kernel("convolution_tile"), others), columns: slice * call.laneVectors,
        batches: size.groups, outs: size.perGroup, call.precision)
    }
    // A work-item takes as many filters as leave work for all: it copies what they read once.
    let blocks = RowBlocks.count(of: size.perGroup)
    let shares = call.shares(of: blocks, beside: call.laneVectors / 2 * parts * size.groups)
    let blocksEach = (blocks + shares - 1) / shares
    return launch(
      "convolution_input", others + [.int(blocksEach)],
      KernelCall.global(
        call.laneVectors, parts: parts,
        blocks: size.groups * ((blocks + blocksEach - 1) / blocksEach),
        rowsFirst: rowsFirst))
  }

  private var parts: Int {
    size.samples * RowBlocks.parts(of: size.positions, vectorWidth: call.vectorWidth)
  }

  private var rowsFirst: Bool {
    call.takesRowsFirst(tableElements: size.filters * size.depth * size.taps)
  }

  func weights(adds: Bool) -> Launch {
    let useTable = call.mode == .difference || call.inputs[0] == nil
    return launch(
      "convolution_lanes",
      [
        .int(adds ? 1 : 0), .int(useTable ? 1 : 0), call.integers(0), call.coefficient(0),
        call.input(0), call.input(1), .buffer(call.output),
      ], call.global(over: elements))
  }

  private var which: [KernelArgument] {
    [call.index(0), call.index(1), call.index(2), call.integers(0), call.input(1)]
  }

  var weight: Launch {
    launch(
      "convolution_weight_\(call.mode.rawValue)",
      which + [call.coefficient(0), call.coefficient(1), .buffer(call.output)],
      call.global(over: slice))
  }

  var addWeight: Launch {
    launch(
      "convolution_add_weight",
      [.int(call.mode == .value ? 1 : 0)] + which
        + [call.coefficient(0), call.coefficient(1), call.input(0), .buffer(call.output)],
      call.global(over: slice))
  }

  var channel: Launch {
    launch(
      "convolution_channel_difference",
      [
        .int(rowsFirst ? 1 : 0), call.index(0), call.integers(0), call.coefficient(1),
        call.input(0), .buffer(call.output),
      ],
      KernelCall.global(
        call.laneVectors, parts: parts, blocks: RowBlocks.count(of: size.filters),
        rowsFirst: rowsFirst))
  }

  var depthwise: Launch {
    launch(
      "convolution_depthwise",
      [
        call.index(0), call.integers(0), call.coefficient(1), call.input(0), .buffer(call.output),
      ], call.global(over: slice))
  }
}

/// CONVOLUTION_EXTENTS, and what a kernel takes besides, in its order.
private struct ConvolutionArguments: KernelArguments {
  let kernel: String
  let call: KernelCall
  let size: Convolution.Extents
  let others: [KernelArgument]

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(size.samples), .int(size.channels), .int(size.pixels),
      .int(size.filters), .int(size.groups), .int(size.taps), .int(size.positions),
    ] + others
  }
}
